"""Releases behind a real gateway: weights by HTTPRoute, each proven in the data plane."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.kube import Kube
from demo.operator_process import OperatorProcess
from devcluster import Cluster
from tests.e2e.edge import Edge, weights
from tests.e2e.shop import Shop, health

RECORD = "immutablerelease.io/route"
STEPS = [{"weight": 10, "hold": "2s"}, {"weight": 50, "hold": "2s"}, {"weight": 100, "hold": "2s"}]
PAUSES = [{"weight": 10, "pause": True}, {"weight": 50, "pause": True}]
MANUAL = {"blueGreen": {"promotion": "Manual"}}


@pytest.fixture
def edge(cluster: Cluster, kube: Kube, shop: Shop, tmp_path: Path) -> Edge:
    """The Gateway that users of the release come in by."""
    return Edge(cluster, kube, shop, tmp_path)


def canary(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"canary": {"steps": steps}}


def test_blue_green_moves_all_users_and_fails_none(shop: Shop, edge: Edge) -> None:
    v1 = shop.given_serving("v1", **edge.asked())
    fresh, kept = edge.given_users(), edge.given_users(keep_alive=10.0, rate=50.0)
    v2 = shop.when_applied("v2")
    shop.then_serves(v2)
    for users in (fresh, kept):
        users.await_calm("v2")
        assert users.so_far().failed == 0
        assert users.so_far().versions == ["v1", "v2"]
    shop.then("v1 to be left out", lambda: edge.weights() == {v2.name: 100} or None)
    assert shop.replicas_of(v1) == 2, "what was left stays warm"
    assert shop.release.selected() == v2.name, "the Service follows"
    for users in (fresh, kept):
        assert users.so_far().failed == 0
    shop.then_phase("Active")


def test_a_candidate_that_never_passes_is_never_seen(shop: Shop, edge: Edge) -> None:
    v1 = shop.given_serving("v1", **edge.asked())
    users = edge.given_users()
    v2 = shop.when_applied("v2", {"UNHEALTHY": "1"})
    shop.then_fails(v2, "ProbeFailed")
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert users.so_far().versions == ["v1"]
    assert edge.weights() == {v1.name: 100}


@pytest.mark.alone
def test_what_fails_once_it_serves_is_left_in_one_write(shop: Shop, edge: Edge) -> None:
    v1 = shop.given_serving("v1", **edge.asked())
    users = edge.given_users()
    v2 = shop.when_applied("v2", {"FAIL_AFTER": "12"})
    shop.then_serves(v2)
    before = edge.route()["metadata"]["generation"]
    shop.then_serves(v1)
    # At once, and once: what was left is named only until it has drained.
    route = edge.route()
    record = json.loads(route["metadata"]["annotations"][RECORD])
    assert (record["revision"], record["reason"]) == (v1.name, "Reverted")
    assert weights(route) == {v1.name: 100, v2.name: 0}
    assert route["metadata"]["generation"] <= before + 2, "left out, then reverted"
    users.await_calm("v1")
    seen = users.so_far()
    assert seen.outage < 8.0
    shop.then_phase("Reverted")


def test_a_canary_moves_in_steps_and_fails_nobody(shop: Shop, edge: Edge) -> None:
    shop.given_serving("v1", strategy=canary(STEPS), **edge.asked())
    fresh, kept = edge.given_users(), edge.given_users(keep_alive=10.0, rate=50.0)
    v2 = shop.when_applied("v2")
    shop.then_serves(v2)
    for users in (fresh, kept):
        users.await_calm("v2")
        assert users.so_far().failed == 0
    shop.event("Promoted", v2)
    assert len(shop.release.events("StepReached")) == 3
    shop.then_phase("Active")


def test_shares_are_the_weights(shop: Shop, edge: Edge) -> None:
    v1 = shop.given_serving("v1", strategy=canary(PAUSES), **edge.asked())
    users = edge.given_users()
    v2 = shop.when_applied("v2")
    for index, share in ((1, 10), (2, 50)):
        shop.step_in_effect(v2, index)
        assert edge.weights() == {v1.name: 100 - share, v2.name: share}
        told = {item["revision"]: item["weight"] for item in shop.release.status()["traffic"]}
        assert told == {v1.name: 100 - share, v2.name: share}
        # More than five standard deviations of four hundred draws.
        assert abs(users.share("v2", 400) - share / 100) < 0.13
        assert shop.when_asked("Promote")["phase"] == "Succeeded"
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0


def test_a_candidate_that_fails_at_its_step_loses_its_share(shop: Shop, edge: Edge) -> None:
    v1 = shop.given_serving("v1", strategy=canary(PAUSES), **edge.asked())
    users = edge.given_users()
    v2 = shop.when_applied("v2", {"FAIL_AFTER": "12"})
    shop.step_in_effect(v2, 1)
    shop.then_fails(v2, "Reverted")
    # At once: what was left is named only until it has drained.
    assert edge.weights() == {v1.name: 100, v2.name: 0}
    users.await_calm("v1")
    seen = users.so_far()
    assert seen.failed < seen.requests / 8, "what serves goes on serving"
    shop.then_phase("Reverted")


@pytest.mark.parametrize(
    ("preview", "sent"),
    [
        pytest.param(
            {"header": "x-preview", "value": "yes"}, {"x-preview": "yes"}, id="by a header"
        ),
        pytest.param(
            {"cookie": "preview", "value": "v2.0"},
            {"Cookie": "a=b; preview=v2.0; c=d"},
            id="by a cookie",
        ),
    ],
)
def test_a_preview_reaches_the_candidate_and_nobody_else_does(
    shop: Shop, edge: Edge, preview: dict[str, str], sent: dict[str, str]
) -> None:
    shop.given_serving("v1", **edge.asked(preview=preview))
    edge.given_users()
    assert edge.version(sent) == "v1", "without a candidate all is as ever"
    v2 = shop.when_applied("v2", strategy=MANUAL)
    shop.then_phase("AwaitingPromotion")
    shop.then("the preview", lambda: edge.version(sent) == "v2" or None)
    assert edge.versions(30, sent) == {"v2": 30}
    assert edge.versions(30) == {"v1": 30}
    assert shop.when_asked("Promote")["phase"] == "Succeeded"
    shop.then_serves(v2)


def test_a_route_that_is_refused_holds_and_never_promotes(shop: Shop, edge: Edge) -> None:
    v1 = shop.given_serving("v1", **edge.asked())
    users = edge.given_users()
    nowhere = {"parentRefs": [{"name": "public", "sectionName": "nowhere"}]}
    v2 = shop.when_applied("v2", strategy=canary(STEPS), **edge.asked(**nowhere))
    # All else that it needs must be there by the time at which the deadline tells what is missing.
    shop.then(
        "it to wait for the Gateway",
        lambda: "Gateway" in shop.release.revision(v2.name).message or None,
    )
    shop.when_changed("v2", health=health(progressDeadline="8s"))
    failed = shop.then_fails(v2, "DeadlineExceeded")
    assert "Gateway" in failed.message
    assert shop.release.active() == v1.name
    assert users.so_far().versions == ["v1"]


def test_nobody_else_changes_the_route(shop: Shop, edge: Edge, kube: Kube) -> None:
    shop.given_serving("v1", **edge.asked())
    evil = {"spec": {"rules": [{"backendRefs": [{"name": "evil", "port": 80}]}]}}
    with pytest.raises(Exception, match="only the operator"):
        kube.patch("HTTPRoute", "shop", evil, shop.namespace)


def test_without_a_gateway_in_the_spec_the_route_goes(shop: Shop, edge: Edge, kube: Kube) -> None:
    v1 = shop.given_serving("v1", **edge.asked())
    shop.when_applied("v1", traffic={})
    shop.then(
        "the HTTPRoute to be gone",
        lambda: kube.find("HTTPRoute", "shop", shop.namespace) is None or None,
    )
    assert shop.release.selected() == v1.name


def test_the_operator_may_be_killed_at_any_step(
    shop: Shop, edge: Edge, operator: OperatorProcess
) -> None:
    shop.given_serving("v1", strategy=canary(STEPS), **edge.asked())
    users = edge.given_users()
    v2 = shop.when_applied("v2")
    for index in (1, 2):
        shop.step_in_effect(v2, index)
        operator.kill()
        operator.start()
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
