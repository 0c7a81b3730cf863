"""Is what serves healthy, and if not, where does the traffic go?

A revert is decided from the state of its target only; nothing about what is left can hold it up.
Until a revision counts as good any failing Pod condemns it, since the version is the newest thing
in the picture; afterwards half of its Pods must fail, since one Pod fails for reasons of its own.
"""

from collections.abc import Sequence

from immutablerelease.api.conditions import Status, find_condition
from immutablerelease.api.release import OnFailure, Revert

from .. import signals
from ..draft import Draft
from ..plan import EventType
from ..signals import Health, Verdict
from ..snapshot import PodView, RouteRecord
from . import target as targets
from .route import REVERTED, settle
from .target import Fitness

# Pods may be away for a moment without having crashed, as when a node is drained.
UNREADY_GRACE = 3.0


def guard(draft: Draft) -> None:
    """Judge what serves, and revert where that helps."""
    active = draft.active
    if active is None:
        return
    health = judge(draft, active)
    _mark(draft, active, health)
    if health.verdict is not Verdict.FAILING:
        _drop_automatic_revert(draft, health)
        return
    if draft.spec.guard.on_failure is OnFailure.REVERT and not draft.snapshot.conflicts:
        _revert(draft, active, health)


def judge(draft: Draft, name: str) -> Health:
    """Health of a revision that serves."""
    pods = draft.pods(name)
    serving = draft.serving(name)
    desired = draft.spec.replicas
    if desired == 0:
        return Health(Verdict.UNKNOWN, "ScaledToZero", "scaled to zero: nothing to judge")
    deployment = draft.deployment(name)
    if deployment is not None and not deployment.intact:
        return Health(
            Verdict.FAILING, "TemplateChanged", f"its Deployment was changed: {deployment.message}"
        )
    if not serving:
        return _nothing_ready(draft, name, pods)
    return _pods_health(draft, name, pods, serving)


def _nothing_ready(draft: Draft, name: str, pods: Sequence[PodView]) -> Health:
    message = f"no Pod of {name} is ready{signals.waiting_for(pods)}"
    if any(signals.died(pod) for pod in pods):
        return Health(Verdict.FAILING, "NoReadyPods", message)
    since = draft.condition_since(name, "Healthy", Status.FALSE)
    if since is not None and draft.elapsed(since, UNREADY_GRACE):
        return Health(Verdict.FAILING, "NoReadyPods", message)
    if since is None:
        draft.elapsed(draft.now, UNREADY_GRACE)
    return Health(Verdict.UNKNOWN, "NoReadyPods", message)


def _pods_health(
    draft: Draft, name: str, pods: Sequence[PodView], serving: Sequence[PodView]
) -> Health:
    probes = draft.spec.health.probes
    states = draft.snapshot.probes.get(name, {})
    failing = signals.probe_failures(serving, states)
    crashes = {pod.uid: text for pod in pods if (text := signals.crashing(pod))}
    condemned = {**failing, **crashes}
    if condemned:
        reason = "CrashLoop" if crashes and not failing else "ProbeFailed"
        text = f"{len(condemned)} of {len(pods)} Pods fail; {next(iter(condemned.values()))}"
        enough = 1 if draft.revisions[name].good_since is None else max(1, (len(pods) + 1) // 2)
        verdict = Verdict.FAILING if len(condemned) >= enough else Verdict.UNKNOWN
        return Health(verdict, reason, text)
    if len(serving) < draft.spec.replicas:
        text = f"{len(serving)} of {draft.spec.replicas} Pods ready{signals.waiting_for(pods)}"
        return Health(Verdict.UNKNOWN, "PodsNotReady", text)
    waiting = signals.pending_probes(serving, probes, states)
    if waiting:
        return Health(Verdict.UNKNOWN, "ProbesPending", f"waiting for probe {', '.join(waiting)}")
    return Health(Verdict.HEALTHY, "Healthy", f"{len(serving)} Pods ready, all probes pass")


def _mark(draft: Draft, name: str, health: Health) -> None:
    previous = draft.condition_since(name, "Healthy", Status.FALSE)
    if health.reason == "ProbesPending" and not previous:
        # A restarted operator asks its probes anew; that is no news about the revision.
        if draft.condition_since(name, "Healthy", Status.TRUE) is not None:
            return
        draft.mark(name, "Healthy", Status.UNKNOWN, health.reason, health.message)
        return
    status = {
        Verdict.HEALTHY: Status.TRUE,
        Verdict.FAILING: Status.FALSE,
        Verdict.UNKNOWN: Status.UNKNOWN if health.reason == "ScaledToZero" else Status.FALSE,
    }[health.verdict]
    draft.mark(name, "Healthy", status, health.reason, health.message)


def _drop_automatic_revert(draft: Draft, health: Health) -> None:
    revert = draft.status.revert
    if revert and revert.action is None and health.verdict is Verdict.HEALTHY:
        draft.change_release(revert=None)
        draft.tell(
            EventType.NORMAL,
            "RevertCancelled",
            f"{revert.source} is healthy again before {revert.target} was started",
            revert.source,
        )


def _revert(draft: Draft, active: str, health: Health) -> None:
    name = targets.known_good(draft, active)
    if name is None:
        _hold(draft, active, "NothingToRevertTo", "no other revision has served")
        return
    target = targets.examine(draft, name)
    nothing_serves = not draft.serving(active)
    if target.fitness is Fitness.READY or (
        nothing_serves and target.fitness in (Fitness.FAILING, Fitness.UNPROVEN)
    ):
        move_back(draft, name, REVERTED, health)
    elif target.fitness is Fitness.COLD:
        _start_target(draft, active, name, health)
    elif target.fitness is Fitness.FAILING:
        _hold(draft, active, "TargetFailsToo", target.message)


def move_back(draft: Draft, name: str, reason: str, health: Health) -> None:
    """Traffic to a warm target in one write."""
    previous = draft.active
    draft.move(
        RouteRecord(
            name, reason, f"{health.reason}: {health.message}", draft.now, previous=previous
        )
    )
    settle(draft)
    draft.tell(
        EventType.WARNING,
        "Reverted",
        f"traffic went from {previous} back to {name}: {health.message}",
        previous,
    )


def _start_target(draft: Draft, active: str, name: str, health: Health) -> None:
    revert = draft.status.revert
    if revert is None or revert.target != name or revert.source != active:
        draft.change_release(
            revert=Revert(target=name, source=active, reason=health.reason, message=health.message)
        )
        draft.tell(
            EventType.WARNING,
            "RevertStarting",
            f"{active} fails ({health.message}); {name} is being started to take the traffic",
            active,
        )


def _hold(draft: Draft, active: str, reason: str, message: str) -> None:
    health = find_condition(draft.revisions[active].conditions, "Healthy")
    found = health.message if health else ""
    draft.mark(active, "Healthy", Status.FALSE, reason, f"{found}; not reverted: {message}")
    before = find_condition(draft.revision(active).status.conditions, "Healthy")
    if before is None or before.reason != reason:
        draft.tell(EventType.WARNING, reason, f"{active} fails and stays: {message}", active)
