"""Reads health from Pods and probes. Absence of evidence is never health, and never failure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from immutablerelease.api.probe import Probe

from .probing import WHOLE, Outcome, ProbeState
from .snapshot import PodView, ProbeStates

# Waiting reasons that do not go away by themselves: the kubelet has tried and backs off.
_IMAGE_REASONS = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
_CRASH_REASONS = frozenset({"CrashLoopBackOff"})
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
            detail = container.message or container.terminated or container.waiting
            return (
                f"container {container.name} of Pod {pod.name} crashes "
                f"({container.restarts} restarts{': ' + detail if detail else ''})"
            )
    return ""


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


def waiting_for(pods: Sequence[PodView]) -> str:
    """What keeps Pods from being ready, for a message."""
    for pod in pods:
        if pod.unschedulable:
            return f"; no node takes Pod {pod.name} ({pod.unschedulable})"
        for container in pod.containers:
            if container.waiting:
                text = f"{container.waiting}: {container.message}".rstrip(": ")
                return f"; container {container.name} of Pod {pod.name} waits ({text})"
    return ""


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
