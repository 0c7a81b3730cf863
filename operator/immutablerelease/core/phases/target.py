"""Where does a revert go, and can its target take the traffic?"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from .. import signals
from ..draft import REFUSED, Draft
from ..signals import Failing
from ..snapshot import PodView


class Fitness(StrEnum):
    """Whether a target can take the traffic now."""

    READY = "Ready"
    # Nothing is known yet of its probes; they are being asked.
    UNPROVEN = "Unproven"
    # It fails the same probes, so reverting would not help.
    FAILING = "Failing"
    # It has no ready Pod; it must be started first.
    COLD = "Cold"
    # It was cold and is on its way to full size.
    STARTING = "Starting"


@dataclass(frozen=True)
class Target:
    """A revision that a revert may go to."""

    name: str
    fitness: Fitness
    message: str = ""


def known_good(draft: Draft, leaving: str | None) -> str | None:
    """The newest other revision that was good; without one, the newest other that served."""
    return next(iter(eligible(draft, leaving)), None)


def eligible(draft: Draft, leaving: str | None) -> list[str]:
    """All other revisions that a revert may go to, the best first."""
    found = [
        (status.good_since is not None, status.active_since, name)
        for name, status in draft.revisions.items()
        if name != leaving
        and status.active_since is not None
        and status.phase not in REFUSED
        and draft.trusted(name)
    ]
    return [name for _, _, name in sorted(found, reverse=True)]


def examine(draft: Draft, name: str, leaving: Failing | None = None) -> Target:
    """Whether a revision can take the traffic now; `leaving` is when what serves failed probes."""
    pods = draft.serving(name)
    if not pods:
        return Target(name, Fitness.COLD)
    probes = draft.probes(name)
    states = draft.snapshot.probes.get(name, {})
    if any(signals.answers(pod, probes, states, leaving) for pod in pods):
        revert = draft.status.revert
        starting = revert is not None and revert.target == name and not full(draft, name)
        return Target(name, Fitness.STARTING if starting else Fitness.READY)
    refusal = _refusal(draft, name, pods)
    if refusal:
        return Target(name, Fitness.FAILING, refusal)
    return Target(name, Fitness.UNPROVEN)


def full(draft: Draft, name: str) -> bool:
    """Whether a target that was started from nothing is at full size."""
    return len(draft.serving(name)) >= max(1, draft.replicas(name))


def passes(draft: Draft, name: str) -> bool:
    """Whether it has ready Pods and all of them pass all probes of Pods."""
    states = draft.snapshot.probes.get(name, {})
    probes = [probe for probe in draft.probes(name) if not probe.whole]
    return signals.all_pass(draft.serving(name), probes, states)


def look_again(draft: Draft, name: str) -> None:
    """Single answers of probes make no events, and the next one may be all that is missing."""
    intervals = [probe.interval for probe in draft.probes(name)]
    if intervals and not draft.moved:
        draft.wake(draft.now + timedelta(seconds=max(0.1, min(intervals))))


def _refusal(draft: Draft, name: str, pods: tuple[PodView, ...]) -> str:
    for pod in pods:
        for probe, state in draft.snapshot.probes.get(name, {}).get(pod.uid, {}).items():
            if state.failures:
                return f"probe {probe} fails on Pod {pod.name} too: {state.message}"
    return ""
