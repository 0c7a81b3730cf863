"""How many Pods does each revision keep, and what is forgotten?"""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from immutablerelease.api.release import Revert
from immutablerelease.api.revision import FrozenConfig, RevisionPhase
from immutablerelease.core.plan import (
    DeleteFrozen,
    DeleteRevision,
    EnsureService,
    Scale,
    StartRevision,
)
from immutablerelease.core.snapshot import Route, Snapshot

from .builders import (
    ago,
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

SUPERSEDED, RETIRED = RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED
FAILED = RevisionPhase.FAILED


def scene(
    *others: Any, good: bool = True, spec: dict[str, Any] | None = None, **more: Any
) -> Snapshot:
    """`now` serves with two Pods; keepWarm is 30 s."""
    running = {"now": pods("now", 2, passing())}
    serving = revision(
        "now",
        number=9,
        active_since=ago(60) if good else ago(5),
        good_since=ago(30) if good else None,
        healthy=True,
    )
    return snapshot(
        release(wants="now", **(spec or {})),
        serving,
        *others,
        serves="now",
        running={**running, **more.pop("running", {})},
        **more,
    )


@dataclass(frozen=True)
class Case:
    """A revision `other` that runs two Pods, and how many it is given."""

    id: str
    status: dict[str, Any]
    size: int | None = None
    good: bool = True
    more: dict[str, Any] = field(default_factory=dict)


SERVED: dict[str, Any] = {"active_since": ago(900), "good_since": ago(800)}

CASES = [
    Case("inside of keepWarm it stays whole", {"phase": SUPERSEDED, "left_at": ago(29), **SERVED}),
    Case("after keepWarm it goes", {"phase": SUPERSEDED, "left_at": ago(30), **SERVED}, 0),
    Case(
        "after keepWarm it stays while what serves is not good yet",
        {"phase": SUPERSEDED, "left_at": ago(300), **SERVED},
        good=False,
    ),
    Case("what never served goes at once", {"phase": SUPERSEDED}, 0),
    Case("what was reverted drains", {"phase": FAILED, "left_at": ago(9), **SERVED}),
    Case("what was reverted and has drained goes", {"phase": FAILED, "left_at": ago(10)}, 0),
    Case("what failed before it served goes at once", {"phase": FAILED}, 0),
    Case("what was rejected goes", {"phase": RevisionPhase.REJECTED}, 0),
    Case(
        "what endpoints still name stays",
        {"phase": SUPERSEDED, "left_at": ago(300), **SERVED},
        more={"route": Route(record("now"), "now", frozenset({"other-0"}))},
    ),
    Case(
        "somebody scaled it down inside of keepWarm: it is whole again",
        {"phase": SUPERSEDED, "left_at": ago(5), **SERVED},
        2,
        more={"replicas": {"other": 1}},
    ),
    Case(
        "the target of a revert is brought to full size",
        {"phase": RETIRED, "started_at": ago(2), **SERVED},
        2,
        more={
            "replicas": {"other": 0},
            "spec": {
                "revert": Revert(
                    target="other", source="now", reason="r", message="m", action="uid"
                )
            },
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_how_many_pods(case: Case) -> None:
    more = {"running": {"other": pods("other", 2, passing())}, **case.more}
    made = plan(scene(revision("other", **case.status), good=case.good, **more))
    sizes = [intent.replicas for intent in intents(made, Scale) if intent.revision == "other"]
    assert sizes == ([] if case.size is None else [case.size])


def test_shrinking_waits_for_a_look_at_the_service_and_comes_last() -> None:
    other = revision("other", SUPERSEDED, left_at=ago(99), **SERVED)
    made = plan(scene(other, running={"other": pods("other", 2, passing())}))
    assert made.intents[-1] == Scale("other", 0, unless_routed=True)


@pytest.mark.parametrize("replicas", [0, 1, 5])
def test_what_serves_is_scaled_as_the_spec_says(replicas: int) -> None:
    made = plan(scene(spec={"replicas": replicas}))
    assert intents(made, Scale) == [Scale("now", replicas)]


def test_what_somebody_deleted_is_made_again() -> None:
    before = scene()
    lost = replace(before, services=frozenset())
    assert intents(plan(lost), StartRevision) == [StartRevision("now", 2)]
    assert intents(plan(before), StartRevision) == []


def test_what_has_no_pods_left_retires() -> None:
    other = revision("other", SUPERSEDED, left_at=ago(99), **SERVED)
    before = scene(other, replicas={"other": 0})
    assert status_of(plan(before), "other", before).phase is RETIRED


def test_ports_are_brought_up_to_date_only_when_no_traffic_moves() -> None:
    stale = Route(record("now"), "now", untouched=False)
    assert intents(plan(scene(route=stale)), EnsureService) == [EnsureService()]
    old = revision("old", SUPERSEDED, left_at=ago(20), **SERVED)
    running = {"now": pods("now", 2, failing()), "old": pods("old", 2, passing())}
    reverts = plan(scene(old, good=False, route=stale, running=running))
    assert moved_to(reverts) == "old"
    assert intents(reverts, EnsureService) == []


def test_ports_are_left_where_the_record_or_the_selector_is_not_to_be_trusted() -> None:
    other = revision("other", RETIRED, verdict=None)
    dead = {"now": pods("now", 2, ready=False)}
    for route in (
        Route(record("other", at=1), "other", untouched=False),
        Route(record("now"), "other", untouched=False),
    ):
        assert intents(plan(scene(other, route=route, running=dead)), EnsureService) == []


# --- drift of the route -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "route",
    [
        Route(record("now"), "other"),
        Route(record("now"), None),
        Route(None, None),
        Route(record("other", at=1), "now"),
        Route(record("gone", at=1), "now"),
        Route(record("now", at=90), "now"),
    ],
    ids=[
        "the selector names another revision",
        "the selector is not ours any more",
        "the Service was deleted",
        "the record names what was never verified",
        "the record names what does not exist",
        "the record is the right one",
    ],
)
def test_the_route_is_restored(route: Route) -> None:
    other = revision("other", RETIRED, verdict=None)
    moves = moved_to(plan(scene(other, route=route)))
    assert moves == (None if route == Route(record("now", at=90), "now") else "now")


def test_a_record_older_than_what_statuses_tell_is_stale_and_overwritten() -> None:
    older = revision("older", SUPERSEDED, left_at=ago(60), **SERVED)
    running = {"older": pods("older", 2, passing())}
    stale = Route(record("older", at=800), "older")
    before = scene(older, route=stale, running=running)
    made = plan(before)
    assert moved_to(made) == "now"
    assert status_of(made, "now", before).phase is RevisionPhase.ACTIVE


def test_it_is_not_restored_to_where_nothing_is_ready() -> None:
    drifted = Route(record("now"), "other")
    made = plan(scene(route=drifted, running={"now": pods("now", 2, ready=False)}))
    assert moved_to(made) is None


# --- history ------------------------------------------------------------------------------------


def history(limit: int) -> Snapshot:
    """Eight revisions that are nothing but history, the first of which is known to be good."""
    past = [revision(f"r{number}", RETIRED, number=number) for number in range(2, 9)]
    good = revision("r1", RETIRED, number=1, **SERVED)
    return scene(good, *past, spec={"history": limit})


def test_the_oldest_are_forgotten_beyond_the_limit() -> None:
    forgotten = {intent.name for intent in intents(plan(history(3)), DeleteRevision)}
    assert forgotten == {"r2", "r3", "r4", "r5"}


def test_nothing_is_forgotten_while_it_is_unknown_what_the_spec_stands_for() -> None:
    before = replace(history(0), template_hash="another")
    assert intents(plan(before), DeleteRevision) == []


def test_what_still_has_pods_is_not_history() -> None:
    other = revision("other", FAILED, left_at=ago(99))
    running = {"other": pods("other", 1)}
    assert intents(plan(scene(other, spec={"history": 0}, running=running)), DeleteRevision) == []


def test_frozen_copies_that_nobody_names_are_deleted() -> None:
    named = FrozenConfig(kind="ConfigMap", source="app", name="app-1")
    other = revision("other", RETIRED, config=[named])
    frozen = frozenset({"ConfigMap/app-1", "Secret/app-2"})
    assert intents(plan(scene(other, frozen=frozen)), DeleteFrozen) == [
        DeleteFrozen("Secret", "app-2")
    ]


def test_what_a_route_may_still_name_is_not_forgotten() -> None:
    """Also without Pods: what routes to a Service that is gone answers with errors."""
    left = revision("left", RevisionPhase.FAILED, number=1)
    serving = revision("new", number=2, active_since=ago(5))
    running = {"new": pods("new", 2, passing())}

    def forgotten(seconds: float) -> list[str]:
        at = record("new", at=seconds, previous="left")
        seen = snapshot(release(history=0), left, serving, route=Route(at, "new"), running=running)
        return [intent.name for intent in intents(plan(seen), DeleteRevision)]

    assert forgotten(5) == []
    assert forgotten(11) == ["left"]
