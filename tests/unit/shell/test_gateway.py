"""A release behind a gateway: what is written, in which order, and what it waits for."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from immutablerelease.api.meta import REVISION_LABEL, ROUTE_ANNOTATION
from immutablerelease.core.plan import MoveTraffic
from immutablerelease.runtime.client import (
    ACTIONS,
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    PODS,
    RELEASES,
    REVISIONS,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    Kind,
    Object,
    Unavailable,
)
from immutablerelease.runtime.execute import Executor
from immutablerelease.runtime.gateways import Gateways
from immutablerelease.runtime.routing import MovedMeanwhile
from immutablerelease.runtime.store import Store
from immutablerelease.traffic.service import recorded, write_record

from .fake_cluster import FakeCluster, Killed
from .harness import KEY, Instant, Operator, manifest, template

GATEWAY = {"gateway": {"parentRefs": [{"name": "public"}]}}
STEPS = [{"weight": 20, "hold": "5s"}, {"weight": 60, "hold": "5s"}]
CANARY = {"canary": {"steps": STEPS}}


class World:
    """A release behind a gateway, and its operator."""

    def __init__(self, cluster: FakeCluster | None = None) -> None:
        self.cluster = cluster or FakeCluster()
        self.cluster.put(RELEASES, manifest(traffic=GATEWAY))
        self.outside = Instant()
        self.operator = Operator(self.cluster, self.outside)
        # Weights as they were written, one after the other.
        self.seen: list[dict[str, int]] = []

    async def run(self, seconds: float = 0.0, step: float = 1.0) -> None:
        await self.operator.run(seconds, step)

    def deploy(self, version: str, **spec: Any) -> None:
        self.cluster.change(template=template(version), **spec)

    def revision(self, version: str) -> str:
        for obj in self.cluster.of(REVISIONS):
            if obj["spec"]["images"][0]["source"].endswith(f":{version}"):
                return str(obj["metadata"]["name"])
        raise AssertionError(f"no revision of {version}")

    @property
    def route(self) -> dict[str, Any] | None:
        return next(iter(self.cluster.of(HTTP_ROUTES)), None)

    def weights(self) -> dict[str, int]:
        """Weights by version."""
        assert self.route is not None
        named = {
            obj["metadata"]["name"]: obj["spec"]["images"][0]["source"].rpartition(":")[2]
            for obj in self.cluster.of(REVISIONS)
        }
        backends = self.route["spec"]["rules"][-1]["backendRefs"]
        return {named[one["name"]]: one["weight"] for one in backends}

    def condition(self, kind: str) -> dict[str, Any]:
        conditions = self.cluster.release()["status"]["conditions"]
        return next((dict(one) for one in conditions if one["type"] == kind), {})

    def pods(self, version: str) -> int:
        """How many Pods a version has."""
        labels = [obj["metadata"]["labels"] for obj in self.cluster.of(PODS)]
        return [one[REVISION_LABEL] for one in labels].count(self.revision(version))

    def phase(self, version: str) -> str:
        name = self.revision(version)
        return str(self.cluster.objects[("releaserevisions", "demo", name)]["status"]["phase"])


@pytest.fixture
def world() -> World:
    return World()


def route_writes(world: World) -> list[str]:
    return [
        write
        for write in world.cluster.writes
        if write in ("apply HTTPRoute", "apply Service", "delete HTTPRoute")
    ]


async def test_the_route_is_written_first_and_the_service_follows(world: World) -> None:
    await world.run()
    assert world.weights() == {"v1": 100}
    assert world.cluster.serving() == world.revision("v1")
    assert route_writes(world) == ["apply HTTPRoute", "apply Service"]
    assert world.route is not None
    service = world.cluster.objects[("services", "demo", "shop")]
    records = {obj["metadata"]["annotations"][ROUTE_ANNOTATION] for obj in (world.route, service)}
    assert len(records) == 1
    assert world.condition("Ready")["status"] == "True"


async def test_at_rest_nothing_is_written(world: World) -> None:
    await world.run(30)
    before = len(world.cluster.writes)
    await world.run(600, step=10)
    world.operator.restart()
    await world.run(60, step=10)
    assert world.cluster.writes[before:] == []


async def test_a_candidate_is_added_without_traffic_first(world: World) -> None:
    await world.run(30)
    world.outside.proofs.lags = True
    world.deploy("v2")
    await world.run(20)
    assert world.weights() == {"v1": 100, "v2": 0}
    assert world.cluster.serving() == world.revision("v1")
    world.outside.proofs.lags = False
    await world.run(1)
    assert world.weights() == {"v2": 100, "v1": 0}
    await world.run(15)
    assert world.weights() == {"v2": 100}


async def test_a_preview_is_there_while_somebodys_word_is_waited_for(world: World) -> None:
    preview = {"header": "x-try", "value": "yes"}
    world.cluster.change(
        strategy={"blueGreen": {"promotion": "Manual"}},
        traffic={"gateway": {**GATEWAY["gateway"], "preview": preview}},
    )
    await world.run(1)
    promote = {"release": "shop", "action": "Promote", "reason": "the test"}
    for number, version in enumerate(("v1", "v2")):
        world.deploy(version)
        await world.run(30)
        assert world.condition("Ready")["reason"] == "AwaitingPromotion"
        if version == "v2":
            assert world.weights() == {"v1": 100, "v2": 0}
            assert world.route is not None
            (previewed,) = world.route["spec"]["rules"][1]["backendRefs"]
            assert previewed["name"] == world.revision("v2")
        name = {"name": f"promote-{number}", "namespace": "demo"}
        world.cluster.put(ACTIONS, {"metadata": name, "spec": promote})
        await world.run(2)
        assert world.weights()[version] == 100


async def test_a_gateway_that_never_routes_by_it_ends_the_attempt(world: World) -> None:
    await world.run(30)
    world.outside.proofs.lags = True
    world.deploy("v2", health={**manifest()["spec"]["health"], "progressDeadline": "20s"})
    await world.run(40)
    assert world.phase("v2") == "Failed"
    assert "an address is late" in str(world.condition("Stalled"))
    assert world.cluster.serving() == world.revision("v1")


async def test_a_gateway_that_refuses_ends_the_attempt(world: World) -> None:
    await world.run(30)
    world.cluster.accepts = False
    world.deploy("v2", health={**manifest()["spec"]["health"], "progressDeadline": "20s"})
    await world.run(40)
    assert world.phase("v2") == "Failed"
    assert "Accepted is False: Because" in str(world.condition("Stalled"))


async def test_a_step_counts_from_when_it_is_proven(world: World) -> None:
    world.cluster.change(strategy=CANARY)
    await world.run(30)
    world.deploy("v2")
    await world.run(2)
    assert world.weights() == {"v1": 80, "v2": 20}

    def interrupt(number: int, done: bool) -> None:
        if done and world.weights()["v2"] == 60:
            world.outside.proofs.lags = True

    world.cluster.interrupt = interrupt
    await world.run(10)
    assert world.weights() == {"v1": 40, "v2": 60}
    world.cluster.interrupt = lambda number, done: None
    await world.run(20)
    assert world.weights() == {"v1": 40, "v2": 60}, "held until it is proven"
    world.outside.proofs.lags = False
    await world.run(4)
    assert world.weights() == {"v1": 40, "v2": 60}
    await world.run(5)
    assert world.weights()["v2"] == 100


async def test_a_revert_is_one_write_of_the_route(world: World) -> None:
    await world.run(30)
    world.deploy("v2")
    await world.run(15)
    world.outside.failing.add(world.revision("v2"))
    before = len(route_writes(world))
    await world.run(1)
    assert world.weights() == {"v1": 100, "v2": 0}
    assert route_writes(world)[before:] == ["apply HTTPRoute", "apply Service"]
    assert world.cluster.serving() == world.revision("v1")


async def test_a_status_that_was_written_meanwhile_holds_nothing_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.run(30)
    world.deploy("v2")
    await world.run(15)
    read = world.cluster.get
    left = [3]

    async def busy(kind: Kind, namespace: str, name: str) -> Object:
        found = await read(kind, namespace, name)
        if kind is HTTP_ROUTES and left[0]:
            left[0] -= 1
            world.cluster.put(HTTP_ROUTES, {**found, "status": {"parents": []}})
        return found

    monkeypatch.setattr(world.cluster, "get", busy)
    world.outside.failing.add(world.revision("v2"))
    await world.run(1)
    assert left == [0]
    assert world.weights() == {"v1": 100, "v2": 0}
    assert "error" not in world.operator.told.results


async def test_a_record_that_was_written_meanwhile_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before the read that precedes the write, nor between the two."""
    await world.run(30)
    seen = world.operator.observer.snapshot(KEY)
    assert seen is not None
    assert seen.route.record is not None
    route = deepcopy(world.route)
    assert route is not None
    newer = replace(seen.route.record, at=world.outside.now + timedelta(seconds=5))
    route["metadata"]["annotations"][ROUTE_ANNOTATION] = write_record(newer)
    other = Executor(world.cluster, Store(), Gateways(world.cluster, lambda namespace: {}))
    move = MoveTraffic(replace(seen.route.record, at=world.outside.now))
    read = world.cluster.get

    async def overtaken(kind: Kind, namespace: str, name: str) -> Object:
        found = await read(kind, namespace, name)
        if kind is HTTP_ROUTES:
            world.cluster.put(HTTP_ROUTES, route)
        return found

    monkeypatch.setattr(world.cluster, "get", overtaken)
    with pytest.raises(Conflict):
        await other.carry_out(seen, move)
    with pytest.raises(MovedMeanwhile):
        await other.carry_out(seen, move)
    assert world.route is not None
    assert recorded(world.route) == newer


