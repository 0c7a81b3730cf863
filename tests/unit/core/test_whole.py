"""Probes of a revision as a whole: no data passes nothing, fails nothing and moves nothing."""

from dataclasses import replace
from typing import Any

import pytest

from immutablerelease.api.conditions import Status, find_condition
from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.probe import Compare, HttpProbe, Probe, PrometheusProbe, Scope, Threshold
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.core.probing import WHOLE, Attempt, Outcome, ProbeState, count
from immutablerelease.core.snapshot import Route, Snapshot

from .builders import (
    LONG_AGO,
    NOW,
    ago,
    failing,
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

API = Probe(name="api", http=HttpProbe(port=8080))
BLIND = ProbeState(blind=3, message="no sample", last_at=ago(1))


def prometheus(scope: Scope = Scope.ALWAYS, **fields: Any) -> Probe:
    fields = fields or {"threshold": Threshold(max=0.1)}
    return Probe(
        name="errors", prometheus=PrometheusProbe(query="$revision", **fields), scope=scope
    )


def _release(*probes: Probe, **more: Any) -> Release:
    made = release(**more)
    health = made.spec.health.model_copy(update={"probes": probes})
    return replace(made, spec=made.spec.model_copy(update={"health": health}))


def _running(
    name: str, whole: ProbeState | None, api: ProbeState | None = None
) -> tuple[Any, dict[str, dict[str, ProbeState]]]:
    made, known = pods(name, state=api or passing())
    return made, known | ({WHOLE: {"errors": whole}} if whole else {})


# --- the candidate ------------------------------------------------------------------------------


def _testing(whole: ProbeState | None, *, started: float = 5.0, probe: Probe | None = None) -> Any:
    """A candidate whose Pods are all well, and what is known of it as a whole."""
    return snapshot(
        _release(API, probe or prometheus()),
        revision("old", active_since=ago(LONG_AGO), good_since=ago(LONG_AGO)),
        revision("new", RevisionPhase.TESTING, number=2, started_at=ago(started), tested_at=ago(1)),
        running={"old": _running("old", passing()), "new": _running("new", whole)},
    )


def test_a_candidate_that_passes_as_a_whole_gets_the_traffic() -> None:
    assert moved_to(plan(_testing(passing()))) == "new"


@pytest.mark.parametrize(
    "state",
    [None, ProbeState(), BLIND, replace(passing(), blind=1)],
    ids=["nobody asked", "not asked yet", "no data", "passed, and no data since"],
)
def test_without_evidence_a_candidate_stays_a_candidate(state: ProbeState | None) -> None:
    seen = _testing(state)
    made = plan(seen)
    assert moved_to(made) is None
    assert status_of(made, "new", seen).phase is RevisionPhase.TESTING


def test_the_deadline_ends_the_wait_and_tells_what_was_missed() -> None:
    seen = _testing(BLIND, started=LONG_AGO)
    failure = status_of(plan(seen), "new", seen).failure
    assert failure is not None
    assert failure.reason == "DeadlineExceeded"
    assert "errors (no sample)" in failure.message


def test_a_candidate_that_fails_as_a_whole_fails_at_once() -> None:
    seen = _testing(failing())
    made = plan(seen)
    failure = status_of(made, "new", seen).failure
    assert moved_to(made) is None
    assert failure is not None
    assert (failure.reason, failure.message) == ("ProbeFailed", "probe errors fails: 500")


# --- what serves --------------------------------------------------------------------------------


def _serving(
    whole: ProbeState | None, *, reason: str = "Promoted", healthy: bool | None = True
) -> Snapshot:
    """What serves with all Pods well, and a warm one that is good."""
    return snapshot(
        _release(API, prometheus(), wants="new"),
        revision(
            "old",
            RevisionPhase.SUPERSEDED,
            active_since=ago(LONG_AGO),
            good_since=ago(LONG_AGO),
            left_at=ago(60),
        ),
        revision("new", number=2, active_since=ago(60), healthy=healthy),
        route=Route(record("new", reason, previous="old"), "new"),
        running={"new": _running("new", whole), "old": _running("old", None)},
    )


def _health(seen: Snapshot) -> tuple[Status, str, str]:
    condition = find_condition(status_of(plan(seen), "new", seen).conditions, "Healthy")
    assert condition is not None
    return condition.status, condition.reason, condition.message


def test_what_fails_as_a_whole_is_left_though_nothing_is_measured_of_the_other() -> None:
    assert moved_to(plan(_serving(failing()))) == "old"


def test_all_of_a_good_one_fails_when_it_fails_as_a_whole() -> None:
    seen = _serving(failing())
    good = seen.revisions["new"]
    status = good.status.model_copy(update={"good_since": ago(30)})
    seen = replace(seen, revisions={**seen.revisions, "new": replace(good, status=status)})
    assert moved_to(plan(seen)) == "old"


def test_no_data_reverts_nothing_and_is_told() -> None:
    seen = _serving(BLIND)
    assert moved_to(plan(seen)) is None
    assert _health(seen) == (Status.UNKNOWN, "NoEvidence", "probe errors: no sample")


def test_a_gap_in_the_data_shorter_than_the_threshold_is_no_news() -> None:
    seen = _serving(replace(passing(), blind=2))
    made = plan(seen)
    assert moved_to(made) is None
    assert find_condition(status_of(made, "new", seen).conditions, "Healthy").status is Status.TRUE  # type: ignore[union-attr]


def test_no_data_does_not_hide_a_pod_that_fails() -> None:
    seen = _serving(BLIND)
    _, known = _running("new", BLIND, failing())
    assert moved_to(plan(replace(seen, probes={**seen.probes, "new": known}))) == "old"


def test_no_data_makes_nothing_good() -> None:
    seen = _serving(BLIND)
    assert status_of(plan(seen), "new", seen).good_since is None
    baked = _serving(passing())
    assert status_of(plan(baked), "new", baked).good_since is not None


def test_what_took_the_traffic_back_and_never_passed_is_not_left_in_turn() -> None:
    seen = _serving(failing(), reason="Reverted")
    assert moved_to(plan(seen)) is None
    status, reason, message = _health(seen)
    assert (status, reason) == (Status.FALSE, "FailsSinceRevert")
    assert message.startswith("probe errors fails: 500; it took the traffic back")
    assert moved_to(plan(_serving(replace(failing(), passed=True), reason="Reverted"))) == "old"


# --- who is asked -------------------------------------------------------------------------------


def _asked(probe: Probe, *, serves: str | None = "old", **route: Any) -> dict[str, list[str]]:
    """Names of the revisions that are asked a probe, in a release with all three stages."""
    revisions: list[Revision] = [
        revision("older", RevisionPhase.SUPERSEDED, active_since=ago(LONG_AGO), left_at=ago(15)),
        revision("old", number=2, active_since=ago(60), healthy=True),
        revision("new", RevisionPhase.SHIFTING, number=3, started_at=ago(5), tested_at=ago(4)),
    ]
    made = record("old", "Promoted", **route)
    seen = snapshot(
        _release(probe),
        *(revisions if serves else revisions[2:]),
        route=Route(made, "old") if serves else Route(None, None),
        # Nothing goes on: it is only looked at who is asked.
        conflicts=("Deployment/new",),
        running={one.metadata.name: _running(one.metadata.name, None) for one in revisions},
    )
    done = plan(seen)
    assert done.against == serves
    return {name: [one.name for one in probes] for name, probes in done.probe.items()}


@pytest.mark.parametrize(
    ("scope", "of_pods", "of_the_whole"),
    [
        (Scope.ALWAYS, {"older", "old", "new"}, {"old", "new"}),
        (Scope.SERVING, {"older", "old"}, {"old"}),
        (Scope.CANDIDATE, {"new"}, {"new"}),
    ],
)
def test_a_scope_says_who_is_asked(scope: Scope, of_pods: set[str], of_the_whole: set[str]) -> None:
    assert _asked(API.model_copy(update={"scope": scope})).keys() == of_pods
    assert _asked(prometheus(scope)).keys() == of_the_whole


def test_a_candidate_with_a_share_of_the_traffic_serves() -> None:
    assert "new" not in _asked(prometheus(Scope.SERVING), candidate="new", weight=0)
    assert "new" in _asked(prometheus(Scope.SERVING), candidate="new", weight=10)
    assert "new" not in _asked(prometheus(Scope.CANDIDATE), candidate="new", weight=10)


def test_a_comparison_alone_is_asked_of_what_can_be_compared() -> None:
    compared = prometheus(compare=Compare(max_ratio=1.5))
    assert _asked(compared).keys() == {"new"}
    assert _asked(compared, serves=None).keys() == set()


def test_the_status_keeps_every_probe_whoever_is_asked_now() -> None:
    probe = prometheus(Scope.SERVING)
    seen = _testing(None, probe=probe)
    assert status_of(plan(seen), "new", seen).probes == (API, probe)


# --- counting -----------------------------------------------------------------------------------


def _counted(answers: str) -> ProbeState:
    """The state after attempts that pass (`+`), fail (`-`) or find nothing out (`?`)."""
    state, probe = ProbeState(), prometheus()
    for answer in answers:
        ok = {"+": True, "-": False, "?": None}[answer]
        state = count(state, Attempt(ok, answer, NOW), probe)
    return state


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ("?", Outcome.PENDING),
        ("???", Outcome.PENDING),
        ("+??", Outcome.PASSING),
        ("+???", Outcome.PENDING),
        ("+??+??", Outcome.PASSING),
        ("--?-", Outcome.FAILING),
        ("--???-", Outcome.PENDING),
        ("---??", Outcome.FAILING),
        ("---???", Outcome.PENDING),
        ("???+", Outcome.PASSING),
    ],
)
def test_no_evidence_counts_neither_way_and_takes_a_verdict_back_in_time(
    answers: str, outcome: Outcome
) -> None:
    assert _counted(answers).outcome is outcome
