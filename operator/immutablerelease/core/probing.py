"""Counts probe results into verdicts: consecutive failures and successes against thresholds.

An attempt that found nothing out is neither: it ends a run of successes, lets one of failures be,
and as many of them in a row as failures are allowed take the verdict back.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from immutablerelease.api.probe import Probe

# Stands for the uid of a Pod where a probe is asked of a revision as a whole.
WHOLE: Final = ""


class Outcome(StrEnum):
    """Verdict of one probe on one Pod. Pending is the absence of evidence, and passes nothing."""

    PENDING = "Pending"
    PASSING = "Passing"
    FAILING = "Failing"


@dataclass(frozen=True)
class Attempt:
    """Result of one probe request."""

    # None where nothing could be found out, which speaks neither for nor against the revision.
    ok: bool | None
    message: str
    at: datetime


@dataclass(frozen=True)
class ProbeState:
    """What is known of one probe on one Pod, or of a revision as a whole."""

    outcome: Outcome = Outcome.PENDING
    successes: int = 0
    failures: int = 0
    message: str = ""
    last_at: datetime | None = None
    # When the present run of failures began.
    failing_since: datetime | None = None
    # Attempts in a row that found nothing out.
    blind: int = 0
    # Whether it ever passed since it is asked.
    passed: bool = False

    @property
    def answers(self) -> bool:
        """Whether the newest attempt passed."""
        return self.last_at is not None and self.failures == 0 and self.blind == 0


def count(state: ProbeState, attempt: Attempt, probe: Probe) -> ProbeState:
    """The state after one more attempt; between the thresholds the verdict stays what it was."""
    if attempt.ok is None:
        return _blind(state, attempt, probe)
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
            blind=0,
            passed=state.passed or outcome is Outcome.PASSING,
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
        blind=0,
    )


def _blind(state: ProbeState, attempt: Attempt, probe: Probe) -> ProbeState:
    seen = replace(
        state, successes=0, blind=state.blind + 1, message=attempt.message, last_at=attempt.at
    )
    if seen.blind < probe.failure_threshold:
        return seen
    return replace(seen, outcome=Outcome.PENDING, failures=0, failing_since=None)