async def test_an_end_between_the_two_writes_loses_nothing(world: World) -> None:
    await world.run(30)
    world.deploy("v2")

    def interrupt(number: int, done: bool) -> None:
        newest = world.cluster.writes[-1] if done else ""
        if newest == "apply HTTPRoute" and world.weights().get("v2") == 100:
            world.cluster.interrupt = lambda number, done: None
            raise Killed

    world.cluster.interrupt = interrupt
    with pytest.raises(Killed):
        await world.run(20)
    assert world.cluster.serving() == world.revision("v1")
    world.operator.restart()
    await world.run(30)
    assert world.weights() == {"v2": 100}
    assert world.cluster.serving() == world.revision("v2")
    assert world.phase("v2") == "Active"
    assert world.phase("v1") == "Superseded"


def _weight(route: dict[str, Any]) -> None:
    route["spec"]["rules"][-1]["backendRefs"][0]["weight"] = 0


def _record(route: dict[str, Any]) -> None:
    route["metadata"]["annotations"][ROUTE_ANNOTATION] = "{}"


@pytest.mark.parametrize("change", [_weight, _record])
async def test_what_somebody_changed_is_changed_back(
    world: World, change: Callable[[dict[str, Any]], None]
) -> None:
    await world.run(30)
    assert world.route is not None
    tampered = deepcopy(world.route)
    change(tampered)
    world.cluster.put(HTTP_ROUTES, tampered)
    await world.run(2)
    assert world.weights() == {"v1": 100}
    await world.run(2)
    assert world.condition("Ready")["status"] == "True"


