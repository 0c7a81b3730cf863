"""JSON for what is signed or hashed: one text, one meaning.

RFC 8259 leaves duplicate names, huge numbers, NaN and halves of surrogate pairs to the
implementation, so two parsers can read two documents in one text. Here all of that is refused, and
so is what is nested too deeply.
"""

import json
import re
from typing import Any

from .errors import quote

MAX_DEPTH = 32
_MAX_INTEGER = 2**63 - 1
# The only way to write one in UTF-8, in which JSON is.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class InvalidJSON(ValueError):
    """The text is not JSON, or not JSON with a single meaning."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJSON("an object names the same member twice")
    return members


def _integer(text: str) -> int:
    # Length first: int() on long digit strings is quadratic.
    if len(text) > 20 or abs(value := int(text)) > _MAX_INTEGER:
        raise InvalidJSON(f"integer out of range: {quote(text)}")
    return value


def _constant(text: str) -> Any:
    raise InvalidJSON(f"{text} is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise InvalidJSON(f"nested deeper than {MAX_DEPTH} levels")


def _check_text(text: str, value: Any) -> None:
    if _SURROGATE.search(text) is None:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidJSON("text with half of a surrogate pair, which is no Unicode") from error


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; raises InvalidJSON for anything else."""
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except InvalidJSON:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidJSON(f"not JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise InvalidJSON(f"expected a JSON object, got {type(value).__name__}")
    _check_depth(value)
    _check_text(text, value)
    return value
