"""Structural schemas, as a CustomResourceDefinition wants them, from the typed models.

pydantic writes JSON schema; the API server takes a strict part of it. What is done about the rest:

- every reference is written out, titles go, and a field that may be None is one that may be absent;
- `int | str` is an int-or-string, a constant an enum of one, an exclusive bound a flag;
- a list says how it merges: by its keys where `base.keyed` names them, else as a whole;
- a default is written where it says something; that of an object in full, since the API server
  checks an object's rules on its default before it fills in those of the fields; none inside of a
  list that merges as a whole, where it would look to whoever applies it again as a change;
- `Model.rules` become `x-kubernetes-validations`, in a spec: a status repeats what was admitted
  once, and must not be refused by rules that have become stricter since.
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from .base import Model, Rule

Schema = dict[str, Any]

_VALIDATIONS = "x-kubernetes-validations"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_LIST_TYPE = "x-kubernetes-list-type"
# A default of these says no more than the absence of the field does.
_SAYS_NOTHING: tuple[Any, ...] = (None, "", [])


def structural_schema(model: type[Model], *, defaults: bool) -> Schema:
    """The schema of a model; `defaults` for a spec, never for a status, which only reports."""
    raw = model.model_json_schema(
        by_alias=True, mode="serialization", schema_generator=_WithRules, ref_template="{model}"
    )
    definitions = raw.pop("$defs", {})
    return _structural(raw, definitions, rules=defaults, defaults=defaults)


def validations(rules: tuple[Rule, ...]) -> list[Schema]:
    """Rules in the words of the API server."""
    return [
        {"rule": rule.rule, "message": rule.message}
        | ({"fieldPath": rule.field} if rule.field else {})
        | ({"optionalOldSelf": True} if rule.optional_old_self else {})
        for rule in rules
    ]


class _WithRules(GenerateJsonSchema):
    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        result = super().model_schema(schema)
        if rules := schema["cls"].rules:
            result[_VALIDATIONS] = validations(rules)
        return result


def _structural(
    node: Schema, definitions: dict[str, Schema], *, rules: bool, defaults: bool
) -> Schema:
    node = _alternatives(_referenced(node, definitions), definitions)
    dropped = ("title", "default") if rules else ("title", "default", _VALIDATIONS)
    schema = {key: value for key, value in node.items() if key not in dropped}
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    for key, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if key in schema and not isinstance(schema[key], bool):
            schema[bound], schema[key] = schema[key], True
    if "properties" in schema:
        schema["properties"] = {
            name: _structural(value, definitions, rules=rules, defaults=defaults)
            for name, value in schema["properties"].items()
        }
        schema.pop("additionalProperties", None)
    if schema.get("type") == "array":
        schema.setdefault(_LIST_TYPE, "atomic")
    whole = schema.get(_LIST_TYPE) == "atomic"
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            inside = defaults and not whole
            schema[key] = _structural(schema[key], definitions, rules=rules, defaults=inside)
    default = node.get("default")
    if defaults and default not in _SAYS_NOTHING:
        schema["default"] = _said(default)
    return schema


def _referenced(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node with its reference written out; what a field says of itself wins over its type."""
    if "$ref" not in node:
        return _first_line(node)
    own = {key: value for key, value in node.items() if key != "$ref"}
    return _first_line(definitions[node["$ref"]]) | own


def _first_line(node: Schema) -> Schema:
    """Of a docstring only what it is; the rest is for readers of the code."""
    if node.get("type") != "object" or "description" not in node:
        return node
    return node | {"description": node["description"].split("\n\n")[0].replace("\n", " ")}


def _alternatives(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node without `anyOf`, which a structural schema allows in int-or-strings only."""
    if "anyOf" not in node or _INT_OR_STRING in node:
        return node
    choices = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
    own = {key: value for key, value in node.items() if key != "anyOf"}
    if len(choices) == 1:
        return _referenced(choices[0], definitions) | own
    if [choice.get("type") for choice in choices] != ["integer", "string"]:
        raise TypeError(f"a CRD has no place for the union {choices}")
    bounds = {key: value for choice in choices for key, value in choice.items() if key != "type"}
    types = [{"type": "integer"}, {"type": "string"}]
    return own | bounds | {"anyOf": types, _INT_OR_STRING: True}


def _said(default: Any) -> Any:
    """A default without fields that are absent unless somebody writes them."""
    if not isinstance(default, dict):
        return default
    return {name: _said(value) for name, value in default.items() if value not in _SAYS_NOTHING}
