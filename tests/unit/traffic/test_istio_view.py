"""What Istio says of a VirtualService holds a step up where it says something of this version."""

from copy import deepcopy
from typing import Any

import pytest

from immutablerelease.core.snapshot import RouteRecord, RouterView
from immutablerelease.traffic.istio_view import view

from .meshes import release, revision, route, rule
from .routes import backends, record

RELEASE = release()
REVISIONS = {name: revision(name) for name in ("shop-0", "shop-1", "shop-2")}
RULES = {name: rule(name) for name in REVISIONS}


def seen(
    said: RouteRecord,
    *,
    status: dict[str, Any] | None = None,
    drained: bool = False,
    rules: dict[str, Any] = RULES,
    **spec: Any,
) -> RouterView:
    made = route(RELEASE, said, drained=drained)
    made["metadata"]["generation"] = 3
    made["spec"] |= spec
    found = {**made, "status": status} if status is not None else made
    return view(RELEASE, found, rules, REVISIONS, backends(RELEASE))


def condition(kind: str, status: str = "False", **more: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, "message": "61/122 complete", **more}


def test_without_a_status_it_is_accepted_and_nobody_has_proven_it() -> None:
    found = seen(record(candidate="shop-2", weight=10))
    assert (found.faithful, found.accepted, found.proven) == (True, True, None)
    assert "cannot be asked" in found.message


def test_what_drains_is_told_until_it_is_left_out() -> None:
    assert seen(record(previous="shop-0")).leaving == "shop-0"
    assert seen(record(previous="shop-0"), drained=True).leaving is None


@pytest.mark.parametrize(
    ("status", "complaint"),
    [
        pytest.param(
            {"observedGeneration": 3, "conditions": [condition("Reconciled")]},
            "on its way to the proxies: 61/122 complete",
            id="still on its way",
        ),
        pytest.param(
            {"conditions": [condition("Reconciled", observedGeneration="3")]},
            "on its way",
            id="a number that comes as text",
        ),
        pytest.param(
            {"observedGeneration": 2, "conditions": [condition("Reconciled")]},
            "",
            id="said of an earlier version",
        ),
        pytest.param({"conditions": [condition("Reconciled")]}, "", id="said of no version"),
        pytest.param(
            {"observedGeneration": 3, "conditions": [condition("Reconciled", "True")]},
            "",
            id="it has arrived",
        ),
        pytest.param(
            {
                "observedGeneration": 3,
                "conditions": [condition("PassedAnalysis", reason="errorsFound")],
                "validationMessages": [
                    {"level": "WARNING", "type": {"code": "IST0102"}},
                    {"level": "ERROR", "type": {"code": "IST0101", "name": "NotFound"}},
                ],
            },
            "errors: IST0101 NotFound",
            id="an error of the analysis",
        ),
        pytest.param(
            {
                "observedGeneration": 3,
                "conditions": [condition("PassedAnalysis", reason="warningsFound")],
            },
            "",
            id="a warning of the analysis",
        ),
    ],
)
def test_a_complaint_of_this_version_counts(status: dict[str, Any], complaint: str) -> None:
    found = seen(record(), status=status)
    assert found.accepted is not bool(complaint)
    assert complaint in found.message
    # Neither is what it says a proof.
    assert found.proven is None


@pytest.mark.parametrize(
    "spec",
    [
        {"hosts": ["shop", "other"]},
        {"gateways": ["mesh", "evil"]},
        {"tcp": [{"route": [{"destination": {"host": "evil"}}]}]},
        {"exportTo": ["."]},
    ],
)
def test_what_was_changed_is_no_more_what_its_record_asks_for(spec: dict[str, Any]) -> None:
    assert not seen(record(), **spec).faithful


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("redirect", {"authority": "evil"}),
        ("fault", {"abort": {"httpStatus": 500}}),
        ("rewrite", {"authority": "evil"}),
        ("delegate", {"name": "evil"}),
        ("directResponse", {"status": 200}),
        ("mirrors", [{"destination": {"host": "evil"}}]),
    ],
)
def test_a_rule_that_does_more_than_asked_for_was_changed(key: str, value: Any) -> None:
    rules = deepcopy(route(RELEASE, record())["spec"]["http"])
    rules[0][key] = value
    assert not seen(record(), http=rules).faithful


@pytest.mark.parametrize("name", ["shop-0", "shop-1", "shop-2"])
def test_what_it_names_has_its_subset(name: str) -> None:
    said = record(candidate="shop-2", previous="shop-0")
    others = {other: made for other, made in RULES.items() if other != name}
    found = seen(said, rules=others)
    assert not found.faithful
    assert found.lacking == {name}
    assert f"DestinationRule of {name}" in found.message
    changed = deepcopy(RULES[name])
    changed["spec"]["subsets"][0]["labels"] = {"app": "evil"}
    assert not seen(said, rules={**others, name: changed}).faithful


def test_a_subset_that_nothing_names_may_be_lacking() -> None:
    found = seen(record(), rules={"shop-1": RULES["shop-1"]})
    assert found.faithful
    assert found.lacking == {"shop-0", "shop-2"}


def test_a_policy_for_connections_that_somebody_adds_directs_nothing() -> None:
    added = deepcopy(RULES["shop-1"])
    added["spec"]["trafficPolicy"] = {"loadBalancer": {"simple": "LEAST_REQUEST"}}
    assert seen(record(), rules={**RULES, "shop-1": added}).faithful