async def test_a_route_that_somebody_deleted_is_made_again(world: World) -> None:
    await world.run(30)
    world.cluster.remove(HTTP_ROUTES, "demo", "shop")
    await world.run(2)
    assert world.weights() == {"v1": 100}


async def test_hosts_that_changed_are_written_and_proven_anew(world: World) -> None:
    await world.run(30)
    world.outside.proofs.lags = True
    world.cluster.change(
        traffic={"gateway": {**GATEWAY["gateway"], "hostnames": ["a.example.com"]}}
    )
    await world.run(2)
    assert world.route is not None
    assert world.route["spec"]["hostnames"] == ["a.example.com"]
    assert world.condition("Reconciling")["reason"] == "RouteNotProven"
    world.outside.proofs.lags = False
    await world.run(2)
    assert world.condition("Ready")["status"] == "True"


async def test_a_gateway_may_be_asked_for_later(world: World) -> None:
    world.cluster.change(traffic={})
    await world.run(30)
    assert world.route is None
    world.cluster.change(traffic=GATEWAY)
    await world.run(2)
    assert world.weights() == {"v1": 100}
    assert world.condition("Ready")["status"] == "True"


async def test_a_gateway_that_is_not_asked_for_any_more_loses_its_route(world: World) -> None:
    await world.run(30)
    world.cluster.change(traffic={})
    await world.run(2)
    assert world.route is None
    assert route_writes(world)[-2:] == ["apply Service", "delete HTTPRoute"]
    assert world.cluster.serving() == world.revision("v1")


