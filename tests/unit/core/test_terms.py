"""Ports and probes belong to the revision whose manifest named them."""

from dataclasses import replace
from typing import Any

from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.probe import HttpProbe, Probe
from immutablerelease.api.release import ServicePort
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.plan import EnsureService
from immutablerelease.core.snapshot import Route

from .builders import (
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
