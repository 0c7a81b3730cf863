"""Who serves? The record on the release's Service is the truth; statuses follow it.

The record is written in the same write as the selector, so a crash between a move of traffic and
the statuses that tell of it loses nothing: the next decision reads the record and catches up.
"""

from dataclasses import replace
from datetime import UTC, datetime

from immutablerelease.api.revision import RevisionPhase, RevisionStatus

from ..draft import IN_FLIGHT, REFUSED, Draft
from ..plan import EventType
from ..shares import receivers, router, selection
from ..snapshot import RouteRecord

PROMOTED = "Promoted"
REVERTED = "Reverted"
ROLLED_BACK = "RolledBack"
ABORTED = "Aborted"
# What served was deleted by somebody; nothing is wrong with it.
REPLACED = "Replaced"

# A policy refuses by now what served.
REVOKED = "VerificationRefused"
# Reasons of a revert that its record names as they are.
NAMED = frozenset({REPLACED, REVOKED})
# The candidate got a larger or smaller share.
SHIFTED = "Shifted"
# A newer spec took the candidate's place.
WITHDRAWN = "Withdrawn"
# The candidate failed before all the traffic was its.
FAILED = "Failed"

# Reasons that say nothing against the revision that was left.
_BLAMELESS = frozenset({PROMOTED, REPLACED, SHIFTED, WITHDRAWN})


def adopt(draft: Draft) -> None:
    """Settle who serves, and bring statuses in line with it."""
    before = dict(draft.revisions)
    record = draft.snapshot.route.record
    draft.record = _trusted_record(draft)
    if record is not None and draft.record is None:
        draft.lost = record.revision
    settle(draft)
    draft.settled = draft.revisions == before


def restore(draft: Draft) -> None:
    """Undo what somebody did to the route or its record, where what should serve can serve."""
    record = draft.record
    if record is None or draft.moved or draft.route_taken:
        return
    strayed = _strayed(draft, record)
    if strayed is None or not draft.serving(record.revision):
        return
    if not all(draft.serving(name) for name in receivers(record)):
        # What cannot answer does not hold up what can.
        record = replace(record, weight=0, mirror=0, at=draft.now)
    if _untold(draft, record):
        # Whoever is given time to take it up is given it from now.
        record = replace(record, at=draft.now)
    draft.move(record)
    if strayed:
        draft.tell(EventType.WARNING, "RouteRestored", strayed, record.revision)


def _strayed(draft: Draft, record: RouteRecord) -> str | None:
    """How the route differs from its record, in words where somebody is to know of it."""
    release, route = draft.snapshot.release, draft.snapshot.route
    wanted = selection(release, record)
    if route.selected != wanted or route.record != record:
        was = route.selected or "nothing"
        return f"the Service pointed at {was}; it points at {wanted} again"
    if route.behind:
        # The operator ended between the two writes.
        return ""
    if _untold(draft, record):
        return ""
    asked, found = router(release), route.router
    if asked is None or not found.installed or found.held or found.record == record:
        return None
    return f"the {asked} had another record; it sends requests to {record.revision} again"


def _untold(draft: Draft, record: RouteRecord) -> bool:
    """Whether a router is to be told of the record only now: it is new, or could not be before."""
    found = draft.snapshot.route.router
    if router(draft.snapshot.release) is None or not found.installed or found.held:
        return False
    # Of what is unreadable somebody made something else.
    return found.record.at < record.at if found.record else found.faithful


def settle(draft: Draft) -> None:
    """Statuses of what got and what lost the traffic, as the record has it."""
    record = draft.record
    if record is None:
        return
    for name, status in list(draft.revisions.items()):
        if name == record.revision:
            if status.phase is not RevisionPhase.ACTIVE:
                _got_traffic(draft, name, record)
        elif status.phase is RevisionPhase.ACTIVE or _missed(name, status, record):
            _lost_traffic(draft, name, record)


def _trusted_record(draft: Draft) -> RouteRecord | None:
    """The record, unless statuses prove it forged or stale; then what they say.

    It is forged when it names what was never verified and tested, or was refused while another
    serves.
    It is stale when a revision got the traffic later than it says, since statuses are written
    after the record.
    """
    record = draft.snapshot.route.record
    newest = _newest_active(draft)
    if record is None or not _proven_once(draft, record.revision):
        return newest
    candidate = record.candidate
    if candidate is not None and not _proven_once(draft, candidate):
        record = replace(record, candidate=None, weight=0, mirror=0)
    if newest is None or newest.revision == record.revision:
        return record
    refused = draft.revisions[record.revision].phase in REFUSED
    return newest if refused or newest.at > record.at else record


def _proven_once(draft: Draft, name: str) -> bool:
    status = draft.revisions.get(name)
    tested = status is not None and (status.tested_at or status.active_since) is not None
    return tested and draft.verified(name)


def _newest_active(draft: Draft) -> RouteRecord | None:
    active = [
        (status.active_since or datetime.min.replace(tzinfo=UTC), name)
        for name, status in draft.revisions.items()
        if status.phase is RevisionPhase.ACTIVE and draft.verified(name)
    ]
    if not active:
        return None
    since, name = max(active)
    return RouteRecord(name, PROMOTED, "the record was lost; its status says so", since)


def _missed(name: str, status: RevisionStatus, record: RouteRecord) -> bool:
    """Whether the record knows of a failure that its status does not tell.

    It served and was left before its status told of either; or its status was lost, as by a restore
    from a backup. What was tried again since was tested since, or carries the mark of an action.
    """
    if record.previous != name or record.reason in _BLAMELESS or status.phase not in IN_FLIGHT:
        return False
    if status.tested_at is not None:
        return status.tested_at <= record.at
    return status.started_at is None and status.active_since is None and status.last_action is None


def _got_traffic(draft: Draft, name: str, record: RouteRecord) -> None:
    draft.change(
        name,
        phase=RevisionPhase.ACTIVE,
        failure=None,
        active_since=record.at,
        left_at=None,
        approved=False,
        step=0,
        step_at=None,
        approved_step=None,
        message=_arrival(record),
    )
    if draft.status.revert and draft.status.revert.target == name:
        draft.change_release(revert=None)


def _arrival(record: RouteRecord) -> str:
    if record.reason in (PROMOTED, SHIFTED):
        return "serves"
    return f"serves again, after {record.previous or 'another revision'} was left"


def _lost_traffic(draft: Draft, name: str, record: RouteRecord) -> RevisionStatus:
    if record.reason in _BLAMELESS:
        return draft.change(
            name,
            phase=RevisionPhase.SUPERSEDED,
            left_at=record.at,
            message=f"superseded by {record.revision}",
        )
    if record.reason == REVOKED:
        return draft.change(
            name, phase=RevisionPhase.REJECTED, left_at=record.at, message=record.message
        )
    return draft.change(
        name,
        phase=RevisionPhase.FAILED,
        failure=draft.failure(record.reason, record.message, record.at),
        left_at=record.at,
        good_since=None,
        message=f"{_DEPARTURE.get(record.reason, 'left')}: {record.message}",
    )


_DEPARTURE = {REVERTED: "reverted", ROLLED_BACK: "rolled back", ABORTED: "aborted"}
