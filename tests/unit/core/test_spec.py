"""Which revision does a spec stand for, and what does the release tell about itself?"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from immutablerelease.api.release import Guard, OnFailure
from immutablerelease.api.revision import ResolvedImage, RevisionPhase
from immutablerelease.core.decide import decide
from immutablerelease.core.identity import content_hash, revision_name
from immutablerelease.core.plan import RecordRevision, Resolve, WriteReleaseStatus
from immutablerelease.core.snapshot import Resolution, Route, Snapshot, Unresolved

from .builders import (
    NOW,
    TEMPLATE_HASH,
    ago,
    failing,
    intents,
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

SUPERSEDED, RETIRED = RevisionPhase.SUPERSEDED, RevisionPhase.RETIRED
STARTING, PENDING = RevisionPhase.STARTING, RevisionPhase.PENDING

IMAGE = ResolvedImage(container="app", source="shop:2", image=f"r/shop@sha256:{'1' * 64}")
RESOLVED = Resolution(TEMPLATE_HASH, {"spec": {"a": 1}}, (IMAGE,))
NAME = revision_name("shop", {"spec": {"a": 1}}, {})


def scene(*others: Any, wants: str | None = "now", now: Any = None, **more: Any) -> Snapshot:
    """`now` serves and is good."""
    spec = more.pop("spec", {})
    good = more.pop("good", True)
    serving = revision(
        "now",
        number=3,
        active_since=ago(90),
        good_since=ago(30) if good else None,
        healthy=more.pop("healthy", True),
    )
    return snapshot(
        release(wants=wants, **spec),
        serving,
        *others,
        serves="now",
        running={"now": now or pods("now", 2, passing()), **more.pop("running", {})},
        **more,
    )


def test_a_new_spec_is_resolved() -> None:
    assert plan(scene(wants=None)).resolve == Resolve(TEMPLATE_HASH)


def test_a_paused_one_is_not() -> None:
    made = plan(scene(wants=None, spec={"paused": True}))
    assert made.resolve is None
    assert release_status(made).phase == "Paused"


def test_what_was_resolved_is_recorded_once_with_the_next_number() -> None:
    made = plan(scene(wants=None, resolution=RESOLVED))
    recorded = intents(made, RecordRevision)
    assert [(one.name, one.spec.number, one.spec.generation) for one in recorded] == [(NAME, 4, 5)]


def test_nothing_is_told_of_a_revision_before_it_is_recorded() -> None:
    made = plan(scene(wants=None, resolution=RESOLVED))
    assert made.events == ()
    assert all(one.status.source is None for one in intents(made, WriteReleaseStatus))


def test_a_result_for_an_earlier_spec_is_not_taken() -> None:
    stale = replace(RESOLVED, template_hash="earlier")
    assert intents(plan(scene(wants=None, resolution=stale)), RecordRevision) == []


def test_what_a_killed_operator_recorded_is_found_and_not_resolved_again() -> None:
    made = revision(NAME, PENDING, number=4, verdict=None)
    spec = made.spec.model_copy(update={"template_hash": TEMPLATE_HASH, "generation": 5})
    found = plan(scene(replace(made, spec=spec), wants=None))
    assert found.resolve is None
    assert [one.revision for one in found.verify] == [NAME]
    assert [event.reason for event in found.events] == ["RevisionRecorded"]
    source = release_status(found).source
    assert source is not None
    assert source.revision == NAME


def test_a_registry_that_cannot_be_reached_is_told_and_tried_on() -> None:
    down = Unresolved(TEMPLATE_HASH, "RegistryUnreachable", "connection refused")
    made = plan(scene(wants=None, resolution=down))
    assert made.resolve == Resolve(TEMPLATE_HASH)
    conditions = {item.type: item for item in release_status(made).conditions}
    assert conditions["Reconciling"].reason == "RegistryUnreachable"


def test_a_newer_spec_supersedes_what_is_in_flight() -> None:
    new = revision("new", STARTING, number=4, started_at=ago(5))
    before = scene(new, wants=None, running={"new": pods("new", 2)})
    assert status_of(plan(before), "new", before).phase is SUPERSEDED


def test_a_spec_that_returns_to_what_serves_stops_the_candidate() -> None:
    new = revision("new", STARTING, number=4, started_at=ago(5))
    before = scene(new, running={"new": pods("new", 2)})
    made = plan(before)
    assert status_of(made, "new", before).phase is SUPERSEDED
    assert release_status(made).candidate_revision is None


@pytest.mark.parametrize(
    ("phase", "becomes"),
    [
        (SUPERSEDED, STARTING),
        (RETIRED, STARTING),
        (RevisionPhase.FAILED, RevisionPhase.FAILED),
        (RevisionPhase.REJECTED, RevisionPhase.REJECTED),
    ],
    ids=["superseded", "retired", "failed stays so", "rejected stays so"],
)
def test_a_spec_that_returns_to_an_earlier_one(
    phase: RevisionPhase, becomes: RevisionPhase
) -> None:
    earlier = revision("earlier", phase, active_since=ago(900), left_at=ago(20))
    before = scene(earlier, wants="earlier")
    assert status_of(plan(before), "earlier", before).phase is becomes


def test_what_returns_keeps_its_warm_pods_while_it_is_tested() -> None:
    earlier = revision("earlier", SUPERSEDED, active_since=ago(900), left_at=ago(20))
    running = {"earlier": pods("earlier", 2)}
    made = plan(scene(earlier, wants="earlier", running=running, spec={"preview": 1}))
    assert not [intent for intent in made.intents if "Scale" in type(intent).__name__]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, True),
        ({"a": {"b": {}}}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": 0}, {}, False),
        ({"a": ""}, {}, False),
        ({"a": False}, {}, False),
        ({"a": "1"}, {"a": 1}, False),
    ],
    ids=[
        "order of keys",
        "absent against null",
        "empty is something",
        "order of lists",
        "zero is something",
        "an empty string is something",
        "false is something",
        "text and number",
    ],
)
def test_identity(one: Any, other: Any, same: bool) -> None:
    assert (content_hash(one) == content_hash(other)) is same


# --- what the release tells ---------------------------------------------------------------------


def told(of: Snapshot) -> dict[str, Any]:
    """Phase and conditions of the release."""
    status = release_status(plan(of))
    return {"phase": status.phase} | {
        item.type: (item.status.value, item.reason) for item in status.conditions
    }


FAILING = pods("now", 2, failing())
ALERT = {"guard": Guard(on_failure=OnFailure.ALERT)}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (scene(), {"phase": "Active", "Ready": ("True", "Active")}),
        (
            scene(now=FAILING),
            {"phase": "Degraded", "Stalled": ("True", "NothingToRevertTo")},
        ),
        (scene(now=FAILING, spec=ALERT), {"phase": "Degraded", "Stalled": ("True", "AlertOnly")}),
        (
            scene(now=pods("now", 1, passing())),
            {"phase": "Progressing", "Reconciling": ("True", "Scaling")},
        ),
        (
            scene(conflicts=("Service/shop",)),
            {"phase": "Degraded", "Stalled": ("True", "NameConflict")},
        ),
        (
            scene(revision("new", STARTING, started_at=ago(1)), wants="new"),
            {"phase": "Progressing", "Reconciling": ("True", "Starting")},
        ),
        (
            scene(revision("new", RevisionPhase.FAILED, active_since=ago(9)), wants="new"),
            {"phase": "Reverted", "Stalled": ("True", "Failed")},
        ),
        (
            scene(revision("new", RevisionPhase.FAILED), wants="new"),
            {"phase": "Failed", "Stalled": ("True", "Failed")},
        ),
        (
            scene(revision("new", STARTING), wants="new", spec={"paused": True}),
            {"phase": "Paused", "Ready": ("False", "Paused")},
        ),
    ],
    ids=[
        "serving",
        "failing with nowhere to go",
        "failing and only to be watched",
        "short of Pods",
        "a name that is taken",
        "a candidate on its way",
        "reverted",
        "failed before it served",
        "paused",
    ],
)
def test_the_release_tells(of: Snapshot, expected: dict[str, Any]) -> None:
    found = told(of)
    assert {key: found.get(key) for key in expected} == expected
    for absent in {"Reconciling", "Stalled"} - expected.keys():
        assert absent not in found


def test_conditions_speak_of_the_present_generation() -> None:
    status = release_status(plan(scene(spec={"generation": 7})))
    assert status.observed_generation == 7
    assert {item.observed_generation for item in status.conditions} == {7}


def test_what_serves_counts_as_good_after_the_bake_and_not_before() -> None:
    before = scene(good=False)
    assert status_of(plan(before), "now", before).good_since == NOW
    early = decide(scene(good=False), ago(75))
    assert early.wake_at == ago(70)


def test_it_does_not_count_as_good_while_nothing_is_known_of_it() -> None:
    before = scene(good=False, now=pods("now", 2))
    assert status_of(plan(before), "now", before).good_since is None


def test_a_release_that_is_being_deleted_is_left_alone() -> None:
    before = scene(now=FAILING)
    metadata = replace(before.release.metadata, deleting=True)
    made = plan(replace(before, release=replace(before.release, metadata=metadata)))
    assert made.intents == ()


def test_a_clock_that_goes_back_a_little_changes_nothing() -> None:
    before = scene()
    written = release_status(plan(before))
    release_now = replace(before.release, status=written)
    revisions = {
        name: replace(one, status=status_of(plan(before), name, before))
        for name, one in before.revisions.items()
    }
    settled = replace(before, release=release_now, revisions=revisions)
    assert decide(settled, NOW - timedelta(seconds=2)).intents == ()


def test_statuses_that_were_lost_are_told_again_by_the_record() -> None:
    lost = revision("now", PENDING, verdict=None)
    bad = revision("bad", PENDING, number=2, verdict=None)
    route = Route(record("now", "Reverted", previous="bad"), "now")
    before = snapshot(
        release(wants="bad"), lost, bad, route=route, running={"now": pods("now", 2, passing())}
    )
    asked = {one.revision for one in plan(before).verify}
    assert asked == {"now", "bad"}
    proven = revision("now", PENDING, tested_at=ago(1))
    known = replace(before, revisions={"now": proven, "bad": bad})
    made = plan(known)
    assert status_of(made, "now", known).phase is RevisionPhase.ACTIVE
    assert status_of(made, "bad", known).phase is RevisionPhase.FAILED
