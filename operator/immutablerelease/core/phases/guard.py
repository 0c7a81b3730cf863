"""Is what serves healthy, and if not, where does the traffic go?

A revert is decided from the state of its target only; nothing about what is left can hold it up.
Until a revision counts as good any failing Pod condemns it, since the version is the newest thing
in the picture; afterwards half of its Pods must fail, since one Pod fails for reasons of its own.
"""

from collections.abc import Sequence
from datetime import timedelta

from immutablerelease.api.conditions import Status, find_condition
from immutablerelease.api.release import OnFailure, Revert

from .. import signals
from ..draft import Draft, clip
from ..plan import EventType
from ..probing import WHOLE
from ..signals import Failing, Health, Verdict
from ..snapshot import PodView, RouteRecord
from . import target as targets
from .probed import failures
from .reverified import replacement, revoked, undecided
from .route import ABORTED, NAMED, REPLACED, REVERTED, REVOKED, ROLLED_BACK, WITHDRAWN, settle
from .sharing import crowded, refuge, take_back
from .target import Fitness

# Pods that were ready may be unready for a moment. Pods made anew, because somebody scaled up from
# zero, deleted them or drained a node, say nothing against the version: they get the time that a
# candidate gets.
UNREADY_GRACE = 3.0

# Creation times are written in whole seconds.
SECOND = timedelta(seconds=1)

# Why a revision took the traffic that had it before.
_RETURNS = frozenset({REVERTED, ROLLED_BACK, ABORTED, *NAMED})
_INHERITED = (
    "it took the traffic back and has not passed since: the trouble may not be the version's, and "
    "no other one is tried"
)

# What is not healthy, and not unhealthy either.
_UNDECIDED = frozenset({"ScaledToZero", "PodsNotReady", "ProbesPending", "NoEvidence"})


def guard(draft: Draft) -> None:
    """Judge what serves, and revert where that helps."""
    if draft.active is None:
        _replace_lost(draft)
        return
    active = draft.active
    health = judge(draft, active)
    draft.health = health
    _mark(draft, active, health)
    # Who releases may turn the guard off, but not what a policy wants.
    alert_only = draft.spec.guard.on_failure is OnFailure.ALERT and not revoked(draft, active)
    if health.verdict is not Verdict.FAILING or alert_only:
        _drop_automatic_revert(draft, health, alert_only)
    if health.verdict is not Verdict.FAILING:
        return
    if alert_only:
        _hold(draft, active, "AlertOnly", "guard.onFailure is Alert")
    elif not draft.route_taken:
        _revert(draft, active, health)


def take_charge(draft: Draft, name: str) -> None:
    """Say how healthy a revision is that gets the traffic with this plan, not with the next one."""
    draft.health = judge(draft, name)
    _mark(draft, name, draft.health)


def judge(draft: Draft, name: str) -> Health:
    """Health of a revision that serves; one that a policy wants left is as good as failing."""
    health = _judge(draft, name)
    refusal = draft.revisions[name].refusal
    if health.verdict is Verdict.FAILING or refusal is None or not refusal.revert:
        return health
    return Health(Verdict.FAILING, REVOKED, f"{refusal.reason}: {refusal.message}")


def _judge(draft: Draft, name: str) -> Health:
    pods = draft.pods(name)
    serving = draft.serving(name)
    if draft.idle(name):
        return Health(Verdict.UNKNOWN, "ScaledToZero", "no Pod is wanted: nothing to judge")
    deployment = draft.deployment(name)
    if deployment is not None and not deployment.intact:
        return Health(
            Verdict.FAILING,
            "TemplateChanged",
            f"its {draft.spec.workload} was changed: {deployment.message}",
        )
    if not serving:
        return _nothing_ready(draft, name, pods)
    return _pods_health(draft, name, pods, serving)


