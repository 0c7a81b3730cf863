"""When does what serves lose the traffic, and to whom?"""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from immutablerelease.api.release import Guard, OnFailure, Revert
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.plan import MoveTraffic, Scale, StartRevision
from immutablerelease.core.snapshot import Route, Snapshot

from .builders import (
    ago,
    answering_badly,
    failing,
    health,
    intents,
    moved_to,
    passing,
    plan,
    pod,
    pods,
    record,
    release,
    release_status,
    revision,
    snapshot,
    status_of,
)

SUPERSEDED, RETIRED = RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED


def scene(
    new: Any = None,
    old: Any = None,
    *,
    baked: bool = False,
    known: bool | None = True,
    spec: dict[str, Any] | None = None,
    **more: Any,
) -> Snapshot:
    """`new` serves since a minute; `old` served before and is good."""
    good = ago(30) if baked else None
    serving = revision("new", number=2, active_since=ago(60), healthy=known, good_since=good)
    before = revision(
        "old", SUPERSEDED, active_since=ago(600), good_since=ago(500), left_at=ago(20)
    )
    running = {"new": new or pods("new", 2, passing())}
    if old != "none":
        running["old"] = old or pods("old", 2, passing())
    return snapshot(release(**(spec or {})), serving, before, serves="new", running=running, **more)


@dataclass(frozen=True)
class Case:
    """What is observed, and where the traffic goes."""

    id: str
    given: dict[str, Any] = field(default_factory=dict)
    goes_to: str | None = None


ONE_OF_THREE = (
    tuple(pod(f"new-{i}") for i in range(3)),
    {"new-0": {"api": failing()}, "new-1": {"api": passing()}, "new-2": {"api": passing()}},
)
TWO_OF_THREE = (ONE_OF_THREE[0], ONE_OF_THREE[1] | {"new-1": {"api": failing()}})

