"""The converter on small models, and what must hold of every schema that it writes."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from immutablerelease.api.base import Duration, Model, Rule, keyed
from immutablerelease.api.crds import definition
from immutablerelease.api.kinds import KINDS, Kind
from immutablerelease.api.schema import structural_schema

FORBIDDEN = {"$ref", "$defs", "title", "const", "oneOf", "nullable", "definitions", "examples"}


class Inner(Model):
    """What it is.

    More, for readers of the code.
    """

    size: Annotated[int, Field(description="Size.", ge=1, le=9)] = 3
    note: Annotated[str | None, Field(description="Note.", max_length=5)] = None


class Ruled(Model):
    """One that has a rule and a default."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule("self.size > 1", "is more than one"),)
    size: Annotated[int, Field(description="Size.")] = 3


class Outer(Model):
    """An outer model."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "never changes", ".inner"),
        Rule("true", "always", optional_old_self=True),
    )
    inner: Annotated[Inner, Field(description="An inner one.")] = Inner()
    list_of: Annotated[
        tuple[Inner, ...],
        Field(description="Many.", max_length=4, json_schema_extra=keyed("size")),
    ] = ()
    whole: Annotated[tuple[Ruled, ...], Field(description="Merges whole.", max_length=4)] = ()
    either: Annotated[int | str, Field(description="Either.")]
    constant: Annotated[Literal["A"], Field(description="One.")]
    above: Annotated[int, Field(description="More than zero.", gt=0)]
    wait: Annotated[Duration, Field(description="Wait.")] = 90.0


def test_references_are_written_out_and_the_words_of_the_field_win() -> None:
    schema = structural_schema(Outer, defaults=True)
    assert schema["properties"]["inner"]["description"] == "An inner one."
    assert schema["properties"]["listOf"]["items"]["description"] == "What it is."
    assert schema["properties"]["listOf"]["items"]["properties"]["note"] == {
        "description": "Note.",
        "maxLength": 5,
        "type": "string",
    }


def test_unions_constants_and_exclusive_bounds_take_the_form_that_a_crd_has() -> None:
    properties = structural_schema(Outer, defaults=True)["properties"]
    assert properties["either"] == {
        "description": "Either.",
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    }
    assert properties["constant"]["enum"] == ["A"]
    assert properties["above"]["minimum"] == 0
    assert properties["above"]["exclusiveMinimum"] is True


def test_a_list_merges_by_its_keys_where_it_has_them() -> None:
    assert (
        structural_schema(Outer, defaults=True)["properties"]["listOf"].items()
        >= {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["size"],
        }.items()
    )


def test_defaults_are_written_where_they_say_something() -> None:
    properties = structural_schema(Outer, defaults=True)["properties"]
    assert properties["inner"]["default"] == {"size": 3}
    assert properties["inner"]["properties"]["size"]["default"] == 3
    assert properties["wait"]["default"] == "1m30s"
    assert "default" not in properties["listOf"]
    assert "default" not in properties["inner"]["properties"]["note"]


def test_inside_of_a_list_that_merges_whole_there_are_rules_and_no_defaults() -> None:
    items = structural_schema(Outer, defaults=True)["properties"]["whole"]["items"]
    assert "default" not in items["properties"]["size"]
    assert items["x-kubernetes-validations"] == [
        {"rule": "self.size > 1", "message": "is more than one"}
    ]


def test_a_status_has_neither_defaults_nor_rules() -> None:
    properties = structural_schema(Outer, defaults=False)["properties"]
    assert "x-kubernetes-validations" not in properties["whole"]["items"]
    assert "default" not in properties["inner"]
    assert "default" not in properties["inner"]["properties"]["size"]


def test_rules_become_validations() -> None:
    assert structural_schema(Outer, defaults=True)["x-kubernetes-validations"] == [
        {"rule": "self == oldSelf", "message": "never changes", "fieldPath": ".inner"},
        {"rule": "true", "message": "always", "optionalOldSelf": True},
    ]


def test_a_union_that_no_crd_can_say_is_an_error() -> None:
    class Unsayable(Model):
        field: bool | str

    with pytest.raises(TypeError, match="a CRD has no place for the union"):
        structural_schema(Unsayable, defaults=True)


def _walk(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, value in schema.get("properties", {}).items():
        yield from _walk(value, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from _walk(schema[key], f"{path}[]")


def _fields(kind: Kind) -> list[tuple[str, dict[str, Any]]]:
    root = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return list(_walk(root, kind.name))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_says_what_it_is(kind: Kind) -> None:
    silent = [
        path
        for path, schema in _fields(kind)
        # The API server describes metadata; an item of a list of scalars is what its list is.
        if not path.endswith((".metadata", "[]")) and len(schema.get("description", "")) < 3
    ]
    assert [path for path in silent if path != f"{kind.name}.metadata"] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_schema_is_structural(kind: Kind) -> None:
    for path, schema in _fields(kind):
        assert not FORBIDDEN & schema.keys(), path
        assert not {"properties", "additionalProperties"} <= schema.keys(), path
        untyped = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
        assert "type" in schema or any(schema.get(key) for key in untyped), path
        assert "anyOf" not in schema or schema.get("x-kubernetes-int-or-string"), path
        assert set(schema.get("required", [])) <= schema.get("properties", {}).keys(), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_everything_has_a_bound(kind: Kind) -> None:
    """The API server refuses rules that could cost too much, and guesses high without bounds."""
    for path, schema in _fields(kind):
        if path in (f"{kind.name}.{field}" for field in ("apiVersion", "kind")):
            continue
        bounded = {"array": {"maxItems"}, "string": {"maxLength", "enum", "format"}}
        if wanted := bounded.get(schema.get("type", "")):
            assert wanted & schema.keys(), path
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, path
        if schema.get("type") == "array":
            assert schema["x-kubernetes-list-type"] in ("map", "atomic"), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_rule_has_a_message(kind: Kind) -> None:
    for path, schema in _fields(kind):
        for rule in schema.get("x-kubernetes-validations", []):
            assert len(rule["message"]) > 10, path


def test_nothing_in_a_template_has_a_default() -> None:
    """The API server would fill it in, and every release would change without being written."""
    for path, schema in [field for kind in KINDS for field in _fields(kind)]:
        if ".template." in path:
            assert "default" not in schema, path
