"""How many Pods does each revision need? What any route names never needs less than the release.

Growing is decided here too: a candidate is tested small, then brought to full size before it may
serve.
"""

from immutablerelease.api.conditions import Status
from immutablerelease.api.release import BlueGreen, Promotion
from immutablerelease.api.revision import RevisionPhase

from ..draft import IN_FLIGHT, Draft
from . import target as targets

# A revision that lost the traffic keeps its Pods at least this long: connections and routing
# tables of nodes go on naming them for a moment.
DRAIN = 10.0

# Phases of a revision that can take the traffic back.
_RETURNABLE = IN_FLIGHT | {RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED}


def desired(draft: Draft, name: str) -> int:
    """Pods that a revision needs."""
    if name == draft.active:
        return draft.spec.replicas
    if _reverting_to(draft, name):
        return full_size(draft)
    testing = size(draft, name) if _testing(draft, name) else 0
    if _warm(draft, name):
        return max(testing, draft.spec.replicas)
    deployment = draft.deployment(name)
    if deployment is not None and _routed(draft, name):
        # Not shrunk, but not grown either: it may be somebody's forgery that names it.
        return max(testing, min(draft.spec.replicas, deployment.replicas))
    return testing


def full_size(draft: Draft) -> int:
    """Pods that a revision needs before it may serve; one at least, or nothing could be proven."""
    return max(1, draft.spec.replicas)


def size(draft: Draft, name: str) -> int:
    """Pods that the candidate needs where it is now."""
    preview = _blue_green(draft).preview_replicas
    growing = draft.revisions[name].tested_at is not None and may_promote(draft, name)
    if preview is None or growing:
        return full_size(draft)
    return min(preview, full_size(draft))


def may_promote(draft: Draft, name: str) -> bool:
    """Whether nobody's word is missing."""
    automatic = _blue_green(draft).promotion is Promotion.AUTOMATIC
    return automatic or draft.revisions[name].approved


def awaiting_promotion(draft: Draft, name: str) -> bool:
    """Whether all that is missing is somebody's word."""
    return draft.revisions[name].tested_at is not None and not may_promote(draft, name)


def drains(draft: Draft, name: str) -> bool:
    """Whether it lost the traffic a moment ago."""
    left = draft.revisions[name].left_at
    return left is not None and not draft.elapsed(left, DRAIN)


def _blue_green(draft: Draft) -> BlueGreen:
    return draft.spec.strategy.blue_green or BlueGreen()


def _testing(draft: Draft, name: str) -> bool:
    """Whether it is in flight and was started, which only what is verified is."""
    phase = draft.revisions[name].phase
    return phase in IN_FLIGHT and phase is not RevisionPhase.PENDING


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
    if drains(draft, name):
        return True
    if status.left_at is None or status.active_since is None or status.phase not in _RETURNABLE:
        return False
    return not draft.elapsed(status.left_at, draft.spec.keep_warm) or _needed_for_revert(
        draft, name
    )


def _needed_for_revert(draft: Draft, name: str) -> bool:
    """While what serves is not known to be good, the place to go back to stays warm."""
    active = draft.active
    if active is None:
        return False
    unhealthy = draft.condition_since(active, "Healthy", Status.FALSE) is not None
    if draft.revisions[active].good_since is not None and not unhealthy:
        return False
    deployment = draft.deployment(name)
    return (
        targets.known_good(draft, active) == name
        and deployment is not None
        and deployment.replicas > 0
    )
