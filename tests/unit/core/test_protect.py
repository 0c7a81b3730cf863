"""The budget of a revision: there while it runs, in step with the release, in nobody's way."""

from dataclasses import replace
from typing import Any

import pytest

from immutablerelease.api.release import Disruption, Workload
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.plan import KeepBudget, StartRevision
from immutablerelease.core.snapshot import Snapshot

from .builders import ago, intents, plan, pods, release, revision, snapshot


def serving(**more: Any) -> Snapshot:
    """A revision that serves, and one that is history."""
    old = revision("old", active_since=ago(60), good_since=ago(50))
    gone = revision("gone", RevisionPhase.RETIRED)
    running = {"old": pods("old")}
    return snapshot(release(wants="old"), old, gone, running=running, replicas={"gone": 0}, **more)


def test_what_has_its_budget_gets_no_other() -> None:
    assert intents(plan(serving()), KeepBudget) == []


def test_one_that_is_missing_is_made_for_what_runs_alone() -> None:
    assert intents(plan(serving(budgets={})), KeepBudget) == [KeepBudget("old", 1)]


@pytest.mark.parametrize("found", [2, "50%", None])
def test_one_that_says_something_else_is_brought_in_step(found: int | str | None) -> None:
    made = plan(serving(budgets={"old": found, "gone": found}))
    assert intents(made, KeepBudget) == [KeepBudget("old", 1)]


def test_what_the_release_asks_for_is_what_the_budget_says() -> None:
    before = serving()
    spec = before.release.spec.model_copy(update={"disruption": Disruption(max_unavailable="25%")})
    changed = replace(before, release=replace(before.release, spec=spec))
    assert intents(plan(changed), KeepBudget) == [KeepBudget("old", "25%")]


def test_agents_of_nodes_have_none() -> None:
    before = serving(budgets={})
    spec = before.release.spec.model_copy(update={"workload": Workload.DAEMON_SET})
    agents = replace(before, release=replace(before.release, spec=spec))
    assert intents(plan(agents), KeepBudget) == []


def test_a_candidate_gets_one_as_it_is_started_and_nothing_waits_for_it() -> None:
    old = revision("old", active_since=ago(60), good_since=ago(50))
    new = revision("new", RevisionPhase.PENDING, number=2)
    made = plan(snapshot(release(), old, new, running={"old": pods("old")}))
    assert intents(made, StartRevision) == [StartRevision("new", 2)]
    assert made.intents[-1] == KeepBudget("new", 1)
