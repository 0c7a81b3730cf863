"""What becomes of what people ask for, also when the operator was killed in between?"""

from dataclasses import replace
from typing import Any

import pytest

from immutablerelease.api.action import ActionKind, ActionPhase, ActionStatus
from immutablerelease.api.release import Revert
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.api.strategy import Promotion
from immutablerelease.core.snapshot import Route, Snapshot

from .builders import (
    NOW,
    action,
    ago,
    answer,
    failing,
    moved_to,
    passing,
    plan,
    pods,
    record,
    release,
    release_status,
    revision,
    snapshot,
    status_of,
)

PROMOTE, ABORT = ActionKind.PROMOTE, ActionKind.ABORT
ROLLBACK, RETRY = ActionKind.ROLLBACK, ActionKind.RETRY
RUNNING, SUCCEEDED, REFUSED = ActionPhase.RUNNING, ActionPhase.SUCCEEDED, ActionPhase.FAILED
FAILED, TESTING = RevisionPhase.FAILED, RevisionPhase.TESTING


def scene(*asked: Any, candidate: Any = None, good: bool = True, **more: Any) -> Snapshot:
    """`now` serves, `old` is warm and good, `cold` is good; `new` may be the candidate."""
    spec = more.pop("spec", {"promotion": Promotion.MANUAL})
    running = {"now": pods("now", 2, passing()), "old": pods("old", 2, passing())}
    revisions = [
        revision("cold", RevisionPhase.RETIRED, active_since=ago(9000), good_since=ago(8000)),
        revision(
            "old",
            RevisionPhase.SUPERSEDED,
            number=2,
            active_since=ago(900),
            good_since=ago(800),
            left_at=ago(20),
        ),
        revision(
            "now",
            number=3,
            active_since=ago(60),
            good_since=ago(30) if good else None,
            healthy=True,
        ),
    ]
    if candidate is not None:
        revisions.append(candidate)
        running["new"] = pods("new", 2, passing())
    return snapshot(
        release(wants="new" if candidate else "now", **spec),
        *revisions,
        serves="now",
        running=more.pop("running", running),
        actions=asked,
        **more,
    )


def waiting(**status: Any) -> Any:
    """A candidate that waits to be promoted."""
    return revision("new", TESTING, number=4, started_at=ago(9), tested_at=ago(5), **status)


@pytest.mark.parametrize(
    ("before", "phase", "says"),
    [
        (scene(action(PROMOTE), candidate=waiting()), SUCCEEDED, "promotion of new approved"),
        (scene(action(PROMOTE)), REFUSED, "nothing to promote"),
        (scene(action(ABORT), candidate=waiting()), SUCCEEDED, "new aborted; now serves"),
        (scene(action(ABORT)), REFUSED, "nothing to abort"),
        (scene(action(ABORT), good=False), SUCCEEDED, "traffic went from now to old"),
        (scene(action(ROLLBACK)), SUCCEEDED, "traffic went from now to old"),
        (scene(action(ROLLBACK, revision="cold")), RUNNING, "cold is being started"),
        (scene(action(ROLLBACK, revision="now")), SUCCEEDED, "now serves already"),
        (scene(action(ROLLBACK, revision="no")), REFUSED, "no revision no of this release"),
        (
            scene(action(ROLLBACK, revision="new"), candidate=waiting()),
            REFUSED,
            "new never served",
        ),
        (scene(action(RETRY)), REFUSED, "nothing to retry: now is Active"),
        (
            scene(action(RETRY), candidate=revision("new", FAILED, number=4)),
            SUCCEEDED,
            "new is tried again",
        ),
        (
            scene(action(ROLLBACK, revision="new"), candidate=revision("new", FAILED, number=4)),
            REFUSED,
            "new is Failed",
        ),
    ],
    ids=[
        "Promote approves the candidate",
        "Promote without a candidate fails",
        "Abort stops the candidate",
        "Abort with nothing in flight fails",
        "Abort of what serves and is not good yet goes back",
        "Rollback goes to the known-good revision at once",
        "Rollback to what is scaled down starts it",
        "Rollback to what serves does nothing",
        "Rollback to what does not exist fails",
        "Rollback to what never served fails",
        "Retry of what did not fail fails",
        "Retry tries again",
        "Rollback to what failed fails",
    ],
)
def test_answers(before: Snapshot, phase: ActionPhase, says: str) -> None:
    given = answer(plan(before))
    assert given is not None
    assert given.phase is phase
    assert says in given.message
    assert (given.completed_at is None) is (phase is RUNNING)


def test_a_rollback_stops_the_candidate_and_blames_what_served() -> None:
    before = scene(action(ROLLBACK), candidate=waiting())
    made = plan(before)
    assert moved_to(made) == "old"
    assert status_of(made, "new", before).phase is FAILED
    assert status_of(made, "now", before).message == "rolled back: because"


