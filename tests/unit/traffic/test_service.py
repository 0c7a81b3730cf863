"""The Service of a release carries where the traffic goes and why, in one object."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL, ROUTE_ANNOTATION
from immutablerelease.api.objects import Release
from immutablerelease.core.snapshot import EVERY, RouteRecord
from immutablerelease.traffic.service import (
    read_record,
    read_route,
    release_service,
    write_record,
)

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
RECORD = RouteRecord("shop-0", "Promoted", "shop-0 passed its probes", AT)
RELEASE = Release.read(
    {
        "metadata": {"name": "shop", "namespace": "demo", "uid": "u"},
        "spec": {
            "template": {"spec": {"containers": [{"name": "a", "image": "a"}]}},
            "service": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        },
    }
)
PORTS = RELEASE.spec.service.ports


@given(st.text(), st.text(), st.none() | st.text(), st.none() | st.text())
def test_a_record_survives_the_annotation(
    reason: str, message: str, previous: str | None, action: str | None
) -> None:
    record = RouteRecord("shop-0", reason, message, AT, previous, action)
    assert read_record(write_record(record)) == record


@pytest.mark.parametrize(
    "text", [None, "", "no json", "[]", "{}", '{"revision": "x"}', '{"at": 5}', "null"]
)
def test_an_unreadable_record_counts_as_none(text: str | None) -> None:
    assert read_record(text) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"at": "2026-01-01T00:00:00"},
        {"at": "9999-12-31T23:59:59Z"},
        {"revision": ["shop-0"]},
        {"revision": None},
        {"message": {}},
        {"reason": 5},
        {"previous": []},
        {"action": 7},
        {"candidate": {}},
        {"weight": "50"},
        {"weight": 500},
        {"weight": True},
        {"mirror": -1},
        {"mirror": 0.5},
    ],
    ids=str,
)
def test_a_record_with_a_field_that_it_cannot_have_counts_as_none(changed: dict[str, Any]) -> None:
    """To decide by it would fail, each time, and nobody would guard what serves."""
    fields = json.loads(write_record(RECORD))
    assert read_record(json.dumps(fields)) == RECORD
    assert read_record(json.dumps({**fields, **changed})) is None


def test_the_selector_names_the_recorded_revision() -> None:
    service = release_service(RELEASE, RECORD, PORTS)
    assert service["spec"]["selector"] == {RELEASE_LABEL: "shop", REVISION_LABEL: "shop-0"}
    route = read_route(RELEASE, service, ())
    assert (route.record, route.selected, route.ports) == (RECORD, "shop-0", PORTS)
    assert route.untouched


def _tampered(**spec: Any) -> dict[str, Any]:
    service = release_service(RELEASE, RECORD, PORTS)
    service["spec"].update(spec)
    return service


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({RELEASE_LABEL: "shop", REVISION_LABEL: "shop-1"}, "shop-1"),
        ({RELEASE_LABEL: "shop"}, EVERY),
        ({RELEASE_LABEL: "shop", REVISION_LABEL: "shop-0", "extra": "x"}, None),
        ({REVISION_LABEL: "shop-0"}, None),
        (None, None),
    ],
)
def test_a_changed_selector_is_seen(selector: Any, selected: str | None) -> None:
    route = read_route(RELEASE, _tampered(selector=selector), ())
    assert route.selected == selected
    assert route.record == RECORD


@pytest.mark.parametrize(
    "spec",
    [
        {"ports": []},
        {"ports": [{"name": "http", "port": 81, "targetPort": 8080, "protocol": "TCP"}]},
        {"externalIPs": ["198.51.100.1"]},
        {"publishNotReadyAddresses": True},
    ],
)
def test_a_service_that_is_not_as_wanted_is_out_of_date(spec: dict[str, Any]) -> None:
    route = read_route(RELEASE, _tampered(**spec), ())
    assert (route.ports, route.untouched) != (PORTS, True)


def test_a_port_that_no_release_could_ask_for_is_passed_over() -> None:
    odd = {"name": "", "port": 80, "targetPort": 8080, "protocol": "TCP"}
    assert read_route(RELEASE, _tampered(ports=[odd]), ()).ports == ()


def test_only_ready_pods_of_the_releases_own_service_are_endpoints() -> None:
    def item(service: str, *endpoints: tuple[str, bool]) -> dict[str, Any]:
        return {
            "metadata": {"labels": {"kubernetes.io/service-name": service}},
            "endpoints": [
                {"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}}
                for name, ready in endpoints
            ],
        }

    slices = [item("shop", ("a", True), ("b", False)), item("shop-0", ("c", True)), item("shop")]
    slices[2]["endpoints"] = None
    route = read_route(RELEASE, release_service(RELEASE, RECORD, PORTS), slices)
    assert route.endpoints == {"a"}


def test_the_record_is_an_annotation_of_the_same_write() -> None:
    service = release_service(RELEASE, replace(RECORD, previous="shop-1"), PORTS)
    assert '"previous": "shop-1"' in service["metadata"]["annotations"][ROUTE_ANNOTATION]
