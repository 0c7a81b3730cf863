"""The shell and the core together: what is observed, decided and written for whole releases."""

from copy import deepcopy

import pytest

from immutablerelease.api.meta import REVISION_LABEL
from immutablerelease.runtime.client import ACTIONS, DEPLOYMENTS, RELEASES, SERVICES

from .fake_cluster import FakeCluster, Killed
from .harness import KEY, Instant, Operator, manifest, template


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(RELEASES, manifest())
    return made


@pytest.fixture
def outside() -> Instant:
    return Instant()


@pytest.fixture
def operator(cluster: FakeCluster, outside: Instant) -> Operator:
    return Operator(cluster, outside)


def images(cluster: FakeCluster) -> dict[str, str]:
    """Revisions by the image that they were made from."""
    return {
        obj["spec"]["images"][0]["source"].rpartition(":")[2]: name
        for (plural, _, name), obj in cluster.objects.items()
        if plural == "releaserevisions"
    }


def phase(cluster: FakeCluster, version: str) -> str:
    name = images(cluster)[version]
    return str(cluster.objects[("releaserevisions", "demo", name)]["status"]["phase"])


async def test_a_signed_release_serves(cluster: FakeCluster, operator: Operator) -> None:
    await operator.run()
    assert cluster.serving() == images(cluster)["v1"]
    assert cluster.release()["status"]["phase"] == "Active"
    conditions = {
        item["type"]: item["status"] for item in cluster.release()["status"]["conditions"]
    }
    assert conditions == {"Ready": "True", "Verified": "True", "Healthy": "True"}


async def test_at_rest_nothing_is_written(cluster: FakeCluster, operator: Operator) -> None:
    await operator.run(30)
    before = len(cluster.writes)
    await operator.run(600, step=10)
    assert cluster.writes[before:] == []
    operator.restart()
    await operator.run()
    assert cluster.writes[before:] == []


async def test_the_next_version_takes_over_and_the_old_one_is_kept(
    cluster: FakeCluster, operator: Operator
) -> None:
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run()
    names = images(cluster)
    assert cluster.serving() == names["v2"]
    assert phase(cluster, "v1") == "Superseded"
    old = cluster.objects[(DEPLOYMENTS.plural, "demo", names["v1"])]
    assert old["spec"]["replicas"] == 2
    await operator.run(90, step=5)
    old = cluster.objects[(DEPLOYMENTS.plural, "demo", names["v1"])]
    assert (old["spec"]["replicas"], phase(cluster, "v1")) == (0, "Retired")


async def test_an_unsigned_version_is_rejected_and_starts_nothing(
    cluster: FakeCluster, operator: Operator, outside: Instant
) -> None:
    await operator.run(20)
    outside.refused.add("v2")
    cluster.change(template=template("v2"))
    await operator.run()
    names = images(cluster)
    assert cluster.serving() == names["v1"]
    assert phase(cluster, "v2") == "Rejected"
    assert (DEPLOYMENTS.plural, "demo", names["v2"]) not in cluster.objects
    assert cluster.release()["status"]["phase"] == "Rejected"


async def test_a_failing_version_is_reverted(
    cluster: FakeCluster, operator: Operator, outside: Instant
) -> None:
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(5)
    names = images(cluster)
    outside.failing.add(names["v2"])
    await operator.run(2)
    assert cluster.serving() == names["v1"]
    assert phase(cluster, "v2") == "Failed"
    assert cluster.release()["status"]["phase"] == "Reverted"
    writes = len(cluster.writes)
    await operator.run(60, step=5)
    assert cluster.serving() == names["v1"], "not tried again"
    assert [item for item in cluster.writes[writes:] if item.startswith("create")] == []


