"""A gateway in the simulated cluster: what it is told, what it may still do, and what follows."""

from dataclasses import replace
from typing import Any

import pytest

from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.plan import MoveTraffic, Scale
from immutablerelease.core.snapshot import Route, RouterView

from . import builders
from .builders import ago, intents, plan, pods, record, release, revision, snapshot, status_of
from .cluster import Cluster
from .invariants import Invariants
from .simulator import Operator
from .stage import PAUSES, STEPS, release_spec
from .stories import (
    Story,
    both,
    by_gateway,
    dependency,
    deploy,
    late_once_recorded,
    passing,
    pointed_at,
    shared,
    sized,
    tell,
    turn,
    wait,
)
from .storybook import GATEWAY_MENDED


def _phase(cluster: Cluster, version: str) -> RevisionPhase:
    return cluster.status(cluster.revision_of(version) or "").phase


def test_what_mends_a_version_that_answers_nobody_waits_for_no_gateway() -> None:
    """To be added first, what serves would have to be written as well, and it has no Pods."""
    cluster = tell(GATEWAY_MENDED, thorough=True).cluster
    assert _phase(cluster, "v2") is RevisionPhase.ACTIVE
    assert cluster.edge.receives(cluster.revision_of("v2") or "")


def _in_the_middle(*, gateway: bool) -> Operator:
    """A canary has a share of 20 %; then a gateway is put in, or taken out."""
    spec = release_spec(gateway=gateway, steps=STEPS, replicas=4)
    cluster = Cluster(spec)
    operator = Operator(cluster, 0, Invariants(cluster))
    passing(12)(operator)
    both(deploy("v2"), shared("v2", 20), by_gateway(asked=not gateway))(operator)
    return operator


def _moves(operator: Operator, seconds: int) -> list[tuple[str, int]]:
    """Who serves and what share the candidate has, move by move."""
    operator.history.clear()
    seen: list[tuple[str, int]] = []
    for _ in range(seconds):
        passing(1)(operator)
        intents = [intent for _, result, intent in operator.history if not result]
        records = [intent.record for intent in intents if isinstance(intent, MoveTraffic)]
        seen += [
            (operator.cluster.version_of(record.revision), record.weight) for record in records
        ]
        operator.history.clear()
    return seen


def test_a_gateway_that_is_taken_out_gives_its_share_back_before_pods_share() -> None:
    operator = _in_the_middle(gateway=True)
    assert _moves(operator, 40) == [("v1", 0), ("v1", 20), ("v1", 50), ("v2", 0)]
    assert _phase(operator.cluster, "v2") is RevisionPhase.ACTIVE
    assert operator.cluster.http_route is None


def test_a_gateway_that_is_put_in_is_told_of_the_candidate_before_it_shares() -> None:
    operator = _in_the_middle(gateway=False)
    assert _moves(operator, 40) == [("v1", 0), ("v1", 20), ("v1", 50), ("v2", 0)]
    assert _phase(operator.cluster, "v2") is RevisionPhase.ACTIVE
    assert operator.cluster.edge.receives(operator.cluster.revision_of("v2") or "")


@pytest.mark.parametrize("gateway", [False, True], ids=["by Pods", "by weight"])
def test_a_canary_that_is_replaced_while_nothing_runs_holds_up_nothing(*, gateway: bool) -> None:
    """To send all traffic to what serves would fail, and what comes after it is never reached."""
    spec = release_spec(gateway=gateway, steps=PAUSES)
    acts = (
        (wait, 45),
        (deploy("v2"), 20),
        (both(sized(0), passing(1), deploy("v3"), passing(10), sized(2)), 40),
    )
    operator = tell(Story("a canary is replaced while nothing runs", spec, acts))
    cluster = operator.cluster
    assert _phase(cluster, "v3") is RevisionPhase.ACTIVE
    assert len(cluster.serving(cluster.revision_of("v3") or "")) == 2


def test_what_lost_the_traffic_as_its_revision_was_deleted_drains() -> None:
    """Its new status tells nothing of the requests that a late gateway sends on."""
    operator = tell(
        Story(
            "the ReleaseRevision of what serves is deleted and the next version takes over",
            release_spec(gateway=True, keep_warm=0.0),
            ((wait, 45),),
        )
    )
    cluster = operator.cluster
    old = cluster.revision_of("v1") or ""
    cluster.edge.stuck = True
    cluster.delete("Revision", old)
    passing(5)(operator)
    deploy("v2")(operator)
    passing(40)(operator)
    assert _phase(cluster, "v2") is RevisionPhase.ACTIVE
    assert cluster.edge.receives(old)
    assert cluster.serving(old)


