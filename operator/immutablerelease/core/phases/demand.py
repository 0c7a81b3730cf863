"""How many Pods does each revision need? What any route names never needs less than the release.

Growing is decided here too: a candidate is tested small, then brought to full size before it may
serve.
"""

import math

from immutablerelease.api.conditions import Status
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.api.strategy import BlueGreen, CanaryStep, Promotion

from ..draft import IN_FLIGHT, Draft
from ..shares import by_weight
from ..signals import Verdict
from . import target as targets
from .sharing import SETTLE, in_effect

# A revision that lost the traffic keeps its Pods at least this long: connections and routing
# tables of nodes go on naming them for a moment.
DRAIN = 10.0

# Phases of a revision that can take the traffic back.
_RETURNABLE = IN_FLIGHT | {RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED}


def desired(draft: Draft, name: str) -> int:
    """Pods that a revision needs."""
    if name == draft.active:
        return draft.replicas(name)
    if _reverting_to(draft, name):
        return full_size(draft, name)
    testing = size(draft, name) if _testing(draft, name) else 0
    if draft.record is not None and name == draft.record.candidate:
        if testing:
            return max(testing, _carrying(draft, name, draft.record.weight))
        if draft.record.weight > 0:
            # Its share cannot be taken back as long as nothing else answers.
            return _left(draft, name)
    warm = _warm(draft, name) and not sole(draft)
    if drains(draft, name) and not warm:
        return max(testing, _draining(draft, name))
    if warm:
        return max(testing, draft.replicas(name))
    deployment = draft.deployment(name)
    if deployment is not None and _routed(draft, name):
        # Not shrunk, but not grown either: it may be somebody's forgery that names it.
        return max(testing, min(draft.replicas(name), deployment.replicas))
    return testing


def full_size(draft: Draft, name: str) -> int:
    """Pods that a revision needs before it may serve; one at least, or nothing could be proven."""
    return max(1, draft.replicas(name))


def size(draft: Draft, name: str) -> int:
    """Pods that the candidate needs where it is now."""
    if draft.spec.strategy.canary is not None:
        step = next_step(draft, name)
        return full_size(draft, name) if step is None else _step_size(draft, name, step)
    preview = _blue_green(draft).preview_replicas
    growing = draft.revisions[name].tested_at is not None and may_promote(draft, name)
    if preview is None or growing:
        return full_size(draft, name)
    return min(preview, full_size(draft, name))


def may_promote(draft: Draft, name: str) -> bool:
    """Whether nobody's word is missing."""
    automatic = _blue_green(draft).promotion is Promotion.AUTOMATIC
    return automatic or draft.revisions[name].approved


def steps(draft: Draft) -> tuple[CanaryStep, ...]:
    """Steps of the canary; a blue-green release has none."""
    canary = draft.spec.strategy.canary
    return canary.steps if canary is not None else ()


def next_step(draft: Draft, name: str) -> CanaryStep | None:
    """The step that a candidate is at or gets ready for; None when all the traffic is next.

    While nothing serves, or what serves has no Pod that answers, there is nothing to share.
    """
    status = draft.revisions[name]
    if draft.active is None or status.approved or status.step >= len(steps(draft)):
        return None
    return None if _nobody_answers(draft, draft.active) else steps(draft)[status.step]


def _nobody_answers(draft: Draft, active: str) -> bool:
    if draft.serving(active):
        return False
    failing = draft.health is not None and draft.health.verdict is Verdict.FAILING
    return failing or draft.replicas(active) == 0


def overtaken(draft: Draft, name: str) -> bool:
    """Whether there are fewer steps than a candidate is at, and they are not those that it took."""
    status, record = draft.revisions[name], draft.record
    if not steps(draft) or status.step < len(steps(draft)) or status.approved:
        return False
    weight = record.weight if record is not None and record.candidate == name else 0
    return status.step_at is not None or weight not in (0, steps(draft)[-1].weight)


def held(draft: Draft, name: str) -> bool:
    """Whether the step that a candidate is at goes on, nobody having asked to end it."""
    step, since = next_step(draft, name), draft.revisions[name].step_at
    if step is None or since is None or draft.revisions[name].approved_step is not None:
        return False
    return not draft.elapsed(since, step.hold) or step.pause


