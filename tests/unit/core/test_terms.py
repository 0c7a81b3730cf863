"""Ports and probes belong to the revision whose manifest named them."""

from dataclasses import replace
from typing import Any

import pytest

from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.probe import HttpProbe, Probe
from immutablerelease.api.release import ServicePort
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.api.strategy import Canary, CanaryStep, Strategy
from immutablerelease.core.plan import EnsureService, MoveTraffic
from immutablerelease.core.shares import clash
from immutablerelease.core.snapshot import Route, Snapshot

from .builders import (
    NOW,
    failing,
    intents,
    moved_to,
    passing,
    plan,
    pods,
    record,
    release,
    revision,
    snapshot,
    status_of,
)

OLD_PORTS = (ServicePort(name="http", port=80, target_port=8080),)
NEW_PORTS = (ServicePort(name="http", port=80, target_port=9090),)
OLD_PROBE = Probe(name="api", http=HttpProbe(path="/old", port="http"))
NEW_PROBE = Probe(name="api", http=HttpProbe(path="/new", port="http"))


def _release(wants: str | None, **more: Any) -> Release:
    made = release(wants=wants, **more)
    health = made.spec.health.model_copy(update={"probes": (NEW_PROBE,)})
    service = made.spec.service.model_copy(update={"ports": NEW_PORTS})
    return replace(made, spec=made.spec.model_copy(update={"health": health, "service": service}))


SERVED = record("old").at


def _old(**status: Any) -> Revision:
    return revision("old", ports=OLD_PORTS, probes=(OLD_PROBE,), active_since=SERVED, **status)


def test_what_serves_keeps_its_ports_and_probes_when_the_spec_moves_on() -> None:
    seen = snapshot(
        _release(None),
        _old(),
        running={"old": pods("old", state=passing())},
        route=Route(record("old"), "old", ports=OLD_PORTS),
    )
    made = plan(seen)
    assert made.probe["old"] == (OLD_PROBE,)
    assert not intents(made, EnsureService)


def test_a_change_of_ports_and_probes_alone_reaches_what_serves() -> None:
    seen = snapshot(
        _release("old"),
        _old(),
        running={"old": pods("old", state=passing())},
        route=Route(record("old"), "old", ports=OLD_PORTS),
    )
    made = plan(seen)
    assert made.probe["old"] == (NEW_PROBE,)
    assert intents(made, EnsureService)
    status = status_of(made, "old", seen)
    assert (status.ports, status.probes) == (NEW_PORTS, (NEW_PROBE,))


def test_a_probe_that_only_the_new_version_answers_holds_no_revert_up() -> None:
    seen = snapshot(
        _release("new"),
        _old(
            phase=RevisionPhase.SUPERSEDED,
            good_since=SERVED,
        ),
        revision("new", number=2, ports=NEW_PORTS, probes=(NEW_PROBE,), active_since=SERVED),
        serves="new",
        running={
            "old": pods("old", state=passing()),
            "new": pods("new", state=failing()),
        },
    )
    made = plan(seen)
    assert moved_to(made) == "old"
    assert made.probe["old"] == (OLD_PROBE,)


def _canary(candidate: tuple[ServicePort, ...]) -> Snapshot:
    canary = Canary(steps=(CanaryStep(weight=50),))
    made = _release("new", strategy=Strategy(canary=canary))
    spec = made.spec.model_copy(
        update={"service": made.spec.service.model_copy(update={"ports": candidate})}
    )
    return snapshot(
        replace(made, spec=spec),
        _old(healthy=True),
        revision("new", RevisionPhase.TESTING, number=2, started_at=NOW, tested_at=NOW),
        running={"old": pods("old", state=passing()), "new": pods("new", state=passing())},
        route=Route(record("old"), "old", ports=OLD_PORTS),
    )


def test_one_service_shares_no_port_that_is_another_number_of_the_other_revision() -> None:
    seen = _canary(NEW_PORTS)
    status = status_of(plan(seen), "new", seen)
    assert status.phase is RevisionPhase.FAILED
    assert status.failure is not None
    assert status.failure.reason == "PortsDiffer"
    assert "port 80 leads to 8080 of what serves and to 9090 of the other" in status.failure.message


@pytest.mark.parametrize(
    "ports",
    [
        OLD_PORTS,
        (*OLD_PORTS, ServicePort(name="more", port=81, target_port=9091)),
        (ServicePort(name="other", port=82, target_port=9090),),
    ],
    ids=["the same", "one more", "another port"],
)
def test_ports_that_mean_the_same_to_both_are_shared(ports: tuple[ServicePort, ...]) -> None:
    seen = _canary(ports)
    made = plan(seen)
    assert [intent.record.candidate for intent in intents(made, MoveTraffic)] == ["new"]


@pytest.mark.parametrize(("serves", "candidate"), [("web", "http"), ("web", "web")])
def test_ports_by_name_are_looked_up_on_each_pod(serves: str, candidate: str) -> None:
    ours = (ServicePort(name="http", port=80, target_port=serves),)
    theirs = (ServicePort(name="http", port=80, target_port=candidate),)
    assert clash(ours, theirs) == ""
    assert clash(ours, OLD_PORTS) != ""
