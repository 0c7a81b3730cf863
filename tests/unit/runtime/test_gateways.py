"""Gateways are read when they are needed; what cannot be read is no reason to go on."""

from typing import Any

import pytest

from immutablerelease.runtime.client import GATEWAY_CLASSES, GATEWAYS, Forbidden, Kind, Object
from immutablerelease.runtime.gateways import Gateways
from immutablerelease.traffic.listeners import Shut
from immutablerelease.traffic.proof import Question
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.traffic.routes import release

FEATURE = "HTTPRouteRequestPercentageMirror"
MESH = {"group": "", "kind": "Service", "name": "shop", "port": 80}


class Setting:
    """A Gateway for all namespaces that say so, and its class."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.labels = {"public": "yes"}
        self.gateways = Gateways(self.cluster, lambda namespace: self.labels)
        selector = {"matchLabels": {"public": "yes"}}
        listener = {
            "name": "web",
            "port": 80,
            "protocol": "HTTP",
            "allowedRoutes": {"namespaces": {"from": "Selector", "selector": selector}},
        }
        self.cluster.put(
            GATEWAYS,
            {
                "metadata": {"name": "public", "namespace": "infra"},
                "spec": {"gatewayClassName": "some", "listeners": [listener]},
                "status": {"addresses": [{"value": "10.0.0.1"}]},
            },
        )
        self.supports([FEATURE])

    def supports(self, features: list[Any]) -> None:
        status = {"supportedFeatures": features}
        self.cluster.put(
            GATEWAY_CLASSES, {"metadata": {"name": "some", "namespace": ""}, "status": status}
        )

    def question(self, *parents: dict[str, Any]) -> Question:
        asked = {"parentRefs": list(parents)} if parents else {}
        gateway = release(**asked).spec.traffic.gateway
        assert gateway is not None
        return Question("t1", "demo", gateway)


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_doors_are_those_that_let_the_namespace_in(setting: Setting) -> None:
    (door,) = await setting.gateways.doors(setting.question())
    assert (door.address, door.port) == ("10.0.0.1", 80)
    setting.labels = {}
    with pytest.raises(Shut, match="lets this namespace in"):
        await setting.gateways.doors(setting.question())


async def test_a_mesh_has_no_door(setting: Setting) -> None:
    assert await setting.gateways.doors(setting.question(MESH)) == ()


async def test_every_gateway_counts(setting: Setting) -> None:
    both = setting.question(
        {"name": "public", "namespace": "infra"}, {"name": "private", "namespace": "infra"}
    )
    with pytest.raises(Shut, match="Gateway infra/private does not exist"):
        await setting.gateways.doors(both)


async def test_one_that_may_not_be_read_is_named(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forbidden(kind: Kind, namespace: str, name: str) -> Object:
        raise Forbidden("no permission")

    monkeypatch.setattr(setting.cluster, "get", forbidden)
    with pytest.raises(Shut, match="Gateway infra/public could not be read: no permission"):
        await setting.gateways.doors(setting.question())


@pytest.mark.parametrize(
    ("features", "can"),
    [
        pytest.param([{"name": FEATURE}], True, id="said as a map"),
        pytest.param([FEATURE], True, id="said as a word, as at first"),
        pytest.param([{"name": "HTTPRouteRequestMirror"}], False, id="all or nothing"),
        pytest.param([], False, id="nothing said"),
    ],
)
async def test_requests_are_copied_where_the_class_says_that_it_can(
    setting: Setting, features: list[Any], can: bool
) -> None:
    setting.supports(features)
    assert await setting.gateways.mirror(release()) is can


async def test_where_nobody_can_be_asked_nothing_is_copied(setting: Setting) -> None:
    setting.cluster.remove(GATEWAY_CLASSES, "", "some")
    assert not await setting.gateways.mirror(release())
    setting.cluster.remove(GATEWAYS, "infra", "public")
    assert not await setting.gateways.mirror(release())


async def test_of_a_mesh_nobody_says_what_it_can(setting: Setting) -> None:
    assert await setting.gateways.mirror(release(parentRefs=[MESH]))
