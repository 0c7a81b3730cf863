"""Agents of nodes: one Pod a node, a DaemonSet for each revision, which is there or is not."""

import pytest

from immutablerelease.core.plan import Scale
from immutablerelease.runtime.client import DAEMON_SETS, DEPLOYMENTS, PODS, RELEASES
from immutablerelease.runtime.execute import StillRouted

from .fake_cluster import FakeCluster, Killed
from .harness import KEY, Instant, Operator, manifest, template
from .test_shell import images, phase


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(RELEASES, manifest(workload="DaemonSet"))
    return made


@pytest.fixture
def outside() -> Instant:
    return Instant()


@pytest.fixture
def operator(cluster: FakeCluster, outside: Instant) -> Operator:
    return Operator(cluster, outside)


def running(cluster: FakeCluster) -> set[str]:
    """Versions that have a DaemonSet."""
    names = {name: version for version, name in images(cluster).items()}
    return {names[obj["metadata"]["name"]] for obj in cluster.of(DAEMON_SETS)}


async def test_a_release_serves_with_a_pod_on_each_node(
    cluster: FakeCluster, operator: Operator
) -> None:
    cluster.nodes = ["a", "b", "c"]
    await operator.run(20)
    assert cluster.serving() == images(cluster)["v1"]
    assert (cluster.release()["status"]["phase"], len(cluster.of(PODS))) == ("Active", 3)
    assert not cluster.of(DEPLOYMENTS)
    before = len(cluster.writes)
    await operator.run(600, step=10)
    assert cluster.writes[before:] == [], "at rest"


async def test_the_old_one_runs_beside_the_new_one_until_it_is_deleted(
    cluster: FakeCluster, operator: Operator
) -> None:
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(30)
    assert cluster.serving() == images(cluster)["v2"]
    assert running(cluster) == {"v1", "v2"}
    await operator.run(60, step=5)
    assert (running(cluster), phase(cluster, "v1")) == ({"v2"}, "Retired")


async def test_nothing_is_proven_before_the_nodes_were_counted(
    cluster: FakeCluster, operator: Operator
) -> None:
    """Its Pods may all be ready: for how many nodes it is meant is not known yet."""
    await operator.run(20)
    cluster.change(template=template("v2"))
    cluster.counted = False
    await operator.run(5)
    assert running(cluster) == {"v1", "v2"}
    assert phase(cluster, "v2") == "Starting"
    assert cluster.serving() == images(cluster)["v1"]
    cluster.counted = True
    await operator.run()
    assert cluster.serving() == images(cluster)["v2"]


async def test_each_version_has_its_own_nodes(cluster: FakeCluster, operator: Operator) -> None:
    cluster.nodes = ["a", "b", "c"]
    await operator.run(20)
    v1 = images(cluster)["v1"]
    cluster.nodes_of = lambda revision: ["a", "b", "c"] if revision == v1 else ["c"]
    cluster.change(template=template("v2"))
    await operator.run(20)
    assert cluster.serving() == images(cluster)["v2"]
    status = cluster.release()["status"]
    assert (status["phase"], status["readyReplicas"]) == ("Active", 1)


async def test_every_node_must_take_it(cluster: FakeCluster, operator: Operator) -> None:
    """An agent that holds a port of its node cannot start beside the one that is there."""
    cluster.change(health={"progressDeadline": "10s"})
    await operator.run(20)
    cluster.full = {"b"}
    cluster.change(template=template("v2"))
    await operator.run(20)
    assert cluster.serving() == images(cluster)["v1"]
    failure = cluster.objects[("releaserevisions", "demo", images(cluster)["v2"])]["status"]
    message = failure["failure"]["message"]
    assert "1 of 2 Pods ready; no node takes Pod" in message
    assert "didn't have free ports" in message
    await operator.run(30)
    assert running(cluster) == {"v1"}


async def test_a_bad_version_is_reverted_and_deleted(
    cluster: FakeCluster, operator: Operator, outside: Instant
) -> None:
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(5)
    outside.failing.add(images(cluster)["v2"])
    await operator.run(2)
    assert cluster.serving() == images(cluster)["v1"]
    assert phase(cluster, "v2") == "Failed"
    await operator.run(30)
    assert running(cluster) == {"v1"}
    writes = len(cluster.writes)
    await operator.run(600, step=10)
    assert cluster.writes[writes:] == []


async def test_going_back_to_one_that_was_deleted_creates_it_anew(
    cluster: FakeCluster, operator: Operator, outside: Instant
) -> None:
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(120, step=5)
    assert running(cluster) == {"v2"}
    outside.failing.add(images(cluster)["v2"])
    await operator.run(10)
    assert cluster.serving() == images(cluster)["v1"]
    assert phase(cluster, "v1") == "Active"


async def test_nodes_come_and_go(cluster: FakeCluster, operator: Operator) -> None:
    await operator.run(20)
    writes = [item for item in cluster.writes if "DaemonSet" in item]
    for nodes in (["a", "b", "c"], ["c"]):
        cluster.nodes = nodes
        await operator.run(30)
        status = cluster.release()["status"]
        assert (status["phase"], status["readyReplicas"]) == ("Active", len(nodes))
    assert [item for item in cluster.writes if "DaemonSet" in item] == writes


