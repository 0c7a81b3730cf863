"""Who serves? The record on the release's Service is the truth; statuses follow it.

The record is written in the same write as the selector, so a crash between a move of traffic and
the statuses that tell of it loses nothing: the next decision reads the record and catches up.
"""

from datetime import datetime

from immutablerelease.api.revision import Failure, RevisionPhase, RevisionStatus

from ..draft import Draft
from ..plan import EventType
from ..snapshot import RouteRecord

PROMOTED = "Promoted"
REVERTED = "Reverted"
ROLLED_BACK = "RolledBack"
ABORTED = "Aborted"


def adopt(draft: Draft) -> None:
    """Settle who serves, and bring statuses in line with it."""
    draft.record = _trusted_record(draft)
    settle(draft)


def restore(draft: Draft) -> None:
    """Undo what somebody did to the selector, where what should serve can serve."""
    record, route = draft.record, draft.snapshot.route
    if record is None or draft.snapshot.conflicts or route.selected == record.revision:
        return
    if draft.serving(record.revision):
        found = route.selected or "nothing"
        draft.move(record)
        draft.tell(
            EventType.WARNING,
            "RouteRestored",
            f"the Service pointed at {found}; it points at {record.revision} again",
            record.revision,
        )


def settle(draft: Draft) -> None:
    """Statuses of what got and what lost the traffic, as the record has it."""
    record = draft.record
    if record is None:
        return
    for name, status in list(draft.revisions.items()):
        if name == record.revision:
            if status.phase is not RevisionPhase.ACTIVE:
                _got_traffic(draft, name, record)
        elif status.phase is RevisionPhase.ACTIVE:
            _lost_traffic(draft, name, record)


def _trusted_record(draft: Draft) -> RouteRecord | None:
    """The record, unless it names what can never have been routed to; then what statuses say."""
    record = draft.snapshot.route.record
    if record is not None and draft.verified(record.revision):
        return record
    active = [
        (status.active_since, name, status)
        for name, status in draft.revisions.items()
        if status.phase is RevisionPhase.ACTIVE and status.active_since
    ]
    if not active:
        return None
    since, name, status = max(active, key=lambda entry: (entry[0] or datetime.min, entry[1]))
    return RouteRecord(name, PROMOTED, status.message, since or draft.now)


def _got_traffic(draft: Draft, name: str, record: RouteRecord) -> None:
    draft.change(
        name,
        phase=RevisionPhase.ACTIVE,
        active_since=record.at,
        left_at=None,
        approved=False,
        message=_arrival(record),
    )
    if draft.status.revert and draft.status.revert.target == name:
        draft.change_release(revert=None)


def _arrival(record: RouteRecord) -> str:
    if record.reason == PROMOTED:
        return "serves"
    return f"serves again, after {record.previous or 'another revision'} was left"


def _lost_traffic(draft: Draft, name: str, record: RouteRecord) -> RevisionStatus:
    if record.reason == PROMOTED:
        return draft.change(
            name,
            phase=RevisionPhase.SUPERSEDED,
            left_at=record.at,
            message=f"superseded by {record.revision}",
        )
    failure = Failure(reason=record.reason, message=record.message, time=record.at)
    return draft.change(
        name,
        phase=RevisionPhase.FAILED,
        failure=failure,
        left_at=record.at,
        good_since=None,
        message=f"{_DEPARTURE.get(record.reason, 'left')}: {record.message}",
    )


_DEPARTURE = {REVERTED: "reverted", ROLLED_BACK: "rolled back", ABORTED: "aborted"}
