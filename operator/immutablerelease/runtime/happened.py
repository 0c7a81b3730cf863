"""What of a plan came true, so that it is told of even where the plan was not applied in full.

What was not applied is decided anew and told of then. A move of traffic is not: the next decision
finds it made. So it is told of as soon as it is known to be made, also where its answer was lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from immutablerelease.core.phases.route import REVERTED
from immutablerelease.core.phases.specified import RECORDED
from immutablerelease.core.plan import (
    Event,
    Intent,
    MoveTraffic,
    Plan,
    WriteReleaseStatus,
    WriteRevisionStatus,
)
from immutablerelease.core.snapshot import RouteRecord, Snapshot


@dataclass(frozen=True)
class Happened:
    """Events that came true, and the moves of traffic that were made."""

    events: tuple[Event, ...] = ()
    moves: tuple[RouteRecord, ...] = ()


@dataclass(frozen=True)
class Unsure:
    """A move of traffic whose answer did not come."""

    # What the record was before.
    before: RouteRecord | None
    record: RouteRecord
    events: tuple[Event, ...]

    @classmethod
    def of(cls, snapshot: Snapshot, plan: Plan, move: MoveTraffic) -> "Unsure":
        """It may have been made, and this is what it would have been told by."""
        return cls(snapshot.route.record, move.record, _true_by(plan.events, (move,)))

    def settled(self, snapshot: Snapshot) -> Happened | None:
        """What is known of it by now; nothing while the record is as it was."""
        if snapshot.route.record == self.before:
            return None
        made = snapshot.route.record == self.record
        return Happened(self.events, (self.record,)) if made else Happened()


def happened(snapshot: Snapshot, plan: Plan, applied: Sequence[Intent]) -> Happened:
    """What came true of a plan of which these intents were applied."""
    complete = len(applied) == len(plan.intents)
    # One that is made once more, because somebody had undone it, is no other move.
    moves = [
        intent.record
        for intent in applied
        if isinstance(intent, MoveTraffic) and intent.record != snapshot.route.record
    ]
    return Happened(plan.events if complete else _true_by(plan.events, applied), tuple(moves))


def _true_by(events: Sequence[Event], applied: Sequence[Intent]) -> tuple[Event, ...]:
    return tuple(event for event in events if any(_proves(one, event) for one in applied))


def _proves(intent: Intent, event: Event) -> bool:
    if isinstance(intent, MoveTraffic):
        return event.reason in (intent.record.reason, REVERTED, "RouteRestored")
    if isinstance(intent, WriteReleaseStatus):
        # From then on the spec is known to stand for it, and nobody tells of it again.
        return event.reason == RECORDED
    if isinstance(intent, WriteRevisionStatus):
        return event.revision == intent.name and event.reason != RECORDED
    return False
