"""The VirtualService of a release shares the traffic as its record has it."""

import re
from typing import Any

import pytest

from immutablerelease.core.snapshot import RouteRecord
from immutablerelease.traffic.istio import virtual_service
from immutablerelease.traffic.service import recorded

from .meshes import FULL, PREVIEW, release, route, rule
from .routes import backends, record

RELEASE = release()


def rules(made: dict[str, Any]) -> list[dict[str, Any]]:
    return list(made["spec"]["http"])


def weights(made: dict[str, Any]) -> dict[str, int]:
    """The same on every way in."""
    shares = [
        {one["destination"]["subset"]: one["weight"] for one in rule["route"]}
        for rule in rules(made)
        if "headers" not in rule["match"][0]
    ]
    assert all(share == shares[0] for share in shares)
    assert sum(shares[0].values()) == 100
    return shares[0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(record(), {"shop-1": 100}, id="one revision has all"),
        pytest.param(
            record(candidate="shop-2"), {"shop-1": 100, "shop-2": 0}, id="added, gets nothing"
        ),
        pytest.param(
            record(candidate="shop-2", weight=10), {"shop-1": 90, "shop-2": 10}, id="a share"
        ),
        pytest.param(
            record(candidate="shop-2", weight=100),
            {"shop-1": 0, "shop-2": 100},
            id="all of it, and the way back open",
        ),
        pytest.param(
            record(previous="shop-0"), {"shop-1": 100, "shop-0": 0}, id="what lost it drains"
        ),
        pytest.param(record(previous="shop-1"), {"shop-1": 100}, id="what serves is named once"),
    ],
)
def test_weights_follow_the_record(said: RouteRecord, expected: dict[str, int]) -> None:
    assert weights(route(RELEASE, said)) == expected


def test_what_drained_is_left_out() -> None:
    assert weights(route(RELEASE, record(previous="shop-0"), drained=True)) == {"shop-1": 100}


def test_the_record_is_read_back_from_the_same_object() -> None:
    said = record(candidate="shop-2", weight=10, previous="shop-0")
    assert recorded(route(RELEASE, said)) == said


def test_no_revision_is_named_whose_service_is_not_there() -> None:
    said = record(candidate="shop-2", weight=10, mirror=5, previous="shop-0")
    asked = release(preview=PREVIEW)
    made = virtual_service(asked, said, backends(asked, "shop-1"))
    assert weights(made) == {"shop-1": 100}
    assert "shop-2" not in str(made["spec"])
    assert "shop-0" not in str(made["spec"])


def test_clients_in_the_mesh_reach_each_port_by_its_own_number() -> None:
    made = route(RELEASE, record(candidate="shop-2", weight=10))
    assert made["spec"]["hosts"] == ["shop"]
    assert made["spec"]["gateways"] == ["mesh"]
    led = {
        rule["match"][0]["port"]: {one["destination"]["port"]["number"] for one in rule["route"]}
        for rule in rules(made)
    }
    assert led == {80: {80}, 81: {81}}
    assert all(rule["match"][0]["gateways"] == ["mesh"] for rule in rules(made))


def test_clients_of_gateways_reach_the_port_asked_for() -> None:
    made = route(release(**FULL), record())
    assert made["spec"]["hosts"] == FULL["hosts"]
    assert made["spec"]["gateways"] == ["mesh", "infra/public"]
    outside = rules(made)[-1]
    assert outside["match"] == [{"gateways": ["infra/public"]}]
    assert [one["destination"]["port"] for one in outside["route"]] == [{"number": 81}]


def test_without_the_mesh_only_gateways_lead_there() -> None:
    made = route(release(hosts=["a.example.com"], gateways=["public"]), record())
    assert [rule["match"] for rule in rules(made)] == [[{"gateways": ["public"]}]]


def test_what_somebody_could_add_beside_the_rules_is_owned() -> None:
    spec = route(RELEASE, record())["spec"]
    assert (spec["tcp"], spec["tls"], spec["exportTo"]) == ([], [], [])


def test_a_preview_by_header_comes_first_and_reaches_the_candidate_alone() -> None:
    made = route(release(preview=PREVIEW), record(candidate="shop-2"))
    for asked, usual in zip(rules(made)[::2], rules(made)[1::2], strict=True):
        assert asked["match"][0]["headers"] == {"x-try": {"exact": "yes"}}
        assert {**asked["match"][0], "headers": None} == {**usual["match"][0], "headers": None}
        assert [one["destination"]["subset"] for one in asked["route"]] == ["shop-2"]


def test_without_a_candidate_there_is_no_preview() -> None:
    assert rules(route(release(preview=PREVIEW), record())) == rules(route(RELEASE, record()))


@pytest.mark.parametrize(
    ("sent", "matches"),
    [
        ("try=v1.0~beta", True),
        ("a=b; try=v1.0~beta", True),
        ("try=v1.0~beta; a=b", True),
        ("a=b;try=v1.0~beta;c=d", True),
        ("try=v1x0~beta", False),
        ("retry=v1.0~beta", False),
        ("try=v1.0~beta1", False),
        ("a=try=v1.0~beta", False),
    ],
)
def test_a_preview_by_cookie_reads_that_cookie_alone(sent: str, matches: bool) -> None:
    made = route(release(**FULL), record(candidate="shop-2"))
    expression = rules(made)[0]["match"][0]["headers"]["cookie"]["regex"]
    # Istio matches the whole header by it.
    assert bool(re.fullmatch(expression, sent)) is matches


def test_requests_are_copied_in_the_part_asked_for() -> None:
    for made in rules(route(RELEASE, record(candidate="shop-2", mirror=20))):
        port = made["match"][0]["port"]
        assert made["mirror"] == {"host": "shop-2", "subset": "shop-2", "port": {"number": port}}
        assert made["mirrorPercentage"] == {"value": 20}


def test_a_subset_is_the_pods_of_one_revision_and_goes_with_it() -> None:
    made = rule("shop-1")
    assert made["metadata"]["name"] == made["spec"]["host"] == "shop-1"
    (subset,) = made["spec"]["subsets"]
    assert subset["name"] == "shop-1"
    assert subset["labels"] == {
        "immutablerelease.io/release": "shop",
        "immutablerelease.io/revision": "shop-1",
    }
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == (
        "ReleaseRevision",
        "shop-1",
        "uid-of-shop-1",
    )