async def test_without_a_node_there_is_nothing_to_judge(
    cluster: FakeCluster, operator: Operator
) -> None:
    """A group of nodes that is scaled to nothing is no failure of its agents."""
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(20)
    cluster.nodes = []
    await operator.run(120, step=5)
    assert cluster.serving() == images(cluster)["v2"]
    assert (phase(cluster, "v2"), cluster.release()["status"]["phase"]) == ("Active", "Active")
    assert running(cluster) == {"v2"}
    writes = len(cluster.writes)
    await operator.run(600, step=10)
    assert cluster.writes[writes:] == []
    cluster.nodes = ["d"]
    await operator.run(10)
    assert cluster.release()["status"]["readyReplicas"] == 1


async def test_a_version_that_no_node_is_to_have_is_not_proven(
    cluster: FakeCluster, operator: Operator
) -> None:
    cluster.nodes = []
    cluster.change(health={"progressDeadline": "10s"})
    await operator.run(20)
    assert (cluster.serving(), phase(cluster, "v1")) == (None, "Failed")
    status = cluster.objects[("releaserevisions", "demo", images(cluster)["v1"])]["status"]
    assert "no node is to have a Pod of it" in status["failure"]["message"]


async def test_one_that_somebody_deleted_is_made_again(
    cluster: FakeCluster, operator: Operator
) -> None:
    await operator.run(20)
    name = images(cluster)["v1"]
    cluster.remove(DAEMON_SETS, "demo", name)
    await operator.run(10)
    assert (running(cluster), phase(cluster, "v1")) == ({"v1"}, "Active")


async def test_one_that_is_still_being_deleted_is_waited_for(
    cluster: FakeCluster, operator: Operator
) -> None:
    await operator.run(20)
    daemon_set = cluster.of(DAEMON_SETS)[0]
    leaving = {**daemon_set["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    cluster.put(DAEMON_SETS, {**daemon_set, "metadata": leaving})
    operator.observe()
    await operator.controller.handle(KEY)
    assert operator.told.results[-1] == "waiting", "not tried again at once"


async def test_what_the_service_names_is_never_deleted(
    cluster: FakeCluster, operator: Operator
) -> None:
    """A move whose answer got lost may not have been observed."""
    await operator.run(20)
    snapshot = operator.observer.snapshot(KEY)
    assert snapshot is not None
    with pytest.raises(StillRouted):
        await operator.executor.carry_out(snapshot, Scale(images(cluster)["v1"], 0))
    assert running(cluster) == {"v1"}


async def test_pods_that_a_deleted_daemon_set_left_behind_count_for_nothing(
    cluster: FakeCluster, operator: Operator
) -> None:
    await operator.run(20)
    pod = cluster.of(PODS)[0]
    owner = {"kind": "DaemonSet", "uid": "gone", "controller": True}
    cluster.put(PODS, {**pod, "metadata": {**pod["metadata"], "ownerReferences": [owner]}})
    operator.observe()
    snapshot = operator.observer.snapshot(KEY)
    assert snapshot is not None
    views = {view.name: view.serving for view in snapshot.pods[images(cluster)["v1"]]}
    assert views.pop(pod["metadata"]["name"]) is False
    assert list(views.values()) == [True]


@pytest.mark.parametrize("fails", [False, True])
async def test_killed_at_any_write_it_comes_to_the_same_end(fails: bool) -> None:
    point, total = 0, 1
    while point < 2 * total:
        cluster, outside = FakeCluster(), Instant()
        cluster.put(RELEASES, manifest(workload="DaemonSet"))
        operator = Operator(cluster, outside)
        await operator.run(20)
        first = len(cluster.writes)

        _kill_at(cluster, point)
        cluster.change(template=template("v2"))
        await _survive(operator, 6)
        if fails:
            outside.failing.add(images(cluster)["v2"])
        await _survive(operator, 100)
        stays, goes = ("v1", "v2") if fails else ("v2", "v1")
        assert cluster.serving() == images(cluster)[stays], f"killed at {point}"
        assert running(cluster) == {stays}, f"killed at {point}"
        assert phase(cluster, goes) == ("Failed" if fails else "Retired")
        total = max(total, len(cluster.writes) - first)
        point += 1
    assert total > 5, "the story writes something"


def _kill_at(cluster: FakeCluster, point: int) -> None:
    """Before or after a write from now on: each has two points."""
    first = len(cluster.writes)

    def kill(number: int, done: bool) -> None:
        if 2 * (number - first) + int(done) == point:
            cluster.interrupt = lambda number, done: None
            raise Killed

    cluster.interrupt = kill


async def _survive(operator: Operator, seconds: float) -> None:
    try:
        await operator.run(seconds, step=2)
    except Killed:
        operator.restart()
        await operator.run(seconds, step=2)
