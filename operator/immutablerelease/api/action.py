"""ReleaseAction: something a person or a pipeline asks of a release, kept as a record."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from .base import Model, Rule, Time


class ActionKind(StrEnum):
    """What can be asked."""

    PROMOTE = "Promote"
    ABORT = "Abort"
    ROLLBACK = "Rollback"
    RETRY = "Retry"


class ActionSpec(Model):
    """The request. Written once."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "an action never changes; create another one"),
        Rule(
            "!has(self.revision) || self.action != 'Retry'",
            "Retry takes no revision: it is about the one that the spec stands for",
        ),
        Rule("!self.full || self.action == 'Promote'", "only Promote takes full"),
    )
    release: Annotated[str, Field(description="Release it is about.", max_length=63, min_length=1)]
    action: Annotated[
        ActionKind,
        Field(
            description="Promote the tested candidate; Abort what is in flight; Rollback to an "
            "earlier revision; Retry a revision that was rejected, failed or reverted."
        ),
    ]
    revision: Annotated[
        str | None,
        Field(
            description="Revision to roll back to; without it, the known-good one. For Promote and "
            "Abort the candidate that is meant: another one is left alone.",
            max_length=253,
        ),
    ] = None
    full: Annotated[
        bool,
        Field(description="Promote through all steps that are left, not only to the next one."),
    ] = False
    reason: Annotated[str, Field(description="Why; kept for the record.", max_length=1024)] = ""


class ActionPhase(StrEnum):
    """What became of the request."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class ActionStatus(Model):
    """The answer."""

    phase: Annotated[ActionPhase | None, Field(description="What became of it.")] = None
    message: Annotated[str, Field(description="What was done, or why not.", max_length=2048)] = ""
    completed_at: Annotated[Time | None, Field(description="When it ended.")] = None
