"""The HTTPRoute of a release shares the traffic as its record has it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from immutablerelease.core.snapshot import RouteRecord
from immutablerelease.traffic.gateway import PROOF_HEADER, http_route, token
from immutablerelease.traffic.service import recorded
from tests.unit.traffic.routes import AT, backends, record, release, route

RELEASE = release()


def weights(route: dict[str, Any]) -> dict[str, int]:
    return {
        backend["name"]: backend["weight"] for backend in route["spec"]["rules"][-1]["backendRefs"]
    }


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


def test_the_record_is_read_back_from_the_same_object() -> None:
    said = record(candidate="shop-2", weight=10, previous="shop-0")
    assert recorded(route(RELEASE, said)) == said


def test_what_drained_is_left_out_and_proves_nothing_new() -> None:
    said = record(previous="shop-0")
    before = route(RELEASE, said)
    after = route(RELEASE, said, drained=True)
    assert weights(before) == {"shop-1": 100, "shop-0": 0}
    assert weights(after) == {"shop-1": 100}
    assert token(before) == token(after)


def test_no_service_is_referred_to_that_is_not_there() -> None:
    said = record(candidate="shop-2", weight=10, mirror=5, previous="shop-0")
    asked = release(preview={"header": "x-try", "value": "yes"})
    made = http_route(asked, said, backends(asked, "shop-1"))
    assert weights(made) == {"shop-1": 100}
    assert "shop-2" not in str(made["spec"])
    assert "shop-0" not in str(made["spec"])


def test_every_record_has_a_token_of_its_own() -> None:
    first = record()
    other = replace(first, revision="shop-2")
    again = replace(first, at=AT + timedelta(seconds=1))
    assert len({token(route(RELEASE, said)) for said in (first, other, again)}) == 3
    assert token(route(RELEASE, first)) == token(route(RELEASE, first))


def test_what_is_asked_of_the_gateway_changes_the_token() -> None:
    asked = [release(), release(hostnames=["a.example.com"]), release(paths=["/a"])]
    assert len({token(route(one, record())) for one in asked}) == 3


def test_the_first_rule_answers_nobody_but_who_knows_the_token() -> None:
    asked = release(paths=["/a", "/b"])
    made = route(asked, record())
    proof = made["spec"]["rules"][0]
    assert "backendRefs" not in proof
    for match, path in zip(proof["matches"], ("/a", "/b"), strict=True):
        assert match["path"] == {"type": "PathPrefix", "value": path}
        assert match["headers"] == [{"type": "Exact", "name": PROOF_HEADER, "value": token(made)}]


def test_traffic_is_for_the_hosts_and_paths_asked_for() -> None:
    asked = release(hostnames=["shop.example.com"], paths=["/a"], port="admin")
    spec = route(asked, record())["spec"]
    assert spec["parentRefs"] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": "public",
            "namespace": "infra",
        }
    ]
    assert spec["hostnames"] == ["shop.example.com"]
    assert [match["path"]["value"] for match in spec["rules"][-1]["matches"]] == ["/a"]
    assert spec["rules"][-1]["backendRefs"][0]["port"] == 81


def test_a_preview_by_header_reaches_the_candidate_alone() -> None:
    asked = release(preview={"header": "x-try", "value": "yes"})
    _, preview, _ = route(asked, record(candidate="shop-2"))["spec"]["rules"]
    assert preview["matches"][0]["headers"] == [{"type": "Exact", "name": "x-try", "value": "yes"}]
    assert [backend["name"] for backend in preview["backendRefs"]] == ["shop-2"]
    assert preview["backendRefs"][0]["weight"] == 1


def test_without_a_candidate_there_is_no_preview() -> None:
    asked = release(preview={"header": "x-try", "value": "yes"})
    assert len(route(asked, record())["spec"]["rules"]) == 2


@pytest.mark.parametrize(
    ("sent", "matches"),
    [
        ("try=v1.0", True),
        ("a=b; try=v1.0", True),
        ("try=v1.0; a=b", True),
        ("a=b;try=v1.0;c=d", True),
        ("try=v1x0", False),
        ("retry=v1.0", False),
        ("try=v1.01", False),
        ("a=try=v1.0", False),
    ],
)
def test_a_preview_by_cookie_reads_that_cookie_alone(sent: str, matches: bool) -> None:
    asked = release(preview={"cookie": "try", "value": "v1.0"})
    header = route(asked, record(candidate="shop-2"))["spec"]["rules"][1]["matches"][0]["headers"][
        0
    ]
    assert (header["type"], header["name"]) == ("RegularExpression", "Cookie")
    assert bool(re.search(header["value"], sent)) is matches
    assert bool(re.fullmatch(header["value"], sent)) is matches


def test_requests_are_copied_in_the_part_asked_for() -> None:
    said = record(candidate="shop-2", mirror=20)
    rule = route(RELEASE, said)["spec"]["rules"][-1]
    (filter_,) = rule["filters"]
    assert filter_["type"] == "RequestMirror"
    assert filter_["requestMirror"]["percent"] == 20
    assert filter_["requestMirror"]["backendRef"]["name"] == "shop-2"


def test_nothing_is_copied_where_the_gateway_cannot() -> None:
    said = record(candidate="shop-2", mirror=20)
    made = http_route(RELEASE, said, backends(RELEASE, mirrors=False))
    assert "RequestMirror" not in str(made)
    assert weights(made) == {"shop-1": 100, "shop-2": 0}


def test_a_mesh_is_asked_by_the_service_that_its_clients_call() -> None:
    mesh = release(parentRefs=[{"group": "", "kind": "Service", "name": "shop", "port": 80}])
    assert route(mesh, record())["spec"]["parentRefs"] == [
        {"group": "", "kind": "Service", "name": "shop", "port": 80}
    ]
