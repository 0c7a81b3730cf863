"""A release whose traffic Istio shares: what is written, in which order, and what it waits for."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from immutablerelease.api.meta import REVISION_LABEL, ROUTE_ANNOTATION
from immutablerelease.core.phases.sharing import SETTLE
from immutablerelease.runtime.client import (
    ACTIONS,
    DESTINATION_RULES,
    PODS,
    RELEASES,
    REVISIONS,
    VIRTUAL_SERVICES,
)

from .fake_cluster import FakeCluster, Killed
from .harness import Instant, Operator, manifest, template

ISTIO: dict[str, Any] = {"istio": {}}
GATEWAY = {"gateway": {"parentRefs": [{"name": "public"}]}}
CANARY = {
    "canary": {"steps": [{"weight": 20, "hold": "5s"}, {"weight": 60, "hold": "5s", "mirror": 10}]}
}
KINDS = ("VirtualService", "DestinationRule", "Service", "HTTPRoute")


class World:
    """A release that asks for Istio, and its operator."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.cluster.put(RELEASES, manifest(traffic=ISTIO))
        self.outside = Instant()
        self.operator = Operator(self.cluster, self.outside)

    async def run(self, seconds: float = 0.0, step: float = 1.0) -> None:
        await self.operator.run(seconds, step)

    def deploy(self, version: str, **spec: Any) -> None:
        self.cluster.change(template=template(version), **spec)

    def versions(self) -> dict[str, str]:
        """Version by name of the revision."""
        return {
            obj["metadata"]["name"]: obj["spec"]["images"][0]["source"].rpartition(":")[2]
            for obj in self.cluster.of(REVISIONS)
        }

    def revision(self, version: str) -> str:
        return {told: name for name, told in self.versions().items()}[version]

    @property
    def route(self) -> dict[str, Any] | None:
        return next(iter(self.cluster.of(VIRTUAL_SERVICES)), None)

    def rule(self) -> dict[str, Any]:
        assert self.route is not None
        return dict(self.route["spec"]["http"][-1])

    def weights(self) -> dict[str, int]:
        """Weights by version."""
        versions = self.versions()
        return {
            versions[one["destination"]["subset"]]: one["weight"] for one in self.rule()["route"]
        }

    def subsets(self) -> set[str]:
        """Versions that have a subset."""
        rules = self.cluster.of(DESTINATION_RULES)
        return {self.versions()[rule["spec"]["subsets"][0]["name"]] for rule in rules}

    def condition(self, kind: str) -> dict[str, Any]:
        conditions = self.cluster.release()["status"]["conditions"]
        return next((dict(one) for one in conditions if one["type"] == kind), {})

    def phase(self, version: str) -> str:
        name = self.revision(version)
        return str(self.cluster.objects[("releaserevisions", "demo", name)]["status"]["phase"])

    def pods(self, version: str) -> int:
        """How many Pods a version has."""
        labels = [obj["metadata"]["labels"] for obj in self.cluster.of(PODS)]
        return [one[REVISION_LABEL] for one in labels].count(self.revision(version))

    def writes(self) -> list[str]:
        """Those of the route, in turn; making the Service of a revision is none."""
        return [
            write
            for write in self.cluster.writes
            if write.split()[1] in KINDS and write != "create Service"
        ]


@pytest.fixture
def world() -> World:
    return World()


async def test_the_subset_is_there_before_it_is_named_and_the_service_follows(world: World) -> None:
    await world.run()
    assert world.weights() == {"v1": 100}
    assert world.cluster.serving() == world.revision("v1")
    assert world.writes() == ["apply DestinationRule", "apply VirtualService", "apply Service"]
    assert world.route is not None
    service = world.cluster.objects[("services", "demo", "shop")]
    records = {obj["metadata"]["annotations"][ROUTE_ANNOTATION] for obj in (world.route, service)}
    assert len(records) == 1


async def test_a_move_counts_once_proxies_had_the_time(world: World) -> None:
    await world.run(SETTLE - 2)
    assert world.condition("Reconciling")["reason"] == "RouteNotProven"
    assert "cannot be asked" in world.condition("Reconciling")["message"]
    await world.run(3)
    assert world.condition("Ready")["status"] == "True"


