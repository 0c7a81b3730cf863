"""A release costs the API server few writes, and what is awaited is told only where it takes time.

That a revert waits for none of this is part of it.
"""

import asyncio
from collections import Counter
from collections.abc import Hashable

import pytest

from immutablerelease.core.plan import Plan
from immutablerelease.core.snapshot import Snapshot
from immutablerelease.runtime.client import RELEASES
from immutablerelease.runtime.controller import RESULT_DELAY
from immutablerelease.runtime.key import Key

from .fake_cluster import FakeCluster
from .harness import KEY, Instant, Operator, manifest, template

# What each revision takes: its objects, what it is told to be, and the move of traffic to it.
CREATED = Counter(
    {
        "create ReleaseRevision": 1,
        "create Service": 1,
        "create Deployment": 1,
        "create PodDisruptionBudget": 1,
        "apply Service": 1,
        # Verified and starting, passed, serving, good.
        "apply ReleaseRevision status": 4,
        # Starting, serving: that it passed is outdated at once.
        "apply ImmutableRelease status": 2,
    }
)
# The one before is superseded, scaled to zero and retired.
UPDATED = CREATED + Counter({"apply ReleaseRevision status": 2, "apply Deployment scale": 1})


class Background(Instant):
    """Work whose results come after the decision that asked for them, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.late = False
        self._asked: set[Hashable] = set()

    def begin(self, key: Key, plan: Plan, snapshot: Snapshot) -> bool:
        wanted = {*plan.verify, plan.resolve} - {None}
        new = not wanted <= self._asked
        self._asked |= wanted
        if not self.late:
            super().begin(key, plan, snapshot)
        return new


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(RELEASES, manifest(keepWarm="5s", health={"bake": "10s"}))
    return made


@pytest.fixture
def outside() -> Background:
    return Background()


@pytest.fixture
def operator(cluster: FakeCluster, outside: Background) -> Operator:
    return Operator(cluster, outside)


async def settled(operator: Operator, seconds: float) -> Counter[str]:
    """Writes until so much time has passed."""
    before = len(operator.cluster.writes)
    # What is put off comes again.
    await operator.run()
    await operator.run(seconds)
    return Counter(operator.cluster.writes[before:])


async def test_a_first_version_takes_so_many_writes(operator: Operator) -> None:
    assert await settled(operator, 20) == CREATED


async def test_the_next_version_takes_so_many_writes(
    cluster: FakeCluster, operator: Operator
) -> None:
    await settled(operator, 20)
    cluster.change(template=template("v2"))
    assert await settled(operator, 30) == UPDATED


async def test_what_is_awaited_is_told_once_it_takes_longer(
    cluster: FakeCluster, outside: Background, operator: Operator
) -> None:
    outside.late = True
    operator.observe()
    await operator.controller.handle(KEY)
    assert cluster.writes == []
    assert operator.told.results == ["unchanged"]
    async with asyncio.timeout(RESULT_DELAY + 5):
        assert await operator.queue.get() == KEY
    await operator.controller.handle(KEY)
    [ready] = [one for one in cluster.release()["status"]["conditions"] if one["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "Resolving")


async def test_a_revert_waits_for_no_result(
    cluster: FakeCluster, outside: Background, operator: Operator
) -> None:
    cluster.change(health=manifest()["spec"]["health"], keepWarm="60s")
    await settled(operator, 20)
    first = cluster.serving()
    cluster.change(template=template("v2"))
    await operator.run()
    await operator.run(2)
    second = str(cluster.serving())
    assert second != first
    outside.late = True
    cluster.change(template=template("v3"))
    outside.failing.add(second)
    # Probes are asked by the first decision and answered by the second.
    for _ in range(2):
        operator.observe()
        await operator.controller.handle(KEY)
    assert cluster.serving() == first
