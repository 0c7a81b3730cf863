"""Documents that a structural schema allows, for Hypothesis."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from immutablerelease.api.base import format_time

_TEXT = st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"])
_JSON = st.dictionaries(st.text(_TEXT, max_size=8), st.integers() | st.text(_TEXT), max_size=3)
_MANY = 3
# Beyond it a whole number that passed through somebody's JSON is no longer exactly itself.
_EXACT = 2**53


def documents(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that the schema allows; its CEL rules are not looked at."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return _integers(schema) | _strings(schema)
    match schema.get("type"):
        case "object":
            return _objects(schema)
        case "array":
            return _lists(schema)
        case "string":
            return _strings(schema)
        case "integer":
            return _integers(schema)
        case "number":
            return st.floats(schema.get("minimum", -_EXACT), schema.get("maximum", _EXACT))
        case "boolean":
            return st.booleans()
    assert schema["x-kubernetes-preserve-unknown-fields"]
    return _JSON


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "additionalProperties" in schema:
        keys = st.text(_TEXT, min_size=1, max_size=8)
        return st.dictionaries(keys, documents(schema["additionalProperties"]), max_size=_MANY)
    required = schema.get("required", [])
    fields = {name: documents(value) for name, value in schema.get("properties", {}).items()}
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def _lists(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    keys = schema.get("x-kubernetes-list-map-keys")
    return st.lists(
        documents(schema["items"]),
        min_size=schema.get("minItems", 0),
        max_size=min(schema["maxItems"], _MANY),
        unique_by=(lambda item: tuple(item[key] for key in keys)) if keys else None,
    )


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
            lambda time: format_time(time.replace(tzinfo=UTC))
        )
    longest = schema["maxLength"]
    if "pattern" in schema:
        # `$` lets a newline follow in Python, not in the API server.
        return st.from_regex(schema["pattern"], alphabet=st.characters(codec="ascii")).filter(
            lambda text: len(text) <= longest and "\n" not in text
        )
    return st.text(_TEXT, min_size=schema.get("minLength", 0), max_size=min(longest, 40))


def _integers(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    return st.integers(schema.get("minimum", 0), schema.get("maximum", _EXACT))