async def test_without_the_gateway_api_the_service_serves_and_says_so(world: World) -> None:
    world.cluster.absent = {"httproutes"}
    await world.run(30)
    assert world.cluster.serving() == world.revision("v1")
    assert world.condition("Stalled")["reason"] == "GatewayApiMissing"
    before = len(world.cluster.writes)
    await world.run(120, step=10)
    assert world.cluster.writes[before:] == []


async def test_without_the_gateway_api_a_revert_is_made_all_the_same(world: World) -> None:
    await world.run(30)
    world.deploy("v2")
    await world.run(15)
    world.cluster.absent = {"httproutes"}
    world.cluster.objects.pop(("httproutes", "demo", "shop"))
    world.outside.failing.add(world.revision("v2"))
    await world.run(5)
    assert world.cluster.serving() == world.revision("v1")


async def test_a_gateway_api_that_is_installed_later_is_used(world: World) -> None:
    world.cluster.absent = {"httproutes"}
    await world.run(30)
    world.cluster.absent.clear()
    await world.run(20)
    assert world.weights() == {"v1": 100}
    assert world.condition("Ready")["status"] == "True"


async def test_somebody_elses_route_is_never_overwritten(world: World) -> None:
    foreign = {"metadata": {"name": "shop", "namespace": "demo"}, "spec": {"parentRefs": []}}
    world.cluster.put(HTTP_ROUTES, foreign)
    await world.run(5)
    assert world.condition("Stalled")["reason"] == "NameConflict"
    assert "HTTPRoute/shop" in world.condition("Stalled")["message"]
    assert world.route is not None
    assert world.route["spec"] == foreign["spec"]
    world.cluster.remove(HTTP_ROUTES, "demo", "shop")
    await world.run(20)
    assert world.weights() == {"v1": 100}


async def test_the_port_of_a_revision_follows_its_manifest(world: World) -> None:
    await world.run(30)
    ports = [{"name": "http", "port": 81, "targetPort": 8080}]
    world.cluster.change(service={"ports": ports})
    await world.run(5)
    service = world.cluster.objects[("services", "demo", world.revision("v1"))]
    assert [port["port"] for port in service["spec"]["ports"]] == [81]
    assert world.route is not None
    assert world.route["spec"]["rules"][-1]["backendRefs"][0]["port"] == 81
    assert world.condition("Ready")["status"] == "True"


@pytest.mark.parametrize("features", [["HTTPRouteRequestPercentageMirror"], []])
async def test_requests_are_copied_only_where_the_gateway_says_it_can(
    world: World, features: list[str]
) -> None:
    world.cluster.put(
        GATEWAYS,
        {
            "metadata": {"name": "public", "namespace": "demo"},
            "spec": {"gatewayClassName": "some"},
        },
    )
    told = {"supportedFeatures": [{"name": name} for name in features]}
    world.cluster.put(
        GATEWAY_CLASSES, {"metadata": {"name": "some", "namespace": ""}, "status": told}
    )
    steps = [{"weight": 0, "mirror": 10, "hold": "60s"}]
    world.cluster.change(
        strategy={"canary": {"steps": steps}},
        health={**manifest()["spec"]["health"], "progressDeadline": "20s"},
    )
    await world.run(30)
    world.deploy("v2")
    await world.run(10)
    assert ("RequestMirror" in str(world.route)) is bool(features)
    await world.run(30)
    if features:
        assert world.phase("v2") == "Shifting"
    else:
        assert world.phase("v2") == "Failed"
        assert "HTTPRouteRequestPercentageMirror" in world.condition("Stalled")["message"]


