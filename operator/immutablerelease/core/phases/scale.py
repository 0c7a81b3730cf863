"""Which Deployments are to be made, grown or shrunk? What any route names is never shrunk."""

from datetime import timedelta

from immutablerelease.api.revision import RevisionPhase

from ..draft import Draft
from ..plan import EnsureService, Scale, StartRevision
from ..shares import by_weight, selection
from ..snapshot import RouteRecord
from .demand import DRAIN, desired, drains
from .sharing import in_effect


def scale(draft: Draft) -> None:
    """Plan the size of every Deployment: growing first, shrinking once statuses tell why."""
    for name, deployment in draft.snapshot.deployments.items():
        if name not in draft.revisions:
            continue
        wanted = desired(draft, name)
        if wanted and deployment.nodes is not None:
            # Of a DaemonSet there is nothing between all of its Pods and none.
            continue
        if wanted > deployment.replicas:
            draft.do(Scale(name, wanted))
        elif wanted < deployment.replicas:
            # What is known to be routed has been reckoned with.
            shared = draft.record.candidate if draft.record else None
            known = name in (draft.active, shared, draft.snapshot.route.selected)
            draft.do_later(Scale(name, wanted, unless_routed=not known))
    _make_missing(draft)
    _retire(draft)
    _ensure_service(draft)


def _ensure_service(draft: Draft) -> None:
    """Only where it points to the right place already: anywhere else it takes a look and a move."""
    record, route = draft.record, draft.snapshot.route
    if record is None:
        return
    wanted = selection(draft.snapshot.release, record)
    settled = route.record == record and route.selected == wanted
    if not settled or draft.moved:
        return
    # A port that somebody added leads to the same Pods; it is not ours to remove.
    missing = set(draft.ports(record.revision)) - set(route.ports)
    drained = _drained(draft, record)
    if route.leftover:
        _see_off(draft, record)
    if missing or not route.untouched or drained or _stale(draft, record):
        draft.do_later(EnsureService(drained))


def _stale(draft: Draft, record: RouteRecord) -> bool:
    """Whether what the router goes by is to be written again, or is not asked for any more."""
    route, router = draft.snapshot.route, draft.snapshot.route.router
    asked = by_weight(draft.snapshot.release)
    stale = asked and router.record == record and not router.faithful and not router.held
    return route.leftover or stale


def _see_off(draft: Draft, record: RouteRecord) -> None:
    """What a router may send requests to until it knows that its object is gone drains."""
    for name in list(draft.revisions):
        deployment = draft.deployment(name)
        runs = deployment is not None and deployment.replicas > 0
        if runs and drains(draft, name) and name not in (record.revision, record.candidate):
            draft.change(name, left_at=draft.now)


def _drained(draft: Draft, record: RouteRecord) -> bool:
    """Whether what had the traffic before has answered all that it was asked."""
    router = draft.snapshot.route.router
    asked = by_weight(draft.snapshot.release)
    if not asked or router.record != record or router.leaving is None:
        return False
    if not draft.elapsed(record.at, DRAIN):
        draft.wake(record.at + timedelta(seconds=DRAIN))
        return False
    return in_effect(draft)


def _make_missing(draft: Draft) -> None:
    """What shall run lacks its Deployment or Service, or its ports are others by now."""
    for name in draft.revisions:
        there = draft.snapshot.services - draft.snapshot.outdated
        complete = name in draft.snapshot.deployments and name in there
        if not complete and draft.verified(name) and desired(draft, name) > 0:
            draft.do_later(StartRevision(name, desired(draft, name)))


def _retire(draft: Draft) -> None:
    for name, status in list(draft.revisions.items()):
        if status.phase is not RevisionPhase.SUPERSEDED or desired(draft, name) > 0:
            continue
        deployment = draft.deployment(name)
        if deployment is None or deployment.replicas == 0:
            draft.change(name, phase=RevisionPhase.RETIRED)