async def test_at_rest_nothing_is_written(world: World) -> None:
    await world.run(30)
    before = len(world.cluster.writes)
    await world.run(600, step=10)
    world.operator.restart()
    await world.run(60, step=10)
    assert world.cluster.writes[before:] == []


async def test_blue_green_adds_then_moves_then_leaves_out(world: World) -> None:
    await world.run(30)
    world.deploy("v2")
    before = len(world.writes())
    await world.run(SETTLE - 2)
    assert world.weights() == {"v1": 100, "v2": 0}
    assert world.writes()[before:] == [
        "apply DestinationRule",
        "apply VirtualService",
        "apply Service",
    ]
    await world.run(5)
    assert world.weights() == {"v2": 100, "v1": 0}
    assert world.cluster.serving() == world.revision("v2")
    await world.run(SETTLE + 1)
    assert world.weights() == {"v2": 100}
    assert world.subsets() == {"v1", "v2"}, "one that may be gone back to keeps its subset"
    assert world.writes()[before:].count("apply DestinationRule") == 1


async def test_what_was_left_keeps_its_pods_until_proxies_had_the_time(world: World) -> None:
    world.cluster.change(keepWarm="0s")
    await world.run(30)
    world.deploy("v2")
    await world.run(SETTLE + 3)
    assert world.weights() == {"v2": 100, "v1": 0}
    old = ("deployments", "demo", world.revision("v1"))
    await world.run(SETTLE - 5)
    assert world.cluster.objects[old]["spec"]["replicas"] == 2
    # What serves has to be good before the way back may grow cold.
    await world.run(120, step=5)
    assert world.cluster.objects[old]["spec"]["replicas"] == 0


async def test_steps_are_weights_and_each_counts_from_when_it_is_in_effect(world: World) -> None:
    world.cluster.change(strategy=CANARY)
    await world.run(30)
    world.deploy("v2")
    await world.run(SETTLE + 2)
    assert world.weights() == {"v1": 80, "v2": 20}
    assert "mirror" not in world.rule()
    await world.run(SETTLE)
    assert world.weights() == {"v1": 80, "v2": 20}, "its hold is not over"
    await world.run(8)
    assert world.weights() == {"v1": 40, "v2": 60}
    assert world.rule()["mirror"]["subset"] == world.revision("v2")
    assert world.rule()["mirrorPercentage"] == {"value": 10}
    await world.run(SETTLE + 8)
    assert world.weights()["v2"] == 100


async def test_a_revert_is_one_write_of_the_route_and_waits_for_nothing(world: World) -> None:
    world.cluster.change(strategy=CANARY)
    await world.run(30)
    world.deploy("v2")
    await world.run(SETTLE + 3)
    assert world.weights() == {"v1": 80, "v2": 20}
    world.outside.failing.add(world.revision("v2"))
    before = len(world.writes())
    await world.run(1)
    assert world.weights() == {"v1": 100, "v2": 0}
    assert world.writes()[before:] == ["apply VirtualService", "apply Service"]


async def test_a_revert_long_after_is_one_write_too(world: World) -> None:
    await world.run(30)
    world.deploy("v2")
    await world.run(60)
    assert world.weights() == {"v2": 100}
    world.outside.failing.add(world.revision("v2"))
    before = len(world.writes())
    await world.run(1)
    assert world.weights() == {"v1": 100, "v2": 0}
    assert world.writes()[before:] == ["apply VirtualService", "apply Service"]
    await world.run(SETTLE + 1)
    assert world.weights() == {"v1": 100}


