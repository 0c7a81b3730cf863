"""Pods that are only not there yet say nothing against the version that they run."""

from dataclasses import replace
from datetime import timedelta

import pytest

from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.snapshot import Snapshot

from .builders import (
    NOW,
    ago,
    health,
    moved_to,
    passing,
    plan,
    pods,
    release,
    revision,
    snapshot,
)


def unready(since: float, *, created: float, good: bool = True, **how: object) -> Snapshot:
    """`new` serves, and none of its Pods is ready since some seconds; `old` is warm and good."""
    serving = revision(
        "new", number=2, active_since=ago(600), good_since=ago(500) if good else None
    )
    conditions = (health(False, since),)
    serving = replace(serving, status=serving.status.model_copy(update={"conditions": conditions}))
    before = revision(
        "old",
        RevisionPhase.SUPERSEDED,
        active_since=ago(900),
        good_since=ago(800),
        left_at=ago(600),
    )
    made, known = pods("new", 2, ready=False, **how)  # type: ignore[arg-type]
    made = tuple(replace(pod, created=ago(created)) for pod in made)
    running = {"new": (made, known), "old": pods("old", 2, passing())}
    return snapshot(release(keep_warm=3600.0), serving, before, serves="new", running=running)


@pytest.mark.parametrize("good", [True, False])
def test_pods_made_anew_get_the_time_that_a_candidate_gets(good: bool) -> None:
    seen = unready(30, created=29, good=good)
    decided = plan(seen)
    assert moved_to(decided) is None
    deadline = seen.release.spec.health.progress_deadline
    assert decided.wake_at is not None
    assert decided.wake_at <= NOW + timedelta(seconds=deadline - 30)


def test_pods_made_anew_that_are_not_ready_by_the_deadline_are_left() -> None:
    assert moved_to(plan(unready(301, created=300))) == "old"


def test_pods_made_anew_that_crash_are_left_at_once() -> None:
    assert moved_to(plan(unready(1, created=1, restarts=1, waiting="CrashLoopBackOff"))) == "old"


def test_pods_that_were_there_before_and_turned_unready_are_left_after_the_grace() -> None:
    assert moved_to(plan(unready(2, created=500))) is None
    assert moved_to(plan(unready(4, created=500))) == "old"
