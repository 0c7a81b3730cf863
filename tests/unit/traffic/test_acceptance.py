"""An HTTPRoute counts as accepted only when every parent says so of its newest version."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from immutablerelease.traffic.acceptance import unaccepted
from immutablerelease.traffic.faithful import faithful
from tests.unit.traffic.routes import record, release, route

RELEASE = release()
PARENT = {"name": "public", "namespace": "infra"}


def condition(kind: str, status: str = "True", observed: int = 3) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "observedGeneration": observed,
        "reason": "Because",
        "message": "so it is",
    }


GOOD = (condition("Accepted"), condition("ResolvedRefs"))


def status(*conditions: dict[str, Any], parent: dict[str, Any] = PARENT) -> dict[str, Any]:
    return {"parentRef": parent, "controllerName": "c", "conditions": list(conditions)}


def seen(*parents: dict[str, Any]) -> dict[str, Any]:
    made = route(RELEASE, record())
    made["metadata"]["generation"] = 3
    return {**made, "status": {"parents": list(parents)}}


def test_all_have_accepted() -> None:
    assert unaccepted(RELEASE, seen(status(*GOOD))) == ""


def test_a_parent_is_the_same_whatever_is_left_to_defaults() -> None:
    full = {"group": "gateway.networking.k8s.io", "kind": "Gateway", **PARENT}
    assert unaccepted(RELEASE, seen(status(*GOOD, parent=full))) == ""


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        pytest.param([], "has not said anything", id="nobody has said anything"),
        pytest.param([status()], "Accepted is not told", id="nothing told yet"),
        pytest.param(
            [status(*GOOD, parent={"name": "public"})],
            "has not said anything",
            id="the Gateway of another namespace accepted",
        ),
        pytest.param(
            [status(*GOOD, parent={**PARENT, "sectionName": "other"})],
            "has not said anything",
            id="another listener accepted",
        ),
        pytest.param(
            [status(condition("Accepted", "False"), GOOD[1])],
            "Accepted is False: Because: so it is",
            id="refused",
        ),
        pytest.param(
            [status(GOOD[0], condition("ResolvedRefs", "False"))],
            "ResolvedRefs is False",
            id="a Service is not found",
        ),
        pytest.param(
            [status(condition("Accepted", observed=2), GOOD[1])],
            "Accepted is told of an older version",
            id="accepted what was before",
        ),
        pytest.param(
            [status(GOOD[0], condition("ResolvedRefs", observed=2))],
            "ResolvedRefs is told of an older version",
            id="resolved what was before",
        ),
        pytest.param(
            [status(*GOOD, condition("PartiallyInvalid"))], "a part", id="half of it is invalid"
        ),
        pytest.param(
            [status(*GOOD), status(condition("Accepted", "Unknown"), GOOD[1])],
            "Accepted is Unknown",
            id="one of two controllers is not sure",
        ),
    ],
)
def test_it_is_not_accepted_while(parents: list[dict[str, Any]], said: str) -> None:
    assert said in unaccepted(RELEASE, seen(*parents))


def test_every_parent_has_to_accept() -> None:
    two = release(parentRefs=[PARENT, {"name": "private"}])
    assert unaccepted(two, seen(status(*GOOD))).startswith("Gateway demo/private has not said")


def _add(key: str, value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(spec: dict[str, Any]) -> None:
        place: Any = spec
        for step in path:
            place = place[step]
        place[key] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_add("weight", 50, "rules", -1, "backendRefs", 0), id="a weight"),
        pytest.param(_add("hostnames", ["evil.example.com"]), id="a host"),
        pytest.param(_add("rules", []), id="no rules"),
        pytest.param(_add("parentRefs", [{"name": "other"}]), id="a parent"),
        pytest.param(
            _add("filters", [{"type": "RequestMirror"}], "rules", -1), id="a copy for somebody"
        ),
        pytest.param(
            _add("filters", [{"type": "URLRewrite"}], "rules", -1, "backendRefs", 0),
            id="a filter of a backend",
        ),
        pytest.param(
            _add("namespace", "evil", "rules", -1, "backendRefs", 0), id="a Service elsewhere"
        ),
        pytest.param(_add("headers", [{"name": "a"}], "rules", -1, "matches", 0), id="a match"),
    ],
)
def test_it_is_not_what_was_written_after_somebody_changed(
    change: Callable[[dict[str, Any]], None],
) -> None:
    wanted = route(RELEASE, record())
    found = deepcopy(wanted)
    change(found["spec"])
    assert faithful(wanted, wanted)
    assert not faithful(found, wanted)


def test_a_default_of_a_newer_version_of_the_kind_is_no_change() -> None:
    wanted = route(RELEASE, record())
    found = deepcopy(wanted)
    found["spec"]["rules"][-1]["novelty"] = "Default"
    assert faithful(found, wanted)


def test_what_has_drained_is_to_be_left_out() -> None:
    said = record(previous="shop-0")
    assert not faithful(route(RELEASE, said), route(RELEASE, said, drained=True))