async def test_an_abort_takes_the_candidate_out(world: World) -> None:
    world.cluster.change(strategy={"canary": {"steps": [{"weight": 20, "pause": True}]}})
    await world.run(30)
    world.deploy("v2")
    await world.run(5)
    assert world.weights() == {"v1": 80, "v2": 20}
    action = {"release": "shop", "action": "Abort", "reason": "the test"}
    world.cluster.put(ACTIONS, {"metadata": {"name": "abort", "namespace": "demo"}, "spec": action})
    await world.run(2)
    assert world.weights() == {"v1": 100, "v2": 0}
    await world.run(20)
    assert world.weights() == {"v1": 100}


class Particular(FakeCluster):
    """Takes no HTTPRoute while it does not like it."""

    refusal: ApiError | None = None
    # How often, at most.
    patience = math.inf
    attempts = 0

    async def apply(
        self, kind: Kind, namespace: str, obj: Object, *, subresource: str = ""
    ) -> Object:
        if kind is HTTP_ROUTES and self.refusal is not None and self.attempts < self.patience:
            self.attempts += 1
            raise self.refusal
        return await super().apply(kind, namespace, obj, subresource=subresource)


@pytest.mark.parametrize(
    "refusal",
    [
        Invalid("sectionName must be unique", about="apply", code=422),
        Forbidden("denied by a webhook", about="apply", code=403),
        Unavailable("failed calling webhook", about="apply", code=500),
    ],
    ids=["invalid", "forbidden", "a webhook that is down"],
)
async def test_a_route_that_is_refused_holds_no_revert_up_and_is_told(refusal: ApiError) -> None:
    cluster = Particular()
    world = World(cluster)
    await world.run(20)
    world.deploy("v2")
    await world.run(30)
    assert world.cluster.serving() == world.revision("v2")
    cluster.refusal = refusal
    parents = [{"name": "public"}, {"name": "public"}]
    cluster.change(traffic={"gateway": {"parentRefs": parents}})
    await world.run(10)
    stalled = world.condition("Stalled")
    assert stalled["reason"] == "RouteRefused"
    assert refusal.message in stalled["message"]
    assert "spec.traffic" in stalled["message"]
    world.outside.failing.add(world.revision("v2"))
    await world.run(3)
    assert world.cluster.serving() == world.revision("v1")
    assert world.phase("v2") == "Failed"
    # Nobody knows where the gateway sends requests: those who may get them stay.
    known = cluster.attempts
    await world.run(120, step=5)
    assert world.pods("v2") == 2
    assert 120 / 20 <= cluster.attempts - known <= 120 / 10, "users may still be sent there"
    cluster.refusal = None
    cluster.change(traffic=GATEWAY)
    await world.run(3)
    assert world.weights() == {"v1": 100, "v2": 0}
    await world.run(30)
    assert world.condition("Ready")["reason"] == "Reverted"
    assert world.pods("v2") == 0


async def test_one_answer_that_the_api_server_could_not_give_stalls_nothing() -> None:
    cluster = Particular()
    world = World(cluster)
    await world.run(20)
    cluster.refusal = Unavailable("etcd has no leader", about="apply", code=500)
    cluster.patience = 1
    asked = {"parentRefs": [{"name": "public"}], "hostnames": ["shop.example.com"]}
    cluster.change(traffic={"gateway": asked})
    for _ in range(20):
        await world.run(0.5, step=0.5)
        stalled = world.condition("Stalled").get("status")
        assert stalled != "True", "whoever waits for the release would give it up"
    assert cluster.attempts == 1
    assert world.weights() == {"v1": 100}
    assert world.condition("Ready")["status"] == "True"


async def test_a_first_release_whose_route_is_refused_serves_by_its_service() -> None:
    cluster = Particular()
    cluster.refusal = Invalid("sectionName must be unique", about="apply", code=422)
    world = World(cluster)
    await world.run(10)
    assert cluster.serving() == world.revision("v1")
    assert world.condition("Stalled")["reason"] == "RouteRefused"
    cluster.refusal = None
    await world.run(20)
    assert world.weights() == {"v1": 100}
    assert world.condition("Ready")["status"] == "True"