async def test_a_version_whose_pods_all_crash_is_reverted(
    cluster: FakeCluster, operator: Operator
) -> None:
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(5)
    names = images(cluster)
    cluster.sick[names["v2"]] = {
        "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    await operator.run()
    assert cluster.serving() == names["v1"]
    assert phase(cluster, "v2") == "Failed"


async def test_a_changed_selector_is_put_back(cluster: FakeCluster, operator: Operator) -> None:
    await operator.run(20)
    name = images(cluster)["v1"]
    service = cluster.objects[(SERVICES.plural, "demo", "shop")]
    selector = {**service["spec"]["selector"], REVISION_LABEL: "elsewhere"}
    cluster.put(SERVICES, {**service, "spec": {**service["spec"], "selector": selector}})
    await operator.run()
    assert cluster.serving() == name


async def test_a_service_of_somebody_else_is_never_overwritten(
    cluster: FakeCluster, operator: Operator
) -> None:
    foreign = {"metadata": {"name": "shop", "namespace": "demo"}, "spec": {"selector": {"a": "b"}}}
    cluster.put(SERVICES, foreign)
    for _ in range(20):
        cluster.settle()
        operator.observe()
        await operator.controller.handle(KEY)
    assert cluster.objects[(SERVICES.plural, "demo", "shop")]["spec"] == {"selector": {"a": "b"}}
    status = cluster.release()["status"]
    stalled = next(item for item in status["conditions"] if item["type"] == "Stalled")
    assert (status["phase"], stalled["reason"]) == ("Degraded", "NameConflict")
    assert "Service/shop" in stalled["message"]
    cluster.remove(SERVICES, "demo", "shop")
    await operator.run()
    assert cluster.serving() == images(cluster)["v1"]


async def test_a_deleted_release_leaves_nothing(cluster: FakeCluster, operator: Operator) -> None:
    await operator.run(5)
    cluster.remove(RELEASES, "demo", "shop")
    await operator.run()
    cluster.settle()
    assert {plural for plural, _, _ in cluster.objects} <= {"pods", "endpointslices"}


def _rollback() -> dict[str, object]:
    return {
        "metadata": {"name": "back", "namespace": "demo"},
        "spec": {"release": "shop", "action": "Rollback", "reason": "a person said so"},
    }


STORIES = {
    "a blue-green release": ([], "v2", {"v1": "Superseded", "v2": "Active"}),
    "a revert": (["fail v2"], "v1", {"v1": "Active", "v2": "Failed"}),
    "a rollback": (["roll back"], "v1", {"v1": "Active", "v2": "Failed"}),
}


@pytest.mark.parametrize("story", STORIES)
async def test_killed_before_and_after_every_write_it_comes_to_the_same_end(story: str) -> None:
    steps, serves, phases = STORIES[story]
    settled, before = FakeCluster(), Instant()
    settled.put(RELEASES, manifest())
    await Operator(settled, before).run(20)
    total = 0
    point = 0
    while point <= 2 * total:
        cluster, outside = deepcopy(settled), Instant(now=before.now)
        operator = Operator(cluster, outside)
        await operator.run()
        first = len(cluster.writes)

        def kill(
            number: int,
            done: bool,
            first: int = first,
            point: int = point,
            at: FakeCluster = cluster,
        ) -> None:
            if 2 * (number - first) + int(done) == point:
                at.interrupt = lambda number, done: None
                raise Killed

        cluster.interrupt = kill
        await _with_restarts(steps, cluster, operator, outside)
        names = images(cluster)
        assert cluster.serving() == names[serves], f"killed at {point}"
        assert {version: phase(cluster, version) for version in phases} == phases
        for action in (
            obj for (plural, _, _), obj in cluster.objects.items() if plural == "releaseactions"
        ):
            assert action["status"]["phase"] == "Succeeded"
        total = max(total, len(cluster.writes) - first)
        point += 1
    assert total > 5, "the story writes something"


async def _with_restarts(
    steps: list[str], cluster: FakeCluster, operator: Operator, outside: Instant
) -> None:
    cluster.change(template=template("v2"))
    await _survive(operator)
    if "fail v2" in steps:
        outside.failing.add(images(cluster)["v2"])
        await _survive(operator)
    if "roll back" in steps:
        cluster.put(ACTIONS, _rollback())
        await _survive(operator)


async def _survive(operator: Operator) -> None:
    try:
        await operator.run(20, step=2)
    except Killed:
        operator.restart()
        await operator.run(20, step=2)
