"""When is what was verified verified again, and what follows from what is said then?"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from immutablerelease.api.action import ActionKind, ActionPhase
from immutablerelease.api.conditions import Status, find_condition
from immutablerelease.api.release import Guard, OnFailure, ReleasePhase, Revert
from immutablerelease.api.revision import Refusal, RevisionPhase, RevisionStatus, Verification
from immutablerelease.core.plan import EventType, MoveTraffic, Plan, Scale, Verify
from immutablerelease.core.snapshot import Snapshot, VerdictView

from .builders import (
    NOW,
    POLICIES,
    action,
    ago,
    answer,
    intents,
    moved_to,
    passing,
    plan,
    pods,
    release,
    release_status,
    revision,
    snapshot,
    status_of,
)

SUPERSEDED, REJECTED = RevisionPhase.SUPERSEDED, RevisionPhase.REJECTED
FUTURE = NOW + timedelta(hours=1)


def refusal(*, revert: bool = False, policies: str = POLICIES, due: Any = FUTURE) -> Refusal:
    return Refusal(
        reason="WrongKey",
        message="not the team's",
        policies=policies,
        time=ago(60),
        due=due,
        revert=revert,
    )


def due(of: Snapshot, name: str, at: datetime) -> Snapshot:
    """The snapshot with a revision whose verdict stands until then."""
    known = of.revisions[name]
    verification = known.status.verification
    assert isinstance(verification, Verification)
    changed = verification.model_copy(update={"time": ago(3600), "due": at})
    status = known.status.model_copy(update={"verification": changed})
    return replace(of, revisions={**of.revisions, name: replace(known, status=status)})


def scene(
    *,
    new: dict[str, Any] | None = None,
    old: dict[str, Any] | None = None,
    old_phase: RevisionPhase = SUPERSEDED,
    spec: dict[str, Any] | None = None,
    cold: bool = False,
    **more: Any,
) -> Snapshot:
    """`new` serves and is good; `old` served before, is good too and warm."""
    serving: dict[str, Any] = {
        "number": 2,
        "active_since": ago(600),
        "healthy": True,
        "good_since": ago(500),
    }
    before: dict[str, Any] = {"active_since": ago(900), "good_since": ago(800), "left_at": ago(600)}
    running = {"new": pods("new", 2, passing())}
    if not cold:
        running["old"] = pods("old", 2, passing())
    return snapshot(
        release(keep_warm=9000.0, **(spec or {})),
        revision("new", **(serving | (new or {}))),
        revision("old", old_phase, **(before | (old or {}))),
        serves="new",
        running=running,
        **more,
    )


def verdict(kind: str, *, policies: str = POLICIES, revert: bool = False) -> VerdictView:
    return VerdictView(kind, "Reason", f"it is {kind}", policies, NOW, due=FUTURE, revert=revert)


def verified(of: Plan, name: str, before: Snapshot) -> tuple[Status, str]:
    """What the condition Verified of a revision tells after the plan."""
    found = find_condition(status_of(of, name, before).conditions, "Verified")
    assert found is not None
    return found.status, found.message


# --- when ---------------------------------------------------------------------------------------


def test_what_serves_and_what_may_serve_again_is_verified_when_policies_change() -> None:
    made = plan(scene(policies="others"))
    assert set(made.verify) == {Verify("new", "others"), Verify("old", "others")}


def test_what_failed_is_not_verified_again() -> None:
    assert plan(scene(policies="others", old_phase=RevisionPhase.FAILED)).verify == (
        Verify("new", "others"),
    )


def test_what_the_present_policies_verified_is_left_alone() -> None:
    assert plan(scene()).verify == ()


def test_a_verdict_stands_until_it_is_due() -> None:
    made = plan(due(scene(), "new", FUTURE))
    assert (made.verify, made.wake_at) == ((), FUTURE)


def test_what_is_due_is_asked_anew_and_not_from_memory() -> None:
    assert plan(due(scene(), "new", ago(1))).verify == (Verify("new", POLICIES, again=True),)


def test_a_candidate_that_is_due_goes_on_until_the_verdict_is_there() -> None:
    candidate = revision("next", RevisionPhase.TESTING, number=3, started_at=ago(10))
    before = scene()
    of = replace(
        before,
        release=release(wants="next"),
        revisions={**before.revisions, "next": candidate},
    )
    of = due(of, "next", ago(1))
    assert Verify("next", POLICIES, again=True) in plan(of).verify
    assert status_of(plan(of), "next", of).started_at == ago(10)
    of = replace(of, verdicts={"next": verdict("Refused")})
    assert status_of(plan(of), "next", of).phase is REJECTED


# --- what follows -------------------------------------------------------------------------------


def test_a_pass_is_recorded_with_when_it_is_due() -> None:
    of = scene(policies="others", verdicts={"new": verdict("Verified", policies="others")})
    status = status_of(plan(of), "new", of)
    assert status.verification is not None
    assert (status.verification.policies, status.verification.due) == ("others", FUTURE)
    assert plan(of).events == ()


def test_an_older_verdict_is_no_answer_to_what_is_due() -> None:
    of = replace(
        due(scene(), "new", ago(1)), verdicts={"new": replace(verdict("Refused"), at=ago(7200))}
    )
    assert plan(of).verify == (Verify("new", POLICIES, again=True),)
    assert status_of(plan(of), "new", of).refusal is None


def test_what_serves_and_is_refused_serves_on_and_is_told() -> None:
    of = scene(policies="others", verdicts={"new": verdict("Refused", policies="others")})
    made = plan(of)
    status = status_of(made, "new", of)
    assert (status.phase, moved_to(made)) == (RevisionPhase.ACTIVE, None)
    assert status.verification == of.revisions["new"].status.verification, "still why it was let in"
    condition, message = verified(made, "new", of)
    assert condition is Status.FALSE
    assert "it is Refused; it serves on; release a version" in message
    told = release_status(made)
    assert told.phase is ReleasePhase.DEGRADED
    conditions = {item.type: (item.status, item.reason) for item in told.conditions}
    assert conditions["Verified"] == (Status.FALSE, "Reason")
    assert conditions["Stalled"] == (Status.TRUE, "VerificationRefused")
    assert [(event.type, event.reason) for event in made.events] == [
        (EventType.WARNING, "VerificationRefused")
    ]


def test_a_refusal_is_told_once() -> None:
    of = scene(
        new={"refusal": refusal()},
        policies="others",
        verdicts={"new": verdict("Refused", policies="others")},
    )
    assert plan(of).events == ()


def test_what_is_refused_and_serves_keeps_its_pods_and_its_route() -> None:
    of = scene(new={"refusal": refusal()}, replicas={"new": 1})
    made = plan(of)
    assert intents(made, Scale) == [Scale("new", 2)]
    assert release_status(made).active_revision == "new"


@pytest.mark.parametrize("refused", [True, False], ids=["refused before", "verified before"])
def test_a_registry_that_is_down_changes_no_verdict(refused: bool) -> None:
    of = scene(
        new={"refusal": refusal(policies="before", revert=True)} if refused else {},
        policies="others",
        verdicts={name: verdict("Unknown", policies="others") for name in ("new", "old")},
    )
    made = plan(of)
    status = status_of(made, "new", of)
    assert (status.refusal is not None) is refused
    condition, message = verified(made, "new", of)
    assert condition is (Status.FALSE if refused else Status.TRUE)
    assert "could not be verified again: Reason: it is Unknown" in message
    assert Verify("new", "others") in made.verify, "asked on, with growing pauses"
    assert moved_to(made) is None, "nothing is verified by the present policies"


def test_doubt_ends_with_the_policies_that_it_was_about() -> None:
    of = scene(policies="others", verdicts={"new": verdict("Unknown", policies="others")})
    doubted = status_of(plan(of), "new", of)
    known = of.revisions["new"]
    of = replace(
        of,
        policies=POLICIES,
        verdicts={},
        revisions={**of.revisions, "new": replace(known, status=doubted)},
    )
    assert verified(plan(of), "new", of) == (Status.TRUE, "m")


# --- what a policy wants left -------------------------------------------------------------------


def test_where_a_policy_says_so_the_traffic_goes_to_what_is_verified() -> None:
    of = scene(new={"refusal": refusal(revert=True)})
    made = plan(of)
    move = intents(made, MoveTraffic)[0].record
    assert (move.revision, move.previous, move.reason) == ("old", "new", "VerificationRefused")
    left = status_of(made, "new", of)
    assert (left.phase, left.failure) == (REJECTED, None)
    assert "not the team's" in left.message


def test_it_does_so_whatever_the_guard_of_the_release_says() -> None:
    alert = {"guard": Guard(on_failure=OnFailure.ALERT)}
    assert moved_to(plan(scene(new={"refusal": refusal(revert=True)}, spec=alert))) == "old"


def test_it_waits_for_the_verdict_on_where_to_go() -> None:
    of = scene(new={"refusal": refusal(revert=True)}, old={"policies": "before"})
    for known in ({}, {"old": verdict("Verified")}):
        made = plan(replace(of, verdicts=known))
        assert moved_to(made) is None
        assert not made.events, "and does not call that nowhere to go"


def test_it_goes_to_nothing_that_is_refused_too() -> None:
    of = scene(
        new={"refusal": refusal(revert=True)},
        old={"refusal": refusal()},
        old_phase=REJECTED,
    )
    made = plan(of)
    assert moved_to(made) is None
    healthy = find_condition(status_of(made, "new", of).conditions, "Healthy")
    assert healthy is not None
    assert healthy.reason == "NothingToRevertTo"
    assert "no other revision that served is verified by the present policies" in healthy.message


def test_a_cold_one_is_started_first() -> None:
    made = plan(scene(new={"refusal": refusal(revert=True)}, cold=True))
    assert moved_to(made) is None
    revert = release_status(made).revert
    assert revert is not None
    assert (revert.target, revert.reason) == ("old", "VerificationRefused")


def test_what_was_started_takes_over_only_if_the_present_policies_verify_it() -> None:
    revert = Revert(target="old", source="new", reason="VerificationRefused", message="m")
    of = scene(
        new={"refusal": refusal(revert=True)}, old={"started_at": ago(5)}, spec={"revert": revert}
    )
    assert moved_to(plan(of)) == "old"
    assert moved_to(plan(replace(of, policies="others"))) is None


def test_a_refusal_that_is_undone_cancels_what_was_begun() -> None:
    revert = Revert(target="old", source="new", reason="VerificationRefused", message="m")
    of = scene(spec={"revert": revert}, cold=True)
    made = plan(of)
    assert release_status(made).revert is None
    assert [event.reason for event in made.events] == ["RevertCancelled"]


# --- what is refused and does not serve ---------------------------------------------------------


def test_nothing_goes_back_to_what_is_refused() -> None:
    of = scene(policies="others", verdicts={"old": verdict("Refused", policies="others")})
    made = plan(of)
    status = status_of(made, "old", of)
    assert status.phase is REJECTED
    assert "Verified" not in {event.reason for event in made.events}
    refused = scene(old={"refusal": refusal()}, old_phase=REJECTED)
    asked = replace(refused, actions=(action(ActionKind.ROLLBACK, revision="old"),))
    told = answer(plan(asked))
    assert told is not None
    assert told.phase is ActionPhase.FAILED


def test_what_is_verified_again_may_take_traffic_again() -> None:
    of = scene(
        old={"refusal": refusal(policies="before")},
        old_phase=REJECTED,
        verdicts={"old": verdict("Verified")},
    )
    status = status_of(plan(of), "old", of)
    assert (status.phase, status.refusal) == (SUPERSEDED, None)


def wanted_and_refused(**how: Any) -> Snapshot:
    """`new` is wanted, was left because a policy refuses it, and `old` serves."""
    status: dict[str, Any] = {"active_since": ago(600), "left_at": ago(60), "number": 2}
    return snapshot(
        release(wants="new"),
        revision("old", active_since=ago(60), good_since=ago(800), healthy=True),
        revision("new", REJECTED, **(status | {"refusal": refusal(**how)})),
        serves="old",
        running={"old": pods("old", 2, passing())},
    )


def test_what_is_wanted_and_was_left_for_a_refusal_waits_for_other_policies() -> None:
    of = wanted_and_refused(due=ago(1))
    assert plan(of).verify == ()
    told = release_status(plan(of))
    assert (told.phase, told.active_revision) == (ReleasePhase.REJECTED, "old")
    of = wanted_and_refused(policies="before")
    assert plan(of).verify == (Verify("new", POLICIES),)
    of = replace(of, verdicts={"new": verdict("Verified")})
    status: RevisionStatus = status_of(plan(of), "new", of)
    assert status.phase in (RevisionPhase.PENDING, RevisionPhase.STARTING)
    assert status.refusal is None


def test_retry_has_it_verified_from_the_beginning() -> None:
    of = replace(wanted_and_refused(), actions=(action(ActionKind.RETRY),))
    status = status_of(plan(of), "new", of)
    assert (status.phase, status.refusal, status.verification) == (
        RevisionPhase.PENDING,
        None,
        None,
    )
    assert plan(of).verify == (Verify("new", POLICIES),)
