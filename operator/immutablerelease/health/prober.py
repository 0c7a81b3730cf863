"""Makes the attempts in time and counts them: one task per probe and Pod.

Rules:
- Ticks are absolute, so that delays do not add up; a tick missed by a slow attempt is skipped.
- Attempts on the Pods of a revision are spread evenly over the interval.
- A changed probe, address or port is another question, and its count starts over.
- Revisions as wholes are asked beside Pods: somebody else's slow server holds no revert up.
- What is told to `on_change` is a change that a decision may depend on, never each attempt.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from immutablerelease.api.probe import Probe
from immutablerelease.core.probing import WHOLE, Attempt, ProbeState, count

from .prometheus import Names

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
Ask = Callable[[Probe, "Target"], Awaitable[Attempt]]

# However short an interval is written.
SHORTEST_INTERVAL: Final = 0.1


@dataclass(frozen=True)
class Target:
    """A Pod to be probed, or a revision as a whole."""

    uid: str
    address: str = ""
    # Numbers of the ports that probes may name.
    ports: Mapping[str, int] = field(default_factory=dict)
    # What queries about the revision are filled with.
    names: Names | None = None


# revision, Pod uid, name of the probe
_Place = tuple[str, str, str]


@dataclass
class _Watch:
    """One probe on one Pod: the question, when it is asked, and what came of it."""

    probe: Probe
    target: Target
    # When the ticks of its revision began, and its share of the interval after each.
    epoch: float
    phase: float
    state: ProbeState = field(default_factory=ProbeState)
    task: asyncio.Task[None] | None = None

    def asks(self, probe: Probe, target: Target) -> bool:
        """Whether it is the same question to the same Pod."""
        return self.probe == probe and self.target == target


@dataclass
class _Group:
    """All that is probed for one key."""

    epochs: dict[str, float] = field(default_factory=dict)
    watches: dict[_Place, _Watch] = field(default_factory=dict)


class Prober(Generic[K]):
    """Probes the Pods of many keys, as they were last told to be watched."""

    def __init__(
        self,
        *,
        attempt: Ask,
        on_change: Callable[[K], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        concurrency: int = 256,
        whole_concurrency: int = 64,
    ) -> None:
        self._attempt = attempt
        self._on_change = on_change
        self._clock = clock
        self._sleep = sleep
        self._slots = asyncio.Semaphore(concurrency)
        self._whole_slots = asyncio.Semaphore(whole_concurrency)
        self._groups: dict[K, _Group] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def watch(
        self,
        key: K,
        targets: Mapping[str, Sequence[Target]],
        probes: Mapping[str, tuple[Probe, ...]],
    ) -> None:
        """Probe exactly these targets, by revision; what was counted of them before is kept."""
        group = self._groups.setdefault(key, _Group())
        wanted = {place: (probe, target) for place, probe, target, _ in _places(targets, probes)}
        for place, watch in list(group.watches.items()):
            if place not in wanted or not watch.asks(*wanted[place]):
                self._stop(group.watches.pop(place))
        revisions = {revision for revision, _, _ in wanted}
        group.epochs = {
            revision: group.epochs.get(revision, self._clock()) for revision in revisions
        }
        for place, probe, target, phase in _places(targets, probes):
            if place in group.watches:
                group.watches[place].phase = phase
                continue
            watch = _Watch(probe, target, group.epochs[place[0]], phase)
            watch.task = asyncio.create_task(self._run(key, watch), name=f"probe {key} {place}")
            group.watches[place] = watch
        if not group.watches:
            del self._groups[key]

    def forget(self, key: K) -> None:
        """Probe nothing of the key any more, and drop what was counted."""
        self.watch(key, {}, {})

    def states(self, key: K) -> Mapping[str, Mapping[str, Mapping[str, ProbeState]]]:
        """What is known, by revision, Pod uid and name of the probe."""
        states: dict[str, dict[str, dict[str, ProbeState]]] = {}
        group = self._groups.get(key, _Group())
        for (revision, uid, probe), watch in group.watches.items():
            states.setdefault(revision, {}).setdefault(uid, {})[probe] = watch.state
        return states

    async def close(self) -> None:
        """Stop all, and wait until it has stopped."""
        for key in list(self._groups):
            self.forget(key)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _stop(self, watch: _Watch) -> None:
        if watch.task is not None:
            self._ending.add(watch.task)
            watch.task.add_done_callback(self._ending.discard)
            watch.task.cancel()

    async def _run(self, key: K, watch: _Watch) -> None:
        interval = max(watch.probe.interval, SHORTEST_INTERVAL)
        earliest = self._clock()
        while True:  # until it is cancelled
            at = next_tick(watch.epoch, interval, watch.phase, earliest)
            await self._sleep(max(0.0, at - self._clock()))
            started = self._clock()
            try:
                # Waiting for a slot counts as no attempt, so that a crowd of slow Pods fails no
                # healthy one.
                async with self._whole_slots if watch.probe.whole else self._slots:
                    started = self._clock()
                    attempt = await self._attempt(watch.probe, watch.target)
                self._count(key, watch, attempt)
            except Exception:
                # An attempt never raises; should it, its Pod must not go unwatched from then on.
                log.exception("probe %s on %s", watch.probe.name, watch.target.address)
            # Half an interval at least, for Pods that come and go move the phases of the others.
            earliest = max(self._clock(), started + interval / 2)

    def _count(self, key: K, watch: _Watch, attempt: Attempt) -> None:
        before = watch.state
        watch.state = count(before, attempt, watch.probe)
        if _summary(watch.state) != _summary(before):
            self._on_change(key)


def next_tick(epoch: float, interval: float, phase: float, earliest: float) -> float:
    """The first of the times `epoch + (n + phase) * interval` that is not before `earliest`."""
    # The tolerance keeps rounding from skipping the tick that is due right now.
    turns = math.ceil((earliest - epoch) / interval - phase - 1e-9)
    return epoch + (turns + phase) * interval


def _summary(state: ProbeState) -> tuple[object, ...]:
    """What a decision may depend on."""
    return state.outcome, state.answers, state.failures > 0, state.blind > 0


def _places(
    among: Mapping[str, Sequence[Target]], probes: Mapping[str, tuple[Probe, ...]]
) -> Iterator[tuple[_Place, Probe, Target, float]]:
    """Every probe on every Pod, and as a whole, with its share of the interval."""
    for revision, pods in among.items():
        for whole in (False, True):
            asked = [
                probe
                for probe in probes.get(revision, ())
                # A job is no question to be repeated.
                if probe.whole is whole and probe.job is None
            ]
            targets = [target for target in pods if (target.uid == WHOLE) is whole]
            for index, target in enumerate(sorted(targets, key=lambda target: target.uid)):
                for turn, probe in enumerate(asked):
                    phase = (index + turn / len(asked)) / len(targets)
                    yield (revision, target.uid, probe.name), probe, target, phase
