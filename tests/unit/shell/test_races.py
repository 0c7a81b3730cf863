"""What happened between a decision and its being carried out, or was not observed yet."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from immutablerelease.api.meta import MANAGED_BY_LABEL, MANAGER, RELEASE_LABEL, REVISION_LABEL
from immutablerelease.core.plan import EnsureService, MoveTraffic
from immutablerelease.core.snapshot import RouteRecord, Snapshot
from immutablerelease.runtime.client import RELEASES, SERVICES, Conflict, Kind, Object
from immutablerelease.runtime.execute import Executor
from immutablerelease.runtime.gateways import Gateways
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.routing import MovedMeanwhile
from immutablerelease.runtime.store import Store
from immutablerelease.runtime.targets import probe_ports
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import KEY, Instant, Operator, manifest, template


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(RELEASES, manifest())
    return made


@pytest.fixture
def operator(cluster: FakeCluster) -> Operator:
    return Operator(cluster, Instant())


def snapshot(operator: Operator) -> Snapshot:
    observer = Observer(operator.store, operator.controller._memory, operator.outside)
    found = observer.snapshot(KEY)
    assert found is not None
    return found


async def two_versions(cluster: FakeCluster, operator: Operator) -> tuple[str, str]:
    """Names of the first version and of the second, which serves."""
    await operator.run(20)
    first = cluster.serving()
    cluster.change(template=template("v2"))
    await operator.run(20)
    second = cluster.serving()
    assert first and second and first != second
    return first, second


def executor(cluster: FakeCluster, store: Store) -> Executor:
    """Another process that writes to the same cluster."""
    return Executor(cluster, store, Gateways(cluster, lambda namespace: {}))


def back_to(name: str, seen: Snapshot) -> MoveTraffic:
    record = seen.route.record
    assert record is not None
    later = record.at + timedelta(seconds=1)
    return MoveTraffic(RouteRecord(name, "Reverted", "it failed", later, previous=record.revision))


async def test_a_move_that_was_not_observed_yet_is_not_undone_by_an_older_decision(
    cluster: FakeCluster, operator: Operator
) -> None:
    first, second = await two_versions(cluster, operator)
    seen = snapshot(operator)
    await executor(cluster, Store()).carry_out(seen, back_to(first, seen))
    with pytest.raises(MovedMeanwhile):
        await executor(cluster, operator.store).carry_out(seen, back_to(second, seen))
    assert cluster.serving() == first
    assert snapshot(operator).route.selected == first, "what was found is decided on next"


async def test_ports_are_not_set_over_a_move_that_was_not_observed_yet(
    cluster: FakeCluster, operator: Operator
) -> None:
    first, _ = await two_versions(cluster, operator)
    seen = snapshot(operator)
    await executor(cluster, Store()).carry_out(seen, back_to(first, seen))
    with pytest.raises(MovedMeanwhile):
        await executor(cluster, operator.store).carry_out(seen, EnsureService())
    assert cluster.serving() == first


class Thawed(FakeCluster):
    """Somebody else moves the traffic after the live read, just before the write."""

    moves: Object | None = None

    async def apply(
        self, kind: Kind, namespace: str, obj: Object, *, subresource: str = ""
    ) -> Object:
        if self.moves is not None and kind is SERVICES:
            self.put(SERVICES, self.moves)
            self.moves = None
        return await super().apply(kind, namespace, obj, subresource=subresource)


async def test_a_move_is_not_made_over_one_that_came_after_the_live_read() -> None:
    cluster = Thawed()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    first, _ = await two_versions(cluster, operator)
    seen = snapshot(operator)
    service = deepcopy(cluster.objects[("services", "demo", "shop")])
    service["metadata"]["annotations"] = {"somebody": "else"}
    cluster.moves = service
    with pytest.raises(Conflict):
        await executor(cluster, operator.store).carry_out(seen, back_to(first, seen))
    assert cluster.serving() != first


async def test_a_process_whose_lease_has_run_out_writes_nothing_more(
    cluster: FakeCluster, operator: Operator
) -> None:
    """Also in the middle of a plan: it may have been frozen, and thawed after another took over."""
    operator.controller._leading = lambda: len(cluster.writes) < 2
    for _ in range(9):
        cluster.settle()
        operator.observe()
        await operator.controller.handle(KEY)
    assert len(cluster.writes) == 2
    assert operator.told.results[-1] == "waiting"


async def test_the_way_back_is_probed_at_its_own_port(
    cluster: FakeCluster, operator: Operator
) -> None:
    ports = {"service": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}]}}
    for version, number in (("v1", 8080), ("v2", 9090)):
        changed = template(version)
        named = {"name": "web", "containerPort": number}
        changed["spec"]["containers"][0]["ports"] = [named]
        cluster.change(template=changed, **ports)
        await operator.run(20)
    seen = snapshot(operator)
    numbers = [probe_ports(seen, name)["http"] for name in seen.revisions]
    assert numbers == [8080, 9090]


async def test_a_service_that_an_earlier_release_of_the_name_left_behind_is_told(
    cluster: FakeCluster, operator: Operator
) -> None:
    left = {"apiVersion": "v1", "kind": "ReplicaSet", "name": "x", "uid": "uid-of-another"}
    labels = {MANAGED_BY_LABEL: MANAGER, RELEASE_LABEL: "shop"}
    service: dict[str, Any] = {
        "metadata": {
            "name": "shop",
            "namespace": "demo",
            "labels": labels,
            "ownerReferences": [left],
        },
        "spec": {"selector": {RELEASE_LABEL: "shop", REVISION_LABEL: "shop-0"}},
    }
    cluster.put(SERVICES, service)
    await operator.run(20)
    conditions = {item["type"]: item for item in cluster.release()["status"]["conditions"]}
    assert conditions["Stalled"]["reason"] == "NameConflict"
    assert "Service/shop" in conditions["Stalled"]["message"]
    cluster.remove(SERVICES, "demo", "shop")
    await operator.run(20)
    assert cluster.release()["status"]["phase"] == "Active"
