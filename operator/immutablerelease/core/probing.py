"""Counts probe results into verdicts: consecutive failures and successes against thresholds."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from immutablerelease.api.probe import Probe


class Outcome(StrEnum):
    """Verdict of one probe on one Pod. Pending is the absence of evidence, and passes nothing."""

    PENDING = "Pending"
    PASSING = "Passing"
    FAILING = "Failing"


@dataclass(frozen=True)
class Attempt:
    """Result of one probe request."""

    ok: bool
    message: str
    at: datetime


@dataclass(frozen=True)
class ProbeState:
    """What is known of one probe on one Pod."""

    outcome: Outcome = Outcome.PENDING
    successes: int = 0
    failures: int = 0
    message: str = ""
    last_at: datetime | None = None
    # When the present run of failures began.
    failing_since: datetime | None = None

    @property
    def answers(self) -> bool:
        """Whether the newest attempt passed."""
        return self.last_at is not None and self.failures == 0


def count(state: ProbeState, attempt: Attempt, probe: Probe) -> ProbeState:
    """The state after one more attempt; between the thresholds the verdict stays what it was."""
    if attempt.ok:
        successes = state.successes + 1
        outcome = Outcome.PASSING if successes >= probe.success_threshold else state.outcome
        return replace(
            state,
            outcome=outcome,
            successes=successes,
            failures=0,
            message=attempt.message,
            last_at=attempt.at,
            failing_since=None,
        )
    failures = state.failures + 1
    outcome = Outcome.FAILING if failures >= probe.failure_threshold else state.outcome
    return replace(
        state,
        outcome=outcome,
        successes=0,
        failures=failures,
        message=attempt.message,
        last_at=attempt.at,
        failing_since=state.failing_since or attempt.at,
    )