def test_an_approval_is_on_record_before_the_traffic_moves() -> None:
    before = scene(action(PROMOTE), candidate=waiting())
    made = plan(before)
    assert moved_to(made) is None
    status = status_of(made, "new", before)
    assert (status.approved, status.last_action) == (True, "uid-ask")
    assert made.wake_at is not None


@pytest.mark.parametrize(
    "before",
    [
        scene(action(PROMOTE), candidate=waiting(approved=True, last_action="uid-ask")),
        scene(action(ABORT), candidate=revision("new", FAILED, last_action="uid-ask")),
        scene(action(RETRY), candidate=revision("new", TESTING, last_action="uid-ask")),
        scene(
            action(ROLLBACK),
            route=Route(record("now", "RolledBack", action="uid-ask", previous="old"), "now"),
        ),
    ],
    ids=["Promote", "Abort", "Retry", "Rollback"],
)
def test_what_was_carried_out_before_a_crash_is_answered_and_not_done_again(
    before: Snapshot,
) -> None:
    made = plan(before)
    given = answer(made)
    assert given is not None
    assert given.phase is SUCCEEDED
    assert moved_to(made) in (None, "new")
    for name in ("old", "cold"):
        assert status_of(made, name, before).phase is before.revisions[name].status.phase


def test_a_rollback_cut_short_by_a_crash_still_stops_the_candidate() -> None:
    route = Route(record("now", "RolledBack", action="uid-ask", previous="old"), "now")
    before = scene(action(ROLLBACK), candidate=waiting(), route=route)
    assert status_of(plan(before), "new", before).phase is FAILED


def test_one_action_is_answered_at_a_time_oldest_first() -> None:
    before = scene(action(PROMOTE, name="first"), action(ABORT, name="second"), candidate=waiting())
    made = plan(before)
    assert answer(made, "first") is not None
    assert answer(made, "second") is None
    assert made.wake_at is not None


def test_a_rollback_asked_for_before_the_revert_is_content_with_it() -> None:
    reverted = Route(record("now", "Reverted", at=5, previous="old"), "now")
    made = plan(scene(action(ROLLBACK, created=10), route=reverted))
    assert moved_to(made) is None
    given = answer(made)
    assert given is not None
    assert given.message == "traffic went to now already"


# --- a move that waits for its target -----------------------------------------------------------

RUNS = ActionStatus(phase=RUNNING, message="cold is being started")
MOVE = Revert(target="cold", source="now", reason="RolledBack", message="m", action="uid-ask")


def moving(*others: Any, revert: Revert | None = MOVE, **more: Any) -> Snapshot:
    """A rollback to `cold` is under way."""
    return scene(action(ROLLBACK, status=RUNS), *others, spec={"revert": revert}, **more)


def test_it_waits_without_writing() -> None:
    assert answer(plan(moving())) is None


def test_it_goes_on_though_what_serves_is_healthy() -> None:
    running = {"now": pods("now", 2, passing()), "cold": pods("cold", 2, passing())}
    assert moved_to(plan(moving(running=running))) == "cold"


def test_it_fails_when_something_else_was_decided() -> None:
    given = answer(plan(moving(revert=None)))
    assert given is not None
    assert given.phase is REFUSED
    assert given.message.endswith("now serves")


def test_it_is_aborted() -> None:
    made = plan(moving(action(ABORT, name="stop")))
    assert release_status(made).revert is None
    assert answer(made, "stop") is not None


def test_a_retry_waits_for_it() -> None:
    assert answer(plan(moving(action(RETRY, name="again"))), "again") is None


def test_its_deadline_ends_it() -> None:
    before = moving()
    cold = before.revisions["cold"]
    late = replace(cold, status=cold.status.model_copy(update={"started_at": ago(61)}))
    made = plan(replace(before, revisions={**before.revisions, "cold": late}))
    given = answer(made)
    assert given is not None
    assert given.phase is REFUSED
    assert release_status(made).revert is None


def test_what_serves_fails_meanwhile_and_the_wish_stands() -> None:
    running = {"now": pods("now", 2, failing())}
    made = plan(moving(running=running, replicas={"cold": 2}))
    assert release_status(made).revert == MOVE


def test_a_retry_forgets_what_would_make_it_a_place_to_go_back_to() -> None:
    reverted = revision("new", FAILED, active_since=ago(90), left_at=ago(40))
    before = scene(action(RETRY), candidate=reverted)
    status = status_of(plan(before), "new", before)
    assert (status.phase, status.active_since, status.left_at) == (
        RevisionPhase.PENDING,
        None,
        ago(40),
    )
    assert ago(40) < NOW