def _nothing_ready(draft: Draft, name: str, pods: Sequence[PodView]) -> Health:
    waits = signals.waiting_for(pods, draft.deployment(name))
    message = f"no Pod of {name} is ready{waits}"
    if any(signals.died(pod) for pod in pods):
        return Health(Verdict.FAILING, "NoReadyPods", message)
    since = draft.condition_since(name, "Healthy", Status.FALSE) or draft.now
    started_anew = all(pod.created and pod.created >= since - SECOND for pod in pods)
    grace = draft.spec.health.progress_deadline if started_anew else UNREADY_GRACE
    if draft.elapsed(since, grace):
        return Health(Verdict.FAILING, "NoReadyPods", message)
    return Health(Verdict.UNKNOWN, "NoReadyPods", message)


def _pods_health(
    draft: Draft, name: str, pods: Sequence[PodView], serving: Sequence[PodView]
) -> Health:
    probes, states = draft.probes(name), draft.snapshot.probes.get(name, {})
    failing = failures(draft, name, serving)
    whole = failing.pop(WHOLE, "")
    if whole and not _inherited(draft, name):
        return Health(Verdict.FAILING, "ProbeFailed", whole)
    crashes = {pod.uid: text for pod in pods if (text := signals.crashing(pod))}
    condemned = {**failing, **crashes}
    if condemned:
        reason = "CrashLoop" if crashes and not failing else "ProbeFailed"
        text = f"{len(condemned)} of {len(pods)} Pods fail; {next(iter(condemned.values()))}"
        enough = 1 if draft.revisions[name].good_since is None else max(1, (len(pods) + 1) // 2)
        verdict = Verdict.FAILING if len(condemned) >= enough else Verdict.UNKNOWN
        return Health(verdict, reason, text)
    if whole:
        return Health(Verdict.UNKNOWN, "FailsSinceRevert", f"{whole}; {_INHERITED}")
    if len(serving) < draft.replicas(name):
        waits = signals.waiting_for(pods, draft.deployment(name))
        text = f"{len(serving)} of {draft.replicas(name)} Pods ready{waits}"
        return Health(Verdict.UNKNOWN, "PodsNotReady", text)
    if blind := signals.blind(probes, states):
        return Health(Verdict.UNKNOWN, "NoEvidence", "; ".join(blind))
    waiting = signals.pending_probes(serving, probes, states)
    if waiting:
        return Health(Verdict.UNKNOWN, "ProbesPending", f"waiting for probe {', '.join(waiting)}")
    return Health(Verdict.HEALTHY, "Healthy", f"{len(serving)} Pods ready, all probes pass")


def _inherited(draft: Draft, name: str) -> bool:
    """Whether it took the traffic back and failed as a whole ever since.

    Nothing could be measured of it before. What failed on both need not be either one's fault, and
    the next one would be left for it as well.
    """
    states = draft.snapshot.probes.get(name, {})
    returned = draft.record is not None and draft.record.reason in _RETURNS
    return returned and signals.failed_from_the_start(draft.probes(name), states)


def _mark(draft: Draft, name: str, health: Health) -> None:
    known = find_condition(draft.revisions[name].conditions, "Healthy")
    if health.reason == "ProbesPending" and known is not None:
        # A restarted operator asks its probes anew; that is no news about the revision.
        return
    status = {
        Verdict.HEALTHY: Status.TRUE,
        Verdict.FAILING: Status.FALSE,
        Verdict.UNKNOWN: Status.UNKNOWN if health.reason in _UNDECIDED else Status.FALSE,
    }[health.verdict]
    draft.mark(name, "Healthy", status, health.reason, health.message)


def _drop_automatic_revert(draft: Draft, health: Health, alert_only: bool) -> None:
    revert = draft.status.revert
    if revert is None or revert.action is not None:
        return
    if health.verdict is Verdict.HEALTHY or alert_only:
        why = "is healthy again" if health.verdict is Verdict.HEALTHY else "is only to be watched"
        draft.change_release(revert=None)
        draft.tell(
            EventType.NORMAL,
            "RevertCancelled",
            f"{revert.source} {why}; {revert.target} had not taken the traffic yet",
            revert.source,
        )


def _revert(draft: Draft, active: str, health: Health) -> None:
    if (candidate := refuge(draft)) is not None:
        move_back(draft, candidate, health)
        return
    if health.reason == REVOKED and undecided(draft, active):
        return
    name, missing = targets.known_good(draft, active), "no other revision has served"
    if health.reason == REVOKED:
        name = replacement(draft, active)
        missing = "no other revision that served is verified by the present policies"
    if name is None:
        _hold(draft, active, "NothingToRevertTo", missing)
        return
    target = targets.examine(draft, name, _failing(draft, active))
    nothing_serves = not draft.serving(active)
    if target.fitness is Fitness.READY or (
        nothing_serves and target.fitness not in (Fitness.COLD, Fitness.READY)
    ):
        move_back(draft, name, health)
    elif target.fitness is Fitness.COLD and crowded(draft) and not nothing_serves:
        # Its Pods would get traffic while they start.
        shared = draft.record.candidate if draft.record else None
        take_back(draft, shared or "", WITHDRAWN, f"{name} is to be started")
    elif target.fitness is Fitness.COLD:
        _start_target(draft, active, name, health)
    elif target.fitness is Fitness.FAILING:
        _hold(draft, active, "TargetFailsToo", target.message)
    targets.look_again(draft, name)


def _failing(draft: Draft, name: str) -> Failing | None:
    states = draft.snapshot.probes.get(name, {})
    return signals.failing(draft.serving(name), draft.probes(name), states, draft.now)


def _replace_lost(draft: Draft) -> None:
    """Nothing is known of what serves, since somebody deleted it: go back to what is known."""
    lost = draft.lost
    name = targets.known_good(draft, lost)
    if lost is None or name is None or draft.route_taken:
        return
    health = Health(Verdict.FAILING, REPLACED, f"the ReleaseRevision {lost} was deleted")
    if draft.serving(name):
        move_back(draft, name, health)
    else:
        _start_target(draft, lost, name, health)


def move_back(draft: Draft, name: str, health: Health) -> None:
    """Traffic to a warm target in one write; what somebody asked for is thereby done too."""
    previous = draft.leaving
    revert = draft.status.revert
    draft.move(
        RouteRecord(
            name,
            health.reason if health.reason in NAMED else REVERTED,
            f"{health.reason}: {health.message}",
            draft.now,
            previous=previous,
            action=revert.action if revert and revert.target == name else None,
        )
    )
    settle(draft)
    draft.tell(
        EventType.WARNING,
        "Reverted",
        f"traffic went from {previous} back to {name}: {health.message}",
        previous,
    )


def _start_target(draft: Draft, leaving: str, name: str, health: Health) -> None:
    """Record the revert; one that somebody asked for stands, whatever its target."""
    revert = draft.status.revert
    if revert and revert.source == leaving and (revert.action or revert.target == name):
        return
    draft.change_release(
        revert=Revert(
            target=name, source=leaving, reason=health.reason, message=clip(health.message)
        )
    )
    draft.change(name, started_at=draft.now)
    draft.tell(
        EventType.WARNING,
        "RevertStarting",
        f"{leaving} fails ({health.message}); {name} is being started to take the traffic",
        leaving,
    )


def _hold(draft: Draft, active: str, reason: str, message: str) -> None:
    health = find_condition(draft.revisions[active].conditions, "Healthy")
    found = health.message if health else ""
    draft.mark(active, "Healthy", Status.FALSE, reason, f"{found}; not reverted: {message}")
    before = find_condition(draft.revision(active).status.conditions, "Healthy")
    if before is None or before.reason != reason:
        draft.tell(EventType.WARNING, reason, f"{active} fails and stays: {message}", active)
