"""Verifying again costs one write each time, survives restarts, and lets what serves serve."""

from datetime import timedelta

import pytest

from immutablerelease.runtime.client import POLICIES, RELEASES

from .fake_cluster import FakeCluster
from .harness import Instant, Operator, manifest


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(RELEASES, manifest())
    return made


@pytest.fixture
def outside() -> Instant:
    return Instant(every=timedelta(seconds=100))


@pytest.fixture
def operator(cluster: FakeCluster, outside: Instant) -> Operator:
    return Operator(cluster, outside)


def _status(cluster: FakeCluster) -> dict[str, object]:
    (revision,) = (
        obj for (plural, _, _), obj in cluster.objects.items() if plural == "releaserevisions"
    )
    return dict(revision["status"])


async def test_a_verdict_that_is_confirmed_is_one_write(
    cluster: FakeCluster, outside: Instant, operator: Operator
) -> None:
    await operator.run(45)
    cluster.writes.clear()
    outside.verified.clear()
    await operator.run(350, step=10)
    assert [request.again for request in outside.verified] == [True] * 3
    assert len(cluster.writes) == 3
    assert all("ReleaseRevision" in write for write in cluster.writes), cluster.writes


async def test_a_restart_asks_for_nothing_early_and_forgets_nothing(
    outside: Instant, operator: Operator
) -> None:
    await operator.run(45)
    outside.verified.clear()
    operator.restart()
    await operator.run(30, step=10)
    assert outside.verified == []
    await operator.run(40, step=10)
    assert [request.again for request in outside.verified] == [True]


async def test_what_is_refused_later_serves_on_also_after_a_restart(
    cluster: FakeCluster, outside: Instant, operator: Operator
) -> None:
    await operator.run(45)
    serving = cluster.serving()
    outside.refused.add("v1")
    cluster.put(POLICIES, {"metadata": {"name": "new"}, "spec": {"unsafeAllowUnsigned": True}})
    for _ in range(2):
        await operator.run(10)
        assert cluster.serving() == serving
        assert "refusal" in _status(cluster)
        assert cluster.release()["status"]["phase"] == "Degraded"
        operator.restart()
    outside.refused.clear()
    await operator.run(120, step=10)
    assert "refusal" not in _status(cluster)
    assert cluster.release()["status"]["phase"] == "Active"
    told = [event.reason for event in operator.told.events]
    assert told.count("VerificationRefused") == 1
