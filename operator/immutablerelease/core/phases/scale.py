"""How many Pods does each revision need now? What any route names is never scaled below that."""

from immutablerelease.api.revision import RevisionPhase

from ..draft import IN_FLIGHT, Draft
from ..plan import EnsureService, Scale, StartRevision
from . import target as targets
from .candidate import full_size, size

# A revision that lost the traffic keeps its Pods at least this long: connections and routing
# tables of nodes go on naming them for a moment.
DRAIN = 10.0


def scale(draft: Draft) -> None:
    """Plan the size of every Deployment, growing before shrinking."""
    changes = []
    for name, deployment in draft.snapshot.deployments.items():
        if name not in draft.revisions:
            continue
        wanted = desired(draft, name)
        if wanted != deployment.replicas:
            changes.append((wanted < deployment.replicas, Scale(name, wanted)))
        elif wanted == 0 and draft.revisions[name].phase is RevisionPhase.SUPERSEDED:
            draft.change(name, phase=RevisionPhase.RETIRED)
    draft.do(*(intent for _, intent in sorted(changes, key=lambda change: change[0])))
    _restart_missing(draft)
    _retire_unstarted(draft)
    if draft.record is not None and not draft.snapshot.route.current:
        draft.do(EnsureService())


def desired(draft: Draft, name: str) -> int:
    """Pods that a revision needs."""
    if name == draft.active:
        return draft.spec.replicas
    if _routed(draft, name) or _reverting_to(draft, name) or _warm(draft, name):
        return full_size(draft) if draft.spec.replicas or _reverting_to(draft, name) else 0
    if draft.revisions[name].phase in IN_FLIGHT:
        return size(draft, name)
    return 0


def _routed(draft: Draft, name: str) -> bool:
    """Whether nodes may still send traffic there, whatever was decided."""
    route = draft.snapshot.route
    if name == route.selected:
        return True
    return any(pod.name in route.endpoints for pod in draft.snapshot.pods.get(name, ()))


def _reverting_to(draft: Draft, name: str) -> bool:
    return bool(draft.status.revert and draft.status.revert.target == name)


def _warm(draft: Draft, name: str) -> bool:
    status = draft.revisions[name]
    if status.left_at is None or status.active_since is None:
        return False
    if status.phase is RevisionPhase.FAILED:
        return not draft.elapsed(status.left_at, DRAIN)
    if status.phase not in (RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED):
        return False
    if not draft.elapsed(status.left_at, max(draft.spec.keep_warm, DRAIN)):
        return True
    return _needed_for_revert(draft, name)


def _needed_for_revert(draft: Draft, name: str) -> bool:
    """While what serves is not known to be good, the place to go back to stays warm."""
    active = draft.active
    if active is None or draft.revisions[active].good_since is not None:
        return False
    deployment = draft.deployment(name)
    return (
        targets.known_good(draft, active) == name
        and deployment is not None
        and deployment.replicas > 0
    )


def _restart_missing(draft: Draft) -> None:
    """What must run and has no Deployment, because somebody deleted it, gets it again."""
    for name in {draft.active, draft.status.revert and draft.status.revert.target}:
        if name in draft.revisions and name not in draft.snapshot.deployments:
            draft.do(StartRevision(name, desired(draft, name)))


def _retire_unstarted(draft: Draft) -> None:
    for name, status in list(draft.revisions.items()):
        if status.phase is RevisionPhase.SUPERSEDED and name not in draft.snapshot.deployments:
            draft.change(name, phase=RevisionPhase.RETIRED)
