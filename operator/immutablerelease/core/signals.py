"""Reads health from Pods and probes. Absence of evidence is never health, and never failure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from immutablerelease.api.probe import Probe

from .probing import WHOLE, Outcome, ProbeState
from .snapshot import ContainerView, DeploymentView, PodView, ProbeStates

# Waiting reasons that do not go away by themselves: the kubelet has tried and backs off.
_IMAGE_REASONS = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
_CRASH_REASONS = frozenset({"CrashLoopBackOff"})
# Waiting reasons that every Pod has while it starts.
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
# A container that came back this often is crashing, whatever the kubelet calls its present state.
_CRASH_RESTARTS = 3


class Verdict(StrEnum):
    """What the evidence says of a revision."""

    HEALTHY = "Healthy"
    UNKNOWN = "Unknown"
    FAILING = "Failing"


@dataclass(frozen=True)
class Health:
    """Verdict with its cause."""

    verdict: Verdict
    reason: str
    message: str


def crashing(pod: PodView) -> str:
    """Why a Pod counts as crashing, or nothing."""
    for container in pod.containers:
        if container.waiting in _CRASH_REASONS or (
            container.restarts >= _CRASH_RESTARTS and not pod.ready
        ):
            facts = (container.terminated or container.waiting, counted(container.restarts))
            last_words = f": {container.message}" if container.message else ""
            return (
                f"container {container.name} of Pod {pod.name} crashes "
                f"({', '.join(fact for fact in facts if fact)}){last_words}"
            )
    return ""


def counted(restarts: int) -> str:
    """A number of restarts in words."""
    return "1 restart" if restarts == 1 else f"{restarts} restarts"


def died(pod: PodView) -> bool:
    """Whether a container of a Pod that is not ready has ended since the Pod was made."""
    return not pod.ready and any(
        container.restarts > 0 or container.terminated or container.waiting in _CRASH_REASONS
        for container in pod.containers
    )


def unpullable(pod: PodView) -> str:
    """Why a Pod's image cannot be had, or nothing."""
    for container in pod.containers:
        if container.waiting in _IMAGE_REASONS:
            return (
                f"the image of container {container.name} of Pod {pod.name} cannot be pulled "
                f"({container.waiting}{': ' + container.message if container.message else ''})"
            )
    return ""


def waiting_for(pods: Sequence[PodView], workload: DeploymentView | None) -> str:
    """What keeps Pods from being there and ready, for a message; the surest cause goes first."""
    return _told(_refused(workload), _unplaced(pods), _first(pods, _waits), _first(pods, _unready))


def stuck(pods: Sequence[PodView], workload: DeploymentView | None) -> str:
    """The part of it that does not pass as Pods start: what somebody should look at now."""
    return _told(_refused(workload), _unplaced(pods), _first(pods, _in_trouble))


def _told(*causes: str) -> str:
    return next((f"; {cause}" for cause in causes if cause), "")


def _refused(workload: DeploymentView | None) -> str:
    if workload is None or not workload.intact or not workload.message:
        return ""
    return f"the API server refuses its Pods ({workload.message})"


def _unplaced(pods: Sequence[PodView]) -> str:
    found = (pod for pod in pods if pod.unschedulable)
    return next((f"no node takes Pod {pod.name} ({pod.unschedulable})" for pod in found), "")


def _first(pods: Sequence[PodView], why: Callable[[ContainerView], str]) -> str:
    found = ((pod, container) for pod in pods for container in pod.containers if why(container))
    for pod, container in found:
        return f"container {container.name} of Pod {pod.name} {why(container)}"
    return ""


def _waits(container: ContainerView) -> str:
    # The containers before it tell what it waits for.
    if container.waiting and container.waiting != "PodInitializing":
        return f"waits ({f'{container.waiting}: {container.message}'.rstrip(': ')})"
    if container.terminated:
        return f"ended ({f'{container.terminated}: {container.message}'.rstrip(': ')})"
    return ""


def _unready(container: ContainerView) -> str:
    told = "runs and is not ready: its startupProbe or readinessProbe has not passed"
    return told if container.unready else ""


def _in_trouble(container: ContainerView) -> str:
    starting = container.waiting in _STARTING and not container.terminated
    return "" if starting else _waits(container)


def workload_failure(pods: Sequence[PodView]) -> tuple[str, str] | None:
    """Reason and message when the Pods of a candidate show that it cannot work."""
    for pod in pods:
        if message := crashing(pod):
            return "CrashLoop", message
        if message := unpullable(pod):
            return "ImagePullFailed", message
    return None


def probe_failures(
    pods: Sequence[PodView], probes: Sequence[Probe], states: ProbeStates
) -> dict[str, str]:
    """Ready Pods that fail a probe, by uid, with the message; `WHOLE` where all of it fails."""
    failing = {}
    for pod in pods:
        known = states.get(pod.uid, {})
        for probe in probes:
            if pod.serving and not probe.whole and _fails(pod, probe, known.get(probe.name)):
                message = known[probe.name].message
                failing[pod.uid] = f"probe {probe.name} fails on Pod {pod.name}: {message}"
    for name, state in _whole(probes, states):
        if state.outcome is Outcome.FAILING:
            failing[WHOLE] = f"probe {name} fails: {state.message}"
    return failing


