"""What all models share: camelCase on the wire, frozen in memory, durations in seconds, CEL rules.

Field constraints (`max_length`, `pattern`, descriptions) are the single source of the structural
schemas in `crds/`; what a JSON schema cannot say is said by `Rule`s, which the API server checks.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_DURATION = re.compile(f"(?:{_PART.pattern})+")
# Five digits of a unit keep every duration inside what a datetime, and CEL's `duration`, can hold.
_DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h))+$",
    "maxLength": 32,
}


@dataclass(frozen=True)
class Rule:
    """One CEL rule of `x-kubernetes-validations`: what must hold, and what a breach is told."""

    rule: str
    message: str
    # Field that the message is about, such as `.interval`; without it, the object as a whole.
    field: str = ""
    optional_old_self: bool = False


def keyed(*keys: str) -> dict[str, JsonValue]:
    """Schema of a list whose items are told apart by these fields; duplicates are refused."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


class Model(BaseModel):
    """Base of every model; `rules` are CEL rules on the object as a whole."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    def wire(self) -> dict[str, Any]:
        """The model as the API server expects it; fields that are None are absent."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def parse_duration(value: object) -> object:
    """Seconds, to the millisecond, from a duration such as `1m30s`; numbers pass through."""
    if not isinstance(value, str):
        return value
    if not _DURATION.fullmatch(value):
        raise ValueError(f"duration must look like 500ms, 2s, 10m or 1h30m (got {value!r})")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    return round(seconds * 1000) / 1000


def format_duration(seconds: float) -> str:
    """The shortest duration string for a number of seconds: 600.0 is `10m`, 0.5 is `500ms`."""
    millis = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, millis = divmod(millis, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_time(value: object) -> object:
    """An aware UTC time from RFC 3339; the API server writes seconds, the operator milliseconds."""
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_DURATION_SCHEMA),
]
Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def first_problem(error: ValidationError) -> str:
    """Where the first thing is wrong, and what; without what stands there."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