async def test_a_preview_is_there_while_somebodys_word_is_waited_for(world: World) -> None:
    preview = {"header": "X-Try", "value": "yes"}
    world.cluster.change(
        strategy={"blueGreen": {"promotion": "Manual"}}, traffic={"istio": {"preview": preview}}
    )
    await world.run(1)
    promote = {"release": "shop", "action": "Promote", "reason": "the test"}
    world.cluster.put(ACTIONS, {"metadata": {"name": "p1", "namespace": "demo"}, "spec": promote})
    await world.run(30)
    world.deploy("v2")
    await world.run(SETTLE + 5)
    assert world.condition("Ready")["reason"] == "AwaitingPromotion"
    assert world.weights() == {"v1": 100, "v2": 0}
    assert world.route is not None
    asked = world.route["spec"]["http"][0]
    assert asked["match"][0]["headers"] == {"x-try": {"exact": "yes"}}
    assert [one["destination"]["subset"] for one in asked["route"]] == [world.revision("v2")]


async def test_istio_that_complains_of_this_version_ends_the_attempt(world: World) -> None:
    await world.run(30)
    world.deploy("v2", health={**manifest()["spec"]["health"], "progressDeadline": "40s"})
    await world.run(2)
    assert world.route is not None
    told = {
        "observedGeneration": str(world.route["metadata"]["generation"]),
        "conditions": [{"type": "PassedAnalysis", "status": "False", "reason": "errorsFound"}],
        "validationMessages": [
            {"level": "ERROR", "type": {"code": "IST0101", "name": "ReferencedResourceNotFound"}}
        ],
    }
    world.cluster.put(VIRTUAL_SERVICES, {**world.route, "status": told})
    await world.run(5)
    assert world.condition("Reconciling")["message"].endswith(
        "Istio: its analysis found errors: IST0101 ReferencedResourceNotFound"
    )
    await world.run(60)
    assert world.phase("v2") == "Failed"
    assert "IST0101" in str(world.condition("Stalled"))
    assert world.weights()["v1"] == 100


async def test_an_end_between_the_writes_loses_nothing(world: World) -> None:
    await world.run(30)
    world.deploy("v2")
    killed: list[object] = []

    def interrupt(number: int, done: bool) -> None:
        newest = world.cluster.writes[-1] if done else ""
        if newest == "apply DestinationRule":
            point: object = newest
        elif newest == "apply VirtualService":
            point = world.weights()
        else:
            return
        if point not in killed:
            killed.append(point)
            raise Killed

    world.cluster.interrupt = interrupt
    for _ in range(60):
        try:
            await world.run(1)
        except Killed:
            world.operator.restart()
    assert killed == [
        "apply DestinationRule",
        {"v1": 100, "v2": 0},
        {"v2": 100, "v1": 0},
        {"v2": 100},
    ]
    assert world.weights() == {"v2": 100}
    assert world.cluster.serving() == world.revision("v2")
    assert world.phase("v2") == "Active"


def _weight(route: dict[str, Any]) -> None:
    route["spec"]["http"][-1]["route"][0]["weight"] = 1


def _record(route: dict[str, Any]) -> None:
    route["metadata"]["annotations"][ROUTE_ANNOTATION] = "{}"


def _detour(route: dict[str, Any]) -> None:
    route["spec"]["http"][-1]["redirect"] = {"authority": "elsewhere.example.com"}


@pytest.mark.parametrize("change", [_weight, _record, _detour])
async def test_what_somebody_changed_is_changed_back(
    world: World, change: Callable[[dict[str, Any]], None]
) -> None:
    await world.run(30)
    before = deepcopy(world.route)
    tampered = deepcopy(world.route)
    assert before is not None
    assert tampered is not None
    change(tampered)
    world.cluster.put(VIRTUAL_SERVICES, tampered)
    await world.run(2)
    assert world.route is not None
    assert world.route["spec"] == before["spec"]
    await world.run(2)
    assert world.condition("Ready")["status"] == "True"


async def test_a_subset_that_somebody_changed_or_deleted_is_made_again(world: World) -> None:
    await world.run(30)
    name = world.revision("v1")
    meant = deepcopy(world.cluster.objects[("destinationrules", "demo", name)])
    tampered = deepcopy(meant)
    tampered["spec"]["subsets"][0]["labels"] = {"app": "elsewhere"}
    world.cluster.put(DESTINATION_RULES, tampered)
    await world.run(2)
    assert world.cluster.objects[("destinationrules", "demo", name)]["spec"] == meant["spec"]
    world.cluster.remove(DESTINATION_RULES, "demo", name)
    await world.run(2)
    assert world.cluster.objects[("destinationrules", "demo", name)]["spec"] == meant["spec"]