def test_what_was_tried_again_drains_when_its_http_route_goes() -> None:
    """A retry clears what its status told; that it has Pods still tells of requests."""
    operator = tell(Story("two versions", release_spec(gateway=True, keep_warm=5.0), ((wait, 45),)))
    cluster = operator.cluster
    old = cluster.revision_of("v1") or ""
    deploy("v2")(operator)
    late_once_recorded("v2", 100)(operator)
    passing(20)(operator)
    assert cluster.edge.receives(old)
    status = cluster.status(old).model_copy(update={"tested_at": None, "left_at": None})
    stored = cluster.get("Revision", old)
    cluster.write("Revision", old, replace(stored.body, status=status), spec=False)
    by_gateway(asked=False)(operator)
    passing(5)(operator)
    assert cluster.serving(old)


@pytest.mark.parametrize("gateway", [False, True], ids=["by Pods", "by weight"])
def test_a_share_that_nobody_can_answer_holds_up_no_way_back(*, gateway: bool) -> None:
    """A dependency of both is down, so that a revert would not help; what serves is ready still."""
    acts = (
        (wait, 45),
        (both(deploy("v2"), shared("v2", 50)), 2),
        (both(dependency(up=False), turn("v2", crashes=True), passing(6), pointed_at(None)), 10),
    )
    spec = release_spec(gateway=gateway, steps=PAUSES)
    cluster = tell(Story("somebody points the Service at nothing", spec, acts)).cluster
    assert cluster.selected == cluster.revision_of("v1")


@pytest.mark.parametrize(
    "told",
    [{"active_since": ago(400)}, {"left_at": ago(300)}],
    ids=["took over as the last resort", "was tried again since"],
)
def test_what_was_sent_requests_without_a_test_drains_while_a_gateway_is_late(
    told: dict[str, Any],
) -> None:
    """A revert to whatever is ready asks for no test, and a retry forgets it: requests came."""
    traffic = release_spec(gateway=True).traffic
    at = record("new", at=100.0, previous="other")
    late = RouterView(record=at, accepted=True, proven=False)
    seen = snapshot(
        release(traffic=traffic, keep_warm=0.0),
        revision("older", RevisionPhase.FAILED, **told),
        revision("new", number=3, active_since=ago(100), good_since=ago(50)),
        route=Route(at, "new", router=late),
        running={
            "older": pods("older", 2, builders.passing()),
            "new": pods("new", 2, builders.passing()),
        },
    )
    assert [intent for intent in intents(plan(seen), Scale) if intent.revision == "older"] == []


def test_what_is_tried_again_says_what_its_pods_are_kept_for() -> None:
    """While a gateway may send requests to Pods that crash they stay, and no attempt begins."""
    at = record("old", "Reverted", at=100.0, previous="new")
    late = RouterView(record=at, accepted=True, proven=False, message="an address is late")
    seen = snapshot(
        release(traffic=release_spec(gateway=True).traffic),
        revision("old", active_since=ago(100), good_since=ago(50)),
        revision("new", RevisionPhase.PENDING, number=2, left_at=ago(100), last_action="uid-retry"),
        route=Route(at, "old", router=late),
        running={
            "old": pods("old", 2, builders.passing()),
            "new": pods("new", 2, ready=False, restarts=3, waiting="CrashLoopBackOff"),
        },
    )
    told = status_of(plan(seen), "new", seen)
    assert told.phase is RevisionPhase.PENDING
    assert told.message == (
        "waiting for Pods of its last attempt to be gone, "
        "and these for the gateway: an address is late"
    )


def test_a_mesh_that_is_put_in_has_its_time_from_then_on() -> None:
    """What was written long ago to something else is no news to nobody but its proxies."""
    traffic = release_spec(istio=True).traffic
    at = record("old", at=3000.0, candidate="new")
    seen = snapshot(
        release(traffic=traffic),
        revision("old", active_since=ago(3000), good_since=ago(2000)),
        revision("new", RevisionPhase.TESTING, number=2, started_at=ago(30), tested_at=ago(20)),
        route=Route(at, "old", leftover=True),
        running={
            "old": pods("old", 2, builders.passing()),
            "new": pods("new", 2, builders.passing()),
        },
    )
    (move,) = intents(plan(seen), MoveTraffic)
    assert (move.record.revision, move.record.candidate, move.record.at) == (
        "old",
        "new",
        builders.NOW,
    )