def paused(draft: Draft, name: str) -> bool:
    """Whether all that a step waits for is somebody's word."""
    step, since = next_step(draft, name), draft.revisions[name].step_at
    if step is None or since is None or not step.pause or not held(draft, name):
        return False
    return draft.elapsed(since, step.hold)


def sole(draft: Draft) -> bool:
    """Whether no Pods but those of what serves and of the candidate may run.

    A Service shares by its selector, which then picks every Pod of the release.
    """
    record, name = draft.record, draft.candidate
    if by_weight(draft.snapshot.release):
        return False
    if record is not None and record.candidate is not None and record.weight > 0:
        return True
    if name is None or draft.revisions[name].tested_at is None or draft.spec.paused:
        return False
    step = next_step(draft, name)
    return step is not None and step.weight > 0


def awaiting_promotion(draft: Draft, name: str) -> bool:
    """Whether all that is missing is somebody's word."""
    if draft.spec.strategy.canary is not None:
        return paused(draft, name)
    return draft.revisions[name].tested_at is not None and not may_promote(draft, name)


def drains(draft: Draft, name: str) -> bool:
    """Whether it lost the traffic a moment ago, or some may still come."""
    status, record = draft.revisions[name], draft.record or draft.snapshot.route.record
    drain = _drain(draft, name)
    if status.left_at is not None and not draft.elapsed(status.left_at, drain):
        return True
    # Its status may not tell of it: the operator ended before, or somebody deleted it meanwhile.
    left = record is not None and record.previous == name
    if left and record is not None and not draft.elapsed(record.at, drain):
        return True
    # A revert may go to what was not tested, and what is tried again was not tested since.
    sent = left or (status.tested_at or status.active_since or status.left_at) is not None
    return sent and _lags(draft)


def _drain(draft: Draft, name: str) -> float:
    """What a mesh was told of may get requests for as long as its proxies take to be told else.

    Also when the mesh is not asked for any more: nobody can say that they know of it.
    """
    return max(DRAIN, SETTLE) if name in draft.snapshot.route.meshed else DRAIN


def _lags(draft: Draft) -> bool:
    """Whether a router takes its time: it may send requests anywhere that they went before.

    One that is not asked for any more can prove nothing, as long as its object is there.
    """
    late = by_weight(draft.snapshot.release) and not in_effect(draft)
    return late or draft.snapshot.route.leftover


def _step_size(draft: Draft, name: str, step: CanaryStep) -> int:
    """Pods for a share: as many as it is worth, one at least and never more than the release.

    On a Service the share is that of the Pods, and what serves keeps all of its own.
    """
    full = full_size(draft, name)
    part, whole = step.weight, 100 if by_weight(draft.snapshot.release) else 100 - step.weight
    if part >= whole:
        return full
    return min(full, max(1, math.ceil(full * part / whole)))


def _carrying(draft: Draft, name: str, weight: int) -> int:
    """Pods that a share by weight needs, whatever the strategy asks for by now.

    While a router is late it may go by a larger one.
    """
    if not by_weight(draft.snapshot.release):
        return 0
    if not in_effect(draft):
        return _left(draft, name)
    return min(_left(draft, name), math.ceil(full_size(draft, name) * weight / 100))


def _draining(draft: Draft, name: str) -> int:
    """What never served alone keeps the Pods that it has; the rest is kept at full size."""
    status = draft.revisions[name]
    left_at, drain = status.left_at, _drain(draft, name)
    if status.active_since and left_at and not draft.elapsed(left_at, drain):
        return draft.replicas(name)
    return _left(draft, name)


def _left(draft: Draft, name: str) -> int:
    """Pods that it has, as far as the release asks for as many."""
    deployment = draft.deployment(name)
    return min(draft.replicas(name), deployment.replicas) if deployment is not None else 0


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
    if status.left_at is None or status.active_since is None or status.phase not in _RETURNABLE:
        return False
    if _gave_way(draft, name):
        return False
    return not draft.elapsed(status.left_at, draft.spec.keep_warm) or _needed_for_revert(
        draft, name
    )


def _gave_way(draft: Draft, name: str) -> bool:
    """Whether it was made cold for the sake of a share; it is not warmed up again for nothing."""
    deployment = draft.deployment(name)
    by_pods = bool(steps(draft)) and not by_weight(draft.snapshot.release)
    return by_pods and deployment is not None and deployment.replicas == 0


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