async def test_istio_that_is_not_asked_for_any_more_is_cleared_away(world: World) -> None:
    await world.run(30)
    world.cluster.change(traffic={})
    await world.run(2)
    assert world.route is None
    assert world.writes()[-2:] == ["apply Service", "delete VirtualService"]
    # A proxy that is late still looks for it; it goes with its revision.
    assert world.subsets() == {"v1"}
    assert world.cluster.serving() == world.revision("v1")


async def test_what_proxies_may_still_send_requests_to_keeps_its_pods_once_istio_is_taken_out(
    world: World,
) -> None:
    """They take as long to hear that the VirtualService is gone as to hear of another one."""
    world.cluster.change(keepWarm="0s")
    await world.run(30)
    first = world.revision("v1")
    world.deploy("v2")
    while world.cluster.serving() == first:
        await world.run(1)
    world.outside.failing.add(world.revision("v2"))
    await world.run(2)
    assert world.cluster.serving() == first
    world.cluster.change(traffic={})
    await world.run(1)
    assert world.route is None
    gone = world.outside.now
    for _ in range(60):
        if not world.pods("v2"):
            break
        await world.run(1)
    kept = (world.outside.now - gone).total_seconds()
    assert SETTLE - 2 <= kept <= SETTLE + 2


async def test_from_one_router_to_the_other_both_lead_there_before_the_old_one_goes(
    world: World,
) -> None:
    await world.run(30)
    world.cluster.change(traffic=GATEWAY)
    before = len(world.writes())
    await world.run(2)
    written = world.writes()[before:]
    assert written.index("apply HTTPRoute") < written.index("delete VirtualService")
    assert world.route is None
    assert world.condition("Ready")["status"] == "True"
    world.cluster.change(traffic=ISTIO)
    before = len(world.writes())
    await world.run(2)
    written = world.writes()[before:]
    assert written.index("apply VirtualService") < written.index("delete HTTPRoute")
    assert world.weights() == {"v1": 100}


async def test_without_istio_the_service_serves_and_says_so(world: World) -> None:
    world.cluster.absent = {"virtualservices", "destinationrules"}
    await world.run(30)
    assert world.cluster.serving() == world.revision("v1")
    assert world.condition("Stalled")["reason"] == "IstioMissing"
    assert "spec.traffic.istio" in world.condition("Stalled")["message"]
    before = len(world.cluster.writes)
    await world.run(120, step=10)
    assert world.cluster.writes[before:] == []
    world.cluster.absent.clear()
    await world.run(20)
    assert world.weights() == {"v1": 100}
    assert world.condition("Ready")["status"] == "True"


async def test_without_istio_a_revert_is_made_all_the_same(world: World) -> None:
    await world.run(30)
    world.deploy("v2")
    await world.run(60)
    world.cluster.absent = {"virtualservices", "destinationrules"}
    for key in [key for key in world.cluster.objects if key[0] in world.cluster.absent]:
        world.cluster.objects.pop(key)
    world.outside.failing.add(world.revision("v2"))
    await world.run(5)
    assert world.cluster.serving() == world.revision("v1")


async def test_somebody_elses_virtual_service_is_never_overwritten(world: World) -> None:
    foreign = {"metadata": {"name": "shop", "namespace": "demo"}, "spec": {"hosts": ["shop"]}}
    world.cluster.put(VIRTUAL_SERVICES, foreign)
    await world.run(5)
    assert world.condition("Stalled")["reason"] == "NameConflict"
    assert "VirtualService/shop" in world.condition("Stalled")["message"]
    assert world.route is not None
    assert world.route["spec"] == foreign["spec"]
    world.cluster.remove(VIRTUAL_SERVICES, "demo", "shop")
    await world.run(20)
    assert world.weights() == {"v1": 100}
