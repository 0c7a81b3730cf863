"""Which Deployments are to be made, grown or shrunk? What any route names is never shrunk."""

from immutablerelease.api.revision import RevisionPhase

from ..draft import Draft
from ..plan import EnsureService, Scale, StartRevision
from ..shares import selection
from .demand import desired


def scale(draft: Draft) -> None:
    """Plan the size of every Deployment: growing first, shrinking once statuses tell why."""
    for name, deployment in draft.snapshot.deployments.items():
        if name not in draft.revisions:
            continue
        wanted = desired(draft, name)
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
    if missing or not route.untouched:
        draft.do_later(EnsureService())


def _make_missing(draft: Draft) -> None:
    """What shall run and lacks its Deployment or Service, new or deleted by somebody, gets them."""
    for name in draft.revisions:
        complete = name in draft.snapshot.deployments and name in draft.snapshot.services
        if not complete and draft.verified(name) and desired(draft, name) > 0:
            draft.do_later(StartRevision(name, desired(draft, name)))


def _retire(draft: Draft) -> None:
    for name, status in list(draft.revisions.items()):
        if status.phase is not RevisionPhase.SUPERSEDED or desired(draft, name) > 0:
            continue
        deployment = draft.deployment(name)
        if deployment is None or deployment.replicas == 0:
            draft.change(name, phase=RevisionPhase.RETIRED)
