"""The prober in virtual time: when it asks, what it keeps, and of what it tells."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immutablerelease.api.probe import HttpProbe, Probe
from immutablerelease.core.probing import Attempt, Outcome, ProbeState
from immutablerelease.health.prober import Prober, Target, next_tick
from tests.unit.health.virtual_time import Time

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)


class Cluster:
    """Pods that answer as they are told, and a record of who was asked when."""

    def __init__(self, *, concurrency: int = 256) -> None:
        self.time = Time()
        self.asked: list[tuple[float, str]] = []
        self.broken: set[str] = set()
        self.takes: dict[str, float] = {}
        self.running: Counter[str] = Counter()
        self.most = 0
        self.changes: list[str] = []
        self.prober: Prober[str] = Prober(
            attempt=self.attempt,
            on_change=self.changes.append,
            clock=self.time,
            sleep=self.time.sleep,
            concurrency=concurrency,
        )

    async def attempt(self, probe: Probe, target: Target) -> Attempt:
        address = target.address
        self.asked.append((round(self.time.now - 100.0, 3), address))
        self.running[address] += 1
        assert self.running[address] == 1, "an attempt overlaps itself"
        self.most = max(self.most, self.running.total())
        try:
            if address in self.takes:
                await self.time.sleep(self.takes[address])
            ok = address not in self.broken
            at = EPOCH + timedelta(seconds=self.time.now)
            return Attempt(ok=ok, message="fine" if ok else "broken", at=at)
        finally:
            self.running[address] -= 1

    def watch(self, *addresses: str, probe: Probe | None = None, revision: str = "r1") -> None:
        targets = [Target(f"uid-{address}", address) for address in addresses]
        probes = (probe or make(),)
        self.prober.watch("shop", {revision: targets}, {revision: probes})

    def state(self, address: str, revision: str = "r1") -> ProbeState:
        return self.prober.states("shop")[revision][f"uid-{address}"]["web"]

    def times(self, address: str) -> list[float]:
        return [at for at, asked in self.asked if asked == address]


def make(**fields: Any) -> Probe:
    return Probe(name="web", http=HttpProbe(port=80), **{"interval": 1.0, **fields})


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster = Cluster()
    yield cluster
    await cluster.prober.close()


async def test_the_pods_of_a_revision_are_asked_evenly_over_the_interval(cluster: Cluster) -> None:
    cluster.watch("a", "b", "c")
    await cluster.time.pass_(1.99)
    assert [at for at, _ in cluster.asked] == pytest.approx(
        [0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3], abs=0.01
    )
    assert [address for _, address in cluster.asked] == ["a", "b", "c"] * 2


async def test_a_pod_that_was_not_asked_yet_is_pending(cluster: Cluster) -> None:
    cluster.watch("a")
    assert cluster.state("a").outcome is Outcome.PENDING
    assert not cluster.state("a").answers


async def test_ticks_do_not_drift_however_long_attempts_take(cluster: Cluster) -> None:
    cluster.takes["a"] = 0.3
    cluster.watch("a")
    await cluster.time.pass_(100.5)
    assert cluster.times("a") == [float(second) for second in range(101)]


async def test_a_slow_attempt_skips_the_ticks_that_it_missed(cluster: Cluster) -> None:
    cluster.takes["a"] = 2.5
    cluster.watch("a")
    await cluster.time.pass_(7)
    assert cluster.times("a") == [0, 3, 6]


async def test_what_was_counted_survives_being_watched_again(cluster: Cluster) -> None:
    cluster.watch("a")
    await cluster.time.pass_(2.5)
    cluster.watch("a")
    assert cluster.state("a").successes == 3
    await cluster.time.pass_(1)
    assert cluster.times("a") == [0, 1, 2, 3]


async def test_another_pod_does_not_disturb_the_count_of_the_first(cluster: Cluster) -> None:
    cluster.watch("a")
    await cluster.time.pass_(1.5)
    cluster.watch("a", "b")
    await cluster.time.pass_(2)
    assert cluster.state("a").successes == 4
    assert cluster.times("b") == [1.5, 2.5, 3.5]


async def test_pods_that_come_and_go_never_crowd_the_attempts_of_one(cluster: Cluster) -> None:
    for _ in range(20):
        cluster.watch("z", "a")
        await cluster.time.pass_(0.4)
        cluster.watch("z")
        await cluster.time.pass_(0.4)
    times = cluster.times("z")
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 0.49
    assert max(gaps) <= 1.51


@pytest.mark.parametrize(
    "change",
    [
        lambda cluster: cluster.watch("a", probe=make(failure_threshold=5)),
        lambda cluster: cluster.prober.watch(
            "shop", {"r1": [Target("uid-a", "new")]}, {"r1": (make(),)}
        ),
        lambda cluster: cluster.prober.watch(
            "shop", {"r1": [Target("uid-a", "a", {"http": 8080})]}, {"r1": (make(),)}
        ),
    ],
    ids=["another definition", "another address", "another port"],
)
async def test_another_question_starts_its_count_over(
    cluster: Cluster, change: Callable[[Cluster], None]
) -> None:
    cluster.watch("a")
    await cluster.time.pass_(2.5)
    change(cluster)
    assert cluster.state("a").outcome is Outcome.PENDING


async def test_what_is_watched_no_more_is_asked_no_more(cluster: Cluster) -> None:
    cluster.watch("a", "b")
    await cluster.time.pass_(0.9)
    cluster.watch("b")
    await cluster.time.pass_(3)
    assert cluster.times("a") == [0]
    cluster.prober.forget("shop")
    cluster.prober.forget("never watched")
    await cluster.time.pass_(3)
    assert cluster.prober.states("shop") == {}
    assert max(cluster.times("b")) < 4


async def test_two_revisions_are_watched_apart(cluster: Cluster) -> None:
    targets = {"r1": [Target("uid-a", "a")], "r2": [Target("uid-b", "b")]}
    cluster.broken.add("b")
    cluster.prober.watch("shop", targets, {"r1": (make(),), "r2": (make(failure_threshold=1),)})
    await cluster.time.pass_(0.5)
    assert cluster.state("a", "r1").outcome is Outcome.PASSING
    assert cluster.state("b", "r2").outcome is Outcome.FAILING
    cluster.prober.watch("shop", targets, {"r2": (make(failure_threshold=1),)})
    assert set(cluster.prober.states("shop")) == {"r2"}


async def test_changes_are_told_and_attempts_are_not(cluster: Cluster) -> None:
    cluster.watch("a", probe=make(failure_threshold=3, success_threshold=2))
    told = []
    for broken in [False] * 4 + [True] * 5 + [False] * 4:
        cluster.broken = {"a"} if broken else set()
        cluster.changes.clear()
        await cluster.time.pass_(0.999)
        told.append(len(cluster.changes))
    assert told == [
        *(1, 1, 0, 0),  # the first answer, then passing
        *(1, 0, 1, 0, 0),  # the first failure, then failing
        *(1, 1, 0, 0),  # answers again, then passing
    ]


async def test_a_first_attempt_that_fails_is_told(cluster: Cluster) -> None:
    cluster.broken.add("a")
    cluster.watch("a")
    await cluster.time.pass_(0.5)
    assert cluster.changes == ["shop"]
    assert cluster.state("a").message == "broken"


async def test_only_so_many_attempts_run_at_once() -> None:
    cluster = Cluster(concurrency=2)
    addresses = [f"p{number}" for number in range(6)]
    cluster.takes = dict.fromkeys(addresses, 0.5)
    cluster.watch(*addresses)
    await cluster.time.pass_(10)
    assert cluster.most == 2
    assert all(cluster.state(address).outcome is Outcome.PASSING for address in addresses)
    await cluster.prober.close()


async def test_an_interval_of_nothing_is_no_busy_loop(cluster: Cluster) -> None:
    cluster.watch("a", probe=make(interval=0.0))
    await cluster.time.pass_(1)
    assert len(cluster.asked) <= 11


async def test_an_attempt_that_raises_does_not_leave_its_pod_unwatched(cluster: Cluster) -> None:
    async def attempt(probe: Probe, target: Target) -> Attempt:
        if not cluster.asked:
            cluster.asked.append((0, target.address))
            raise RuntimeError("a bug")
        return await cluster.attempt(probe, target)

    cluster.prober._attempt = attempt
    cluster.watch("a")
    await cluster.time.pass_(1.5)
    assert cluster.state("a").outcome is Outcome.PASSING


async def test_close_waits_until_nothing_runs() -> None:
    cluster = Cluster()
    cluster.takes["a"] = 5
    cluster.watch("a", "b")
    await cluster.time.pass_(0.1)
    await cluster.prober.close()
    assert cluster.running.total() == 0
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("probe ")]


@given(
    epoch=st.floats(0, 1e6),
    interval=st.floats(0.1, 1000),
    phase=st.floats(0, 1, exclude_max=True),
    delay=st.floats(0, 1e5),
)
def test_a_tick_is_never_early_and_never_an_interval_late(
    epoch: float, interval: float, phase: float, delay: float
) -> None:
    at = next_tick(epoch, interval, phase, epoch + delay)
    assert epoch + delay - 1e-3 <= at < epoch + delay + interval + 1e-3