def _whole(probes: Sequence[Probe], states: ProbeStates) -> list[tuple[str, ProbeState]]:
    """What is known of probes that are asked of the revision as a whole."""
    known = states.get(WHOLE, {})
    return [(probe.name, known.get(probe.name, ProbeState())) for probe in probes if probe.whole]


def failed_from_the_start(probes: Sequence[Probe], states: ProbeStates) -> bool:
    """Whether the revision as a whole fails a probe that it has not passed since it is asked."""
    return any(
        state.outcome is Outcome.FAILING and not state.passed for _, state in _whole(probes, states)
    )


def blind(probes: Sequence[Probe], states: ProbeStates) -> list[str]:
    """What probes that find nothing out say instead."""
    return [
        f"probe {name}: {state.message}"
        for name, state in _whole(probes, states)
        if state.outcome is Outcome.PENDING and state.blind
    ]


def _fails(pod: PodView, probe: Probe, state: ProbeState | None) -> bool:
    """Whether a Pod fails a probe for another reason than that it was still starting.

    What failed before the Pod was ready is no news; as many attempts as the threshold asks for
    must have failed since.
    """
    if state is None or state.outcome is not Outcome.FAILING:
        return False
    began, ready, last = state.failing_since, pod.ready_changed_at, state.last_at
    if ready is None or began is None or last is None or began >= ready:
        return True
    return last - ready >= timedelta(seconds=probe.interval * probe.failure_threshold)


def counts_from(
    pods: Sequence[PodView], probes: Sequence[Probe], states: ProbeStates
) -> list[datetime]:
    """When failures that began before their Pod was ready may begin to count."""
    times = []
    for pod in pods:
        for probe in probes:
            state = states.get(pod.uid, {}).get(probe.name)
            failing = state is not None and state.outcome is Outcome.FAILING and pod.serving
            if state is None or not failing or _fails(pod, probe, state):
                continue
            ready, last = pod.ready_changed_at, state.last_at
            if ready is not None and last is not None:
                interval = timedelta(seconds=probe.interval)
                times.append(max(ready + interval * probe.failure_threshold, last + interval))
    return times


@dataclass(frozen=True)
class Failing:
    """From when to when probes are known to have failed on a revision."""

    since: datetime
    until: datetime


def failing(
    pods: Sequence[PodView], probes: Sequence[Probe], states: ProbeStates, now: datetime
) -> Failing | None:
    """Since when probes that count as failing failed, and until when that is known for sure."""
    known = [
        (
            state.failing_since,
            state.last_at,
            now - timedelta(seconds=probe.interval + probe.timeout),
        )
        for pod in pods
        for probe in probes
        if (state := states.get(pod.uid, {}).get(probe.name)) is not None
        and _fails(pod, probe, state)
    ]
    began = [since for since, _, _ in known if since is not None]
    # An attempt that is overdue shall hold nothing up.
    ended = [max(last, overdue) for _, last, overdue in known if last is not None]
    return Failing(min(began), min(ended)) if began and ended else None


def _passes(state: ProbeState | None) -> bool:
    return state is not None and state.outcome is Outcome.PASSING and not state.blind


def _states(pods: Sequence[PodView], probe: Probe, states: ProbeStates) -> list[ProbeState | None]:
    uids = [WHOLE] if probe.whole else [pod.uid for pod in pods]
    return [states.get(uid, {}).get(probe.name) for uid in uids]


def all_pass(pods: Sequence[PodView], probes: Sequence[Probe], states: ProbeStates) -> bool:
    """Whether there are Pods and every probe passes on every one of them, and as a whole."""
    return bool(pods) and all(
        _passes(state) for probe in probes for state in _states(pods, probe, states)
    )


def wavering(pods: Sequence[PodView], states: ProbeStates) -> bool:
    """Whether the newest attempt of some probe failed, whatever its verdict still is."""
    uids = [WHOLE, *(pod.uid for pod in pods)]
    return any(state.failures for uid in uids for state in states.get(uid, {}).values())


def answers(
    pod: PodView, probes: Sequence[Probe], states: ProbeStates, while_failing: Failing | None
) -> bool:
    """Whether the newest attempt of every probe on a Pod passed.

    Where another revision fails probes, it must have passed while the other failed: not only
    before, when a dependency of both still was up, nor only after, when it is up again and the
    other was just not asked yet.
    """
    known = states.get(pod.uid, {})
    return all(
        _answers(probe, known.get(probe.name), while_failing) for probe in probes if not probe.whole
    )


def _answers(probe: Probe, state: ProbeState | None, other: Failing | None) -> bool:
    if state is None or not state.answers or state.last_at is None:
        return False
    passing_since = state.last_at - timedelta(seconds=probe.interval * (state.successes - 1))
    return other is None or (state.last_at >= other.since and passing_since <= other.until)


def unasked(pods: Sequence[PodView], probes: Sequence[Probe], states: ProbeStates) -> bool:
    """Whether some probe was not tried even once on some Pod, as after a restart."""
    return any(
        state is None or state.last_at is None
        for probe in probes
        if probe.job is None
        for state in _states(pods, probe, states)
    )


def pending_probes(
    pods: Sequence[PodView], probes: Sequence[Probe], states: ProbeStates
) -> list[str]:
    """Names of probes that have not passed on some Pod, with what is known of the whole."""
    said = {name: state.message for name, state in _whole(probes, states) if state.message}
    return [
        f"{probe.name} ({said[probe.name]})" if probe.name in said else probe.name
        for probe in probes
        if not all_pass(pods, [probe], states)
    ]
