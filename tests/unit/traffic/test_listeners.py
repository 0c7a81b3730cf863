"""Where a Gateway takes the requests of a release, so that all of it can be asked."""

from typing import Any

import pytest

from immutablerelease.api.traffic import GatewayRoute, ParentReference
from immutablerelease.traffic.listeners import Door, Namespace, Shut, doors

INSIDE = Namespace("demo", {"team": "shop"})


def listener(**changes: Any) -> dict[str, Any]:
    said = {"name": "web", "port": 80, "protocol": "HTTP"}
    return {**said, "allowedRoutes": {"namespaces": {"from": "All"}}, **changes}


def gateway(
    *listeners: dict[str, Any], addresses: tuple[str, ...] = ("10.0.0.1",)
) -> dict[str, Any]:
    return {
        "metadata": {"name": "public", "namespace": "infra"},
        "spec": {"listeners": list(listeners or (listener(),))},
        "status": {"addresses": [{"value": address} for address in addresses]},
    }


def find(
    at: dict[str, Any], *hosts: str, paths: tuple[str, ...] = ("/",), **parent: Any
) -> tuple[Door, ...]:
    reference = ParentReference(name="public", namespace="infra", **parent)
    return doors(
        GatewayRoute(parent_refs=(reference,), hostnames=hosts, paths=paths), reference, at, INSIDE
    )


def test_every_address_and_host_is_a_door() -> None:
    found = find(gateway(addresses=("10.0.0.1", "fd00::1")), "a.example.com", "b.example.com")
    assert {(door.address, door.host) for door in found} == {
        (address, host)
        for address in ("10.0.0.1", "fd00::1")
        for host in ("a.example.com", "b.example.com")
    }


def test_the_path_is_one_that_the_route_answers_to() -> None:
    assert find(gateway(), paths=("/api", "/b"))[0].path == "/api"


def test_every_listener_for_http_counts() -> None:
    at = gateway(
        listener(),
        listener(name="tls", port=443, protocol="HTTPS"),
        listener(name="raw", port=9000, protocol="TCP"),
        listener(name="through", port=9443, protocol="TLS"),
    )
    assert [(door.port, door.secure) for door in find(at)] == [(80, False), (443, True)]


@pytest.mark.parametrize("parent", [{"section_name": "tls"}, {"port": 443}])
def test_a_reference_may_mean_one_listener(parent: dict[str, Any]) -> None:
    at = gateway(listener(), listener(name="tls", port=443, protocol="HTTPS"))
    assert [door.port for door in find(at, **parent)] == [443]


@pytest.mark.parametrize(
    ("listens", "asked", "host"),
    [
        (None, (), "route-proof.immutablerelease.invalid"),
        ("a.example.com", (), "a.example.com"),
        ("*.example.com", (), "route-proof.example.com"),
        (None, ("a.example.com",), "a.example.com"),
        ("*.example.com", ("a.example.com",), "a.example.com"),
        ("a.example.com", ("*.example.com",), "a.example.com"),
        ("*.example.com", ("*.a.example.com",), "route-proof.a.example.com"),
        ("*.a.example.com", ("*.example.com",), "route-proof.a.example.com"),
        ("*.example.com", ("other.org", "a.example.com"), "a.example.com"),
    ],
)
def test_the_host_is_one_that_both_answer_to(
    listens: str | None, asked: tuple[str, ...], host: str
) -> None:
    said = {"hostname": listens} if listens else {}
    assert [door.host for door in find(gateway(listener(**said)), *asked)] == [host]


@pytest.mark.parametrize(
    ("namespaces", "let_in"),
    [
        ({"from": "All"}, True),
        ({}, False),
        ({"from": "Same"}, False),
        ({"from": "None"}, False),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "other"}}}, False),
        (
            {
                "from": "Selector",
                "selector": {
                    "matchExpressions": [
                        {"key": "team", "operator": "In", "values": ["shop"]},
                        {"key": "team", "operator": "NotIn", "values": ["other"]},
                        {"key": "team", "operator": "Exists"},
                        {"key": "old", "operator": "DoesNotExist"},
                    ]
                },
            },
            True,
        ),
        (
            {
                "from": "Selector",
                "selector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]},
            },
            False,
        ),
    ],
)
def test_a_listener_lets_some_namespaces_in(namespaces: dict[str, Any], let_in: bool) -> None:
    at = gateway(listener(allowedRoutes={"namespaces": namespaces}))
    if let_in:
        assert find(at)
    else:
        with pytest.raises(Shut, match="lets this namespace in"):
            find(at)


def test_a_gateway_without_an_address_is_shut() -> None:
    with pytest.raises(Shut, match="Gateway infra/public has no address yet"):
        find(gateway(addresses=()))


def test_a_host_that_no_listener_takes_is_shut() -> None:
    with pytest.raises(Shut, match=r"no listener of Gateway infra/public takes a\.example\.com"):
        find(gateway(listener(hostname="b.example.com")), "a.example.com")


@pytest.mark.parametrize("parent", [{"section_name": "nowhere"}, {"port": 81}])
def test_a_listener_that_is_not_there_is_shut(parent: dict[str, Any]) -> None:
    with pytest.raises(Shut, match="no listener"):
        find(gateway(), **parent)