CASES = [
    Case("all is well: nothing moves"),
    Case(
        "all Pods fail the probe: back to the warm one", {"new": pods("new", 2, failing())}, "old"
    ),
    Case("one Pod of three fails and it is not good yet: back", {"new": ONE_OF_THREE}, "old"),
    Case("one Pod of three fails and it is good: it stays", {"new": ONE_OF_THREE, "baked": True}),
    Case(
        "two Pods of three fail and it is good: back", {"new": TWO_OF_THREE, "baked": True}, "old"
    ),
    Case(
        "single attempts failed, under the threshold: it stays",
        {"new": pods("new", 2, answering_badly())},
    ),
    Case(
        "all Pods crashed: back, though nothing of it is ready",
        {"new": pods("new", 2, ready=False, restarts=1, waiting="CrashLoopBackOff")},
        "old",
    ),
    Case("no Pod is ready since a moment: it is waited for", {"new": pods("new", 2, ready=False)}),
    Case(
        "no Pod is ready for longer than the grace: back",
        {"new": pods("new", 2, ready=False), "known": False},
        "old",
    ),
    Case(
        "its Pods are gone altogether: back after the grace",
        {"new": ((), {}), "known": False},
        "old",
    ),
    Case(
        "it fails and the warm one fails too: it stays",
        {"new": pods("new", 2, failing()), "old": pods("old", 2, failing())},
    ),
    Case(
        "it fails and the newest attempt on the warm one failed: it stays",
        {"new": pods("new", 2, failing()), "old": pods("old", 2, answering_badly())},
    ),
    Case(
        "nothing of it is ready and the warm one fails the probe: back all the same",
        {
            "new": pods("new", 2, ready=False, terminated="exit code 1"),
            "old": pods("old", 2, failing()),
        },
        "old",
    ),
    Case(
        "nothing of it is ready and the warm one was not asked yet: back all the same",
        {"new": pods("new", 2, ready=False, restarts=3), "old": pods("old", 2)},
        "old",
    ),
    Case(
        "it fails and the warm one was not asked yet: it is asked first",
        {"new": pods("new", 2, failing()), "old": pods("old", 2)},
    ),
    Case(
        "the warm one passed only before the failure began: it is asked again first",
        {"new": pods("new", 2, failing(since=0.4)), "old": pods("old", 2, passing(last=0.9))},
    ),
    Case(
        "the warm one passes only since the last failure: what serves is asked again first",
        {
            "new": pods("new", 2, failing(since=30, last=0.8)),
            "old": pods("old", 2, passing(last=0.1, successes=1)),
        },
    ),
    Case(
        "what serves is not asked any more: that holds nothing up",
        {
            "new": pods("new", 2, failing(since=30, last=9)),
            "old": pods("old", 2, passing(last=0.1, successes=4)),
        },
        "old",
    ),
    Case("nothing was asked yet after a restart: nothing moves", {"new": pods("new", 2)}),
    Case(
        "its probe failed before the Pod was ready: that counts for nothing",
        {"new": pods("new", 2, failing(since=9, last=0.2), ready_since=1)},
    ),
    Case(
        "its probe failed often enough since the Pod was ready: back",
        {"new": pods("new", 2, failing(since=9, last=0.2), ready_since=4)},
        "old",
    ),
    Case(
        "it is scaled to zero: there is nothing to judge",
        {"new": ((), {}), "spec": {"replicas": 0}},
    ),
    Case(
        "the release is paused: the guard is not",
        {"new": pods("new", 2, failing()), "spec": {"paused": True}},
        "old",
    ),
    Case(
        "something else of the release has a name that is taken: the guard reverts",
        {"new": pods("new", 2, failing()), "conflicts": ("Deployment/shop-1",)},
        "old",
    ),
    Case(
        "the name of the Service is taken: there is nothing to write",
        {"new": pods("new", 2, failing()), "conflicts": ("Service/shop",)},
    ),
    Case(
        "the guard is only to alert: nothing moves",
        {"new": pods("new", 2, failing()), "spec": {"guard": Guard(on_failure=OnFailure.ALERT)}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_where_the_traffic_goes(case: Case) -> None:
    assert moved_to(plan(scene(**case.given))) == case.goes_to


def test_a_revert_is_the_first_write_and_the_only_move() -> None:
    made = plan(scene(pods("new", 2, failing())))
    assert isinstance(made.intents[0], MoveTraffic)
    assert len(intents(made, MoveTraffic)) == 1
    moved = made.intents[0].record
    assert (moved.reason, moved.previous) == ("Reverted", "new")
    assert "probe api fails on Pod new-" in moved.message


def test_failures_from_before_a_pod_was_ready_are_looked_at_again_in_time() -> None:
    made = plan(scene(pods("new", 2, failing(since=9, last=0.2), ready_since=1)))
    assert made.wake_at is not None
    assert 2.0 <= (made.wake_at - ago(0)).total_seconds() <= 2.5


def test_what_was_left_has_failed_and_what_serves_again_keeps_being_good() -> None:
    before = scene(pods("new", 2, failing()))
    made = plan(before)
    left, serves = status_of(made, "new", before), status_of(made, "old", before)
    assert (left.phase, left.good_since) == (RevisionPhase.FAILED, None)
    assert left.failure is not None
    assert left.failure.reason == "Reverted"
    assert (serves.phase, serves.good_since) == (RevisionPhase.ACTIVE, ago(500))


def test_the_release_tells_what_was_reverted_and_what_to_do() -> None:
    told = release_status(plan(scene(pods("new", 2, failing()))))
    conditions = {item.type: item for item in told.conditions}
    assert (told.phase, told.active_revision) == ("Reverted", "old")
    assert conditions["Stalled"].status == "True"
    assert "ask for Retry" in conditions["Stalled"].message
    assert "Reconciling" not in conditions


def test_a_template_that_was_changed_condemns_what_serves() -> None:
    made = scene()
    changed = replace(made.deployments["new"], intact=False, message="image changed")
    made = replace(made, deployments={**made.deployments, "new": changed})
    assert moved_to(plan(made)) == "old"


def test_a_warm_one_with_one_good_pod_of_two_takes_the_traffic_at_once() -> None:
    old = (
        (pod("old-0"), pod("old-1")),
        {"old-0": {"api": passing()}, "old-1": {"api": failing()}},
    )
    assert moved_to(plan(scene(pods("new", 2, failing()), old))) == "old"


def test_a_cold_one_is_recorded_and_started_and_takes_nothing_yet() -> None:
    before = scene(pods("new", 2, failing()), "none", replicas={"old": 0})
    made = plan(before)
    assert moved_to(made) is None
    assert intents(made, Scale) == [Scale("old", 2)]
    assert release_status(made).revert is not None
    assert status_of(made, "old", before).started_at == ago(0)


def test_a_cold_one_without_a_deployment_gets_one() -> None:
    made = plan(scene(pods("new", 2, failing()), "none"))
    assert intents(made, StartRevision) == [StartRevision("old", 2)]


def test_while_a_revert_is_held_it_is_looked_at_again_soon() -> None:
    made = plan(scene(pods("new", 2, failing()), pods("old", 2, failing())))
    assert made.wake_at is not None
    assert (made.wake_at - ago(0)).total_seconds() <= 1
    told = {item.type: item for item in release_status(made).conditions}
    assert told["Stalled"].reason == "TargetFailsToo"
    assert "probe api fails on Pod old-0 too" in told["Stalled"].message


def test_a_baked_one_is_preferred_to_a_newer_one_that_only_served() -> None:
    served = revision("between", SUPERSEDED, number=2, active_since=ago(300), left_at=ago(60))
    made = scene(pods("new", 2, failing()))
    made = replace(made, revisions={**made.revisions, "between": served})
    assert moved_to(plan(made)) == "old"


@pytest.mark.parametrize(
    "other",
    [
        revision("old", RevisionPhase.FAILED, active_since=ago(600)),
        revision("old", RevisionPhase.REJECTED, active_since=ago(600)),
        revision("old", SUPERSEDED),
        revision("old", SUPERSEDED, active_since=ago(600), verdict="Unknown"),
    ],
    ids=["it failed", "it was rejected", "it never served", "it is not verified"],
)
def test_nothing_is_reverted_to_when(other: Any) -> None:
    before = scene(pods("new", 2, failing()))
    made = plan(replace(before, revisions={**before.revisions, "old": other}))
    assert moved_to(made) is None
    assert [event.reason for event in made.events] == ["NothingToRevertTo"]


# --- a revert whose target had to be started ----------------------------------------------------

REVERT = Revert(target="old", source="new", reason="ProbeFailed", message="it fails")


def starting(
    old: Any, *, started: float = 5.0, new: Any = None, revert: Revert = REVERT
) -> Snapshot:
    """A revert from `new` to `old` is under way."""
    made = scene(
        new or pods("new", 2, failing()), old, spec={"revert": revert}, replicas={"old": 2}
    )
    old_one = revision(
        "old", RETIRED, active_since=ago(900), good_since=ago(800), started_at=ago(started)
    )
    return replace(made, revisions={**made.revisions, "old": old_one})


@pytest.mark.parametrize(
    ("old", "started", "goes_to"),
    [
        ("none", 5.0, None),
        (pods("old", 1, passing()), 5.0, None),
        (pods("old", 2), 5.0, None),
        (pods("old", 2, passing()), 5.0, "old"),
        (pods("old", 1, passing()), 61.0, "old"),
        (pods("old", 2, failing()), 61.0, None),
        ("none", 61.0, None),
    ],
    ids=[
        "not while it has no Pods",
        "not while one Pod of two is ready",
        "not before its probes passed",
        "once all its Pods are ready and pass",
        "with the Pods that pass when the deadline is over",
        "not while it fails the probe, however long",
        "the only place to go back to is never given up",
    ],
)
def test_a_started_target_takes_the_traffic(old: Any, started: float, goes_to: str | None) -> None:
    assert moved_to(plan(starting(old, started=started))) == goes_to


def test_any_ready_pod_is_better_than_none() -> None:
    dead = pods("new", 2, ready=False, restarts=1)
    assert moved_to(plan(starting(pods("old", 1), new=dead))) == "old"


def test_a_revert_ends_when_what_serves_is_healthy_again() -> None:
    made = plan(starting(pods("old", 1), new=pods("new", 2, passing())))
    assert release_status(made).revert is None
    assert "RevertCancelled" in [event.reason for event in made.events]


def test_a_target_that_crashes_is_given_up() -> None:
    before = starting(pods("old", 2, ready=False, restarts=4, waiting="CrashLoopBackOff"))
    made = plan(before)
    assert status_of(made, "old", before).phase is RevisionPhase.FAILED
    assert release_status(made).revert is None


def test_after_the_deadline_another_place_is_looked_for() -> None:
    before = starting("none", started=61.0)
    older = revision("older", RETIRED, active_since=ago(2000), good_since=ago(1900))
    before = replace(before, revisions={**before.revisions, "older": older})
    made = plan(before)
    assert status_of(made, "old", before).phase is RevisionPhase.FAILED
    assert made.wake_at is not None


# --- what serves was deleted --------------------------------------------------------------------


def test_when_its_revision_was_deleted_a_known_one_takes_over_and_nothing_is_blamed() -> None:
    made = scene()
    kept = {"old": made.revisions["old"]}
    moved = intents(plan(replace(made, revisions=kept)), MoveTraffic)[0].record
    assert (moved.revision, moved.reason, moved.previous) == ("old", "Replaced", "new")


def test_healthy_is_remembered_while_probes_are_asked_anew() -> None:
    before = scene(pods("new", 2))
    assert status_of(plan(before), "new", before).conditions == (health(True),)


def test_a_route_that_names_a_reverted_one_is_restored_not_followed() -> None:
    made = scene(pods("new", 2, failing()))
    failed = revision("new", RevisionPhase.FAILED, active_since=ago(60))
    serving = revision("old", active_since=ago(30), good_since=ago(500))
    forged = Route(record("new", at=1), "new")
    made = replace(made, revisions={"new": failed, "old": serving}, route=forged)
    assert moved_to(plan(made)) == "old"


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ({"phase": RevisionPhase.TESTING, "tested_at": ago(20)}, RevisionPhase.FAILED),
        ({"phase": RevisionPhase.TESTING, "tested_at": ago(5)}, RevisionPhase.ACTIVE),
        (
            {"phase": RevisionPhase.STARTING, "started_at": ago(1), "last_action": "retry"},
            RevisionPhase.TESTING,
        ),
    ],
    ids=[
        "tested before the revert: it has failed",
        "tested again since: it goes on",
        "tried again since: it goes on",
    ],
)
def test_what_was_promoted_and_reverted_before_any_status_told_of_it(
    status: dict[str, Any], phase: RevisionPhase
) -> None:
    made = scene(new=pods("new", 2, passing()))
    serving = revision("old", active_since=ago(600), good_since=ago(500), healthy=True)
    new = revision("new", number=2, **{"started_at": ago(30), **status})
    route = Route(record("old", "Reverted", at=10, previous="new"), "old")
    before = replace(made, revisions={"old": serving, "new": new}, route=route)
    made_plan = plan(before)
    assert status_of(made_plan, "new", before).phase is phase
