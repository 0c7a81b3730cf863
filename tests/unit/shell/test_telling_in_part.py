"""What happened is told of though what should have followed it failed."""

from collections import Counter

import pytest

from immutablerelease.runtime.client import RELEASES, Unavailable
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import Instant, Operator, manifest, template


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(RELEASES, manifest())
    return made


@pytest.fixture
def operator(cluster: FakeCluster) -> Operator:
    return Operator(cluster, Instant())


async def revert(cluster: FakeCluster, operator: Operator) -> None:
    """A second version fails while it serves."""
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(20)
    operator.outside.failing.add(str(cluster.serving()))
    await operator.run(5)


def told(operator: Operator) -> Counter[str]:
    return Counter(event.reason for event in operator.told.events)


@pytest.fixture
async def calm() -> Operator:
    """One to which nothing happened."""
    cluster = FakeCluster()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    await revert(cluster, operator)
    return operator


async def test_each_event_is_told_once_though_every_other_write_fails_at_first(
    cluster: FakeCluster, operator: Operator, calm: Operator
) -> None:
    failed: set[int] = set()

    def fail(number: int, done: bool) -> None:
        if not done and number % 2 and number not in failed:
            failed.add(number)
            raise Unavailable("no answer", about="a write")

    cluster.interrupt = fail
    await revert(cluster, operator)
    assert failed
    assert told(operator) == told(calm)
    assert reasons(operator) == reasons(calm) == ["Promoted", "Promoted", "Reverted"]


async def test_a_move_is_told_once_though_its_answer_was_lost(
    cluster: FakeCluster, operator: Operator, calm: Operator
) -> None:
    lost: list[str] = []

    def lose(number: int, done: bool) -> None:
        written = cluster.writes[-1] if done else ""
        if written in ("apply Service", "create ReleaseRevision"):
            lost.append(written)
            raise Unavailable("no answer", about=written)

    cluster.interrupt = lose
    await revert(cluster, operator)
    assert len(lost) == 5, lost
    assert told(operator) == told(calm)
    assert reasons(operator) == reasons(calm)


def reasons(operator: Operator) -> list[str]:
    return [record.reason for record in operator.told.moves]
