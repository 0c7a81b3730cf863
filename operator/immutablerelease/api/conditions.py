"""Conditions as kstatus reads them, and the reasons that the operator gives.

`Reconciling` and `Stalled` are present only while true, so that GitOps tools never take a stale one
for the truth. `observedGeneration` says which generation a condition speaks of.
Source of the contract: sigs.k8s.io/cli-utils, pkg/kstatus.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .base import Model, Time


class ConditionType(StrEnum):
    """The types of condition found on a release; `Verified` and `Healthy` also on a revision."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    VERIFIED = "Verified"
    HEALTHY = "Healthy"


class Status(StrEnum):
    """Unknown is not False: what could not be established never counts as refused or as passed."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One condition, with a message that names what was found and what to do next."""

    type: Annotated[str, Field(description="Kind of condition.", max_length=64)]
    status: Annotated[Status, Field(description="Whether the condition holds.")]
    reason: Annotated[str, Field(description="One CamelCase word for programs.", max_length=64)]
    message: Annotated[
        str, Field(description="What was found and what to do next.", max_length=2048)
    ]
    observed_generation: Annotated[
        int, Field(description="Generation of the spec that the condition speaks of.", ge=0)
    ] = 0
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]


def set_condition(
    conditions: Iterable[Condition], new: Condition, *, now: datetime
) -> tuple[Condition, ...]:
    """The conditions with `new` in place; its transition time moves only when its status does."""
    kept = []
    since = now
    for condition in conditions:
        if condition.type != new.type:
            kept.append(condition)
        elif condition.status is new.status:
            since = condition.last_transition_time
    settled = new.model_copy(update={"last_transition_time": since})
    return tuple(sorted([*kept, settled], key=lambda condition: condition.type))


def find_condition(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type, if it is there."""
    return next((condition for condition in conditions if condition.type == type_), None)
