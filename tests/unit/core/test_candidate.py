"""How does a candidate come to serve, and what ends its way?"""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from immutablerelease.api.revision import RevisionPhase
from immutablerelease.api.strategy import Promotion
from immutablerelease.core.draft import SOON
from immutablerelease.core.plan import MoveTraffic, Scale, StartRevision, Verify, WriteReleaseStatus
from immutablerelease.core.snapshot import Snapshot, VerdictView

from .builders import (
    NOW,
    POLICIES,
    TEMPLATE_HASH,
    ago,
    failing,
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

PENDING, STARTING = RevisionPhase.PENDING, RevisionPhase.STARTING
TESTING, FAILED = RevisionPhase.TESTING, RevisionPhase.FAILED


def scene(
    phase: RevisionPhase,
    new: Any = None,
    *,
    spec: dict[str, Any] | None = None,
    verdict: str | None = "Verified",
    policies: str = POLICIES,
    replicas: int | None = None,
    more: dict[str, Any] | None = None,
    **status: Any,
) -> Snapshot:
    """`old` serves and is good; `new` is the candidate."""
    running = {"old": pods("old", 2, passing())}
    if new is not None:
        running["new"] = new
    sizes = {"new": replicas} if replicas is not None else {}
    if phase is not PENDING:
        status.setdefault("started_at", ago(10))
    return snapshot(
        release(**(spec or {})),
        revision("old", active_since=ago(900), good_since=ago(300), healthy=True),
        revision("new", phase, number=2, verdict=verdict, policies=policies, **status),
        running=running,
        replicas=sizes,
        **(more or {}),
    )


def unscheduled() -> Any:
    """Pods that no node takes."""
    made, known = pods("new", 2, ready=False)
    return tuple(replace(one, unschedulable="no cpu") for one in made), known


@dataclass(frozen=True)
class Case:
    """A candidate, and what becomes of it."""

    id: str
    given: dict[str, Any]
    phase: RevisionPhase
    moves: bool = False
    says: str = ""
    spec: dict[str, Any] = field(default_factory=dict)


MANUAL = {"promotion": Promotion.MANUAL}
PASSED = {"tested_at": ago(1)}

CASES = [
    Case("verified: it is started", {"phase": PENDING}, STARTING),
    Case("not verified: it waits", {"phase": PENDING, "verdict": None}, PENDING),
    Case("verified by other policies: it waits", {"phase": PENDING, "policies": "x"}, PENDING),
    Case("paused: it waits", {"phase": PENDING}, PENDING, spec={"paused": True}),
    Case(
        "its Pods are not ready: it starts on",
        {"phase": STARTING, "new": pods("new", 2, ready=False)},
        STARTING,
    ),
    Case("its Pods are ready: it is tested", {"phase": STARTING, "new": pods("new", 2)}, TESTING),
    Case(
        "its probes passed and that is on record: it gets the traffic",
        {"phase": TESTING, "new": pods("new", 2, passing()), **PASSED},
        RevisionPhase.ACTIVE,
        moves=True,
    ),
    Case(
        "its probes passed just now: that is recorded first",
        {"phase": TESTING, "new": pods("new", 2, passing())},
        TESTING,
        says="passed its probes",
    ),
    Case(
        "its probes are not asked yet: it is tested on",
        {"phase": TESTING, "new": pods("new", 2)},
        TESTING,
    ),
    Case(
        "it is to be promoted by hand: it waits for that",
        {"phase": TESTING, "new": pods("new", 2, passing()), **PASSED},
        TESTING,
        says="waits for a ReleaseAction Promote",
        spec=MANUAL,
    ),
    Case(
        "it was approved: it gets the traffic",
        {"phase": TESTING, "new": pods("new", 2, passing()), "approved": True, **PASSED},
        RevisionPhase.ACTIVE,
        moves=True,
        spec=MANUAL,
    ),
    Case(
        "its preview passed: it grows first",
        {"phase": TESTING, "new": pods("new", 1, passing()), **PASSED},
        TESTING,
        spec={"preview": 1},
    ),
    Case(
        "it crashes: it failed",
        {"phase": STARTING, "new": pods("new", 2, ready=False, waiting="CrashLoopBackOff")},
        FAILED,
        says="CrashLoop: container app of Pod new-0 crashes",
    ),
    Case(
        "its image cannot be pulled: it failed",
        {"phase": STARTING, "new": pods("new", 2, ready=False, waiting="ImagePullBackOff")},
        FAILED,
        says="ImagePullFailed: the image of container app of Pod new-0 cannot be pulled",
    ),
    Case(
        "it fails its probe: it failed",
        {"phase": TESTING, "new": pods("new", 2, failing())},
        FAILED,
        says="ProbeFailed: probe api fails on Pod new-",
    ),
    Case(
        "its probe failed while its Pods were starting: it is tested on",
        {"phase": TESTING, "new": pods("new", 2, failing(since=9), ready_since=1)},
        TESTING,
    ),
    Case(
        "its Pods fail the probe and are not ready: they are starting",
        {"phase": STARTING, "new": pods("new", 2, failing(since=9), ready=False)},
        STARTING,
    ),
    Case(
        "it crashes while it waits to be promoted: it failed",
        {"phase": TESTING, "new": pods("new", 2, ready=False, restarts=3), **PASSED},
        FAILED,
        spec=MANUAL,
    ),
    Case(
        "no node takes its Pods: that is told before it is late",
        {"phase": STARTING, "new": unscheduled()},
        STARTING,
        says="starting its Pods; no node takes Pod new-0 (no cpu)",
    ),
    Case(
        "it is late and its Pods are not ready: it failed",
        {"phase": STARTING, "new": pods("new", 2, ready=False), "started_at": ago(61)},
        FAILED,
        says="DeadlineExceeded: not proven within 60 s: 0 of 2 Pods ready",
    ),
    Case(
        "it is late and waits for a word only: it waits",
        {"phase": TESTING, "new": pods("new", 2, passing()), "started_at": ago(999), **PASSED},
        TESTING,
        spec=MANUAL,
    ),
    Case(
        "it is late, passed, and that is on record: it gets the traffic",
        {"phase": TESTING, "new": pods("new", 2, passing()), "started_at": ago(61), **PASSED},
        RevisionPhase.ACTIVE,
        moves=True,
    ),
    Case(
        "it is late because the operator was away and asked nothing: it is asked",
        {"phase": TESTING, "new": pods("new", 2), "started_at": ago(999)},
        TESTING,
    ),
    Case(
        "its objects were refused: it failed",
        {"phase": STARTING, "more": {"refusals": {"new": "no quota"}}},
        FAILED,
        says="DeploymentRefused: the API server refused its objects: no quota",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_becomes_of_a_candidate(case: Case) -> None:
    before = scene(**case.given, spec=case.spec)
    made = plan(before)
    status = status_of(made, "new", before)
    assert status.phase is case.phase
    assert (moved_to(made) == "new") is case.moves
    assert case.says in status.message


def test_it_is_started_after_its_status_tells_so() -> None:
    made = plan(scene(PENDING))
    assert intents(made, StartRevision) == [StartRevision("new", 2)]
    told = [type(intent) for intent in made.intents]
    assert told.index(StartRevision) > told.index(WriteReleaseStatus)


def test_that_it_passed_is_told_of_the_release_unless_more_is_told_at_once() -> None:
    passed = scene(TESTING, pods("new", 2, passing()))
    assert intents(plan(passed), WriteReleaseStatus) == []
    assert plan(passed).wake_at == NOW + SOON
    for waits in (
        replace(passed, conflicts=("Service/shop",)),
        scene(TESTING, pods("new", 2, passing()), spec=MANUAL),
        scene(TESTING, pods("new", 1, passing()), spec={"preview": 1}),
        # It was to get the traffic, and is not ready any more.
        scene(TESTING, pods("new", 2, ready=False), tested_at=ago(1)),
    ):
        assert len(intents(plan(waits), WriteReleaseStatus)) == 1


def test_what_the_status_of_the_release_remembers_waits_for_nothing() -> None:
    passed = scene(TESTING, pods("new", 2, passing()))
    of = passed.release
    forgotten = replace(of, status=of.status.model_copy(update={"source": None}))
    spec = passed.revisions["new"].spec
    named = spec.model_copy(update={"template_hash": TEMPLATE_HASH, "generation": 5})
    revisions = {**passed.revisions, "new": replace(passed.revisions["new"], spec=named)}
    made = plan(replace(passed, release=forgotten, revisions=revisions))
    assert [told.status.source for told in intents(made, WriteReleaseStatus)] == [of.status.source]


def test_its_preview_is_small_and_grows_before_it_serves() -> None:
    started = plan(scene(PENDING, spec={"preview": 1}))
    assert intents(started, StartRevision) == [StartRevision("new", 1)]
    passed = scene(TESTING, pods("new", 1, passing()), spec={"preview": 1}, tested_at=ago(1))
    assert intents(plan(passed), Scale) == [Scale("new", 2)]


def test_what_is_not_verified_is_not_scaled_up() -> None:
    made = plan(scene(PENDING, verdict=None, replicas=0))
    assert intents(made, Scale) == []
    assert made.verify == (Verify("new", POLICIES),)


def test_a_promotion_supersedes_what_served() -> None:
    before = scene(TESTING, pods("new", 2, passing()), tested_at=ago(1))
    made = plan(before)
    left = status_of(made, "old", before)
    assert (left.phase, left.left_at, left.good_since) == (
        RevisionPhase.SUPERSEDED,
        NOW,
        ago(300),
    )
    assert intents(made, MoveTraffic)[0].record.previous == "old"
    assert intents(made, Scale) == []


def test_the_deadline_stands_still_while_the_release_is_paused() -> None:
    before = scene(TESTING, pods("new", 2), spec={"paused": True}, started_at=ago(50))
    assert status_of(plan(before), "new", before).started_at is None
    resumed = scene(TESTING, pods("new", 2), started_at=None)
    assert status_of(plan(resumed), "new", resumed).started_at == NOW


def test_a_template_that_was_changed_fails_the_candidate() -> None:
    before = scene(TESTING, pods("new", 2, passing()))
    changed = replace(before.deployments["new"], intact=False, message="image changed")
    before = replace(before, deployments={**before.deployments, "new": changed})
    assert status_of(plan(before), "new", before).message.startswith("TemplateChanged")


@pytest.mark.parametrize(
    ("phase", "verdict", "becomes", "asks_again"),
    [
        (PENDING, "Verified", STARTING, False),
        (PENDING, "Refused", RevisionPhase.REJECTED, False),
        (PENDING, "Unknown", PENDING, True),
        (RevisionPhase.REJECTED, "Verified", STARTING, False),
        (RevisionPhase.REJECTED, "Unknown", RevisionPhase.REJECTED, True),
        (TESTING, "Refused", RevisionPhase.REJECTED, False),
    ],
    ids=[
        "verified: it starts",
        "refused: it is rejected",
        "unknown: it waits and is asked again",
        "rejected, and other policies pass it: it starts",
        "rejected, and other policies cannot be asked: it stays so",
        "tested, and other policies refuse it: it is rejected",
    ],
)
def test_a_verdict(
    phase: RevisionPhase, verdict: str, becomes: RevisionPhase, asks_again: bool
) -> None:
    view = VerdictView(verdict, "Reason", "container app: why", POLICIES, NOW)
    before = scene(phase, verdict=None, more={"verdicts": {"new": view}})
    made = plan(before)
    assert status_of(made, "new", before).phase is becomes
    assert bool(made.verify) is asks_again


def test_a_verdict_of_earlier_policies_is_not_taken() -> None:
    view = VerdictView("Verified", "Verified", "signed", "earlier", NOW)
    before = scene(PENDING, verdict=None, more={"verdicts": {"new": view}})
    made = plan(before)
    assert made.verify == (Verify("new", POLICIES),)
    assert status_of(made, "new", before).phase is PENDING


def test_not_knowing_does_not_undo_what_was_verified() -> None:
    view = VerdictView("Unknown", "Unreachable", "registry is down", POLICIES, NOW)
    before = scene(PENDING, policies="earlier", more={"verdicts": {"new": view}})
    kept = status_of(plan(before), "new", before).verification
    assert kept is not None
    assert kept.verdict == "Verified"


def test_a_rejection_tells_which_container_and_why_and_what_to_do() -> None:
    view = VerdictView("Refused", "Unsigned", "container app: no signature", POLICIES, NOW)
    told = release_status(plan(scene(PENDING, verdict=None, more={"verdicts": {"new": view}})))
    conditions = {item.type: item for item in told.conditions}
    assert told.phase == "Rejected"
    assert conditions["Verified"].status == "False"
    assert conditions["Stalled"].reason == "Unsigned"
    for words in ("container app: no signature", "old serves", "change the spec"):
        assert words in conditions["Stalled"].message


def test_messages_are_clipped_to_what_the_schemas_allow() -> None:
    view = VerdictView("Refused", "R" * 99, "x" * 9999, POLICIES, NOW)
    before = scene(PENDING, verdict=None, more={"verdicts": {"new": view}})
    status = status_of(plan(before), "new", before)
    assert type(status).model_validate(status.wire()).phase is RevisionPhase.REJECTED
