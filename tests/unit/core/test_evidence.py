"""How attempts become verdicts, and what Pods tell."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immutablerelease.api.probe import Probe
from immutablerelease.core import signals
from immutablerelease.core.probing import Attempt, Outcome, ProbeState, count
from immutablerelease.core.snapshot import ContainerView, DeploymentView, PodView

from .builders import NOW, answering_badly, failing, passing, pod

PROBE = Probe(name="api", failure_threshold=3, success_threshold=2)


def counted(results: str) -> ProbeState:
    """The state after attempts: `+` passed, `-` failed."""
    state = ProbeState()
    for result in results:
        state = count(state, Attempt(result == "+", result, NOW), PROBE)
    return state


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ("", Outcome.PENDING),
        ("+", Outcome.PENDING),
        ("++", Outcome.PASSING),
        ("--", Outcome.PENDING),
        ("---", Outcome.FAILING),
        ("++--", Outcome.PASSING),
        ("++---", Outcome.FAILING),
        ("++---+", Outcome.FAILING),
        ("---++", Outcome.PASSING),
        ("-+-+-+", Outcome.PENDING),
    ],
)
def test_thresholds(results: str, outcome: Outcome) -> None:
    assert counted(results).outcome is outcome


@given(st.text("+-", max_size=30))
def test_a_verdict_has_as_many_attempts_in_a_row_behind_it_as_it_needs(results: str) -> None:
    outcome = counted(results).outcome
    assert outcome is not Outcome.PASSING or "++" in results
    assert outcome is not Outcome.FAILING or "---" in results


@given(st.text("+-", min_size=1, max_size=30))
def test_it_answers_when_the_newest_attempt_passed(results: str) -> None:
    assert counted(results).answers is results.endswith("+")


@pytest.mark.parametrize(
    ("state", "passes", "fails"),
    [
        (None, False, False),
        (ProbeState(), False, False),
        (passing(), True, False),
        (answering_badly(), True, False),
        (failing(), False, True),
    ],
    ids=["nothing is known", "pending", "passing", "passing, newest failed", "failing"],
)
def test_absence_of_evidence_is_neither(
    state: ProbeState | None, passes: bool, fails: bool
) -> None:
    one = pod("a")
    states = {"a": {"api": state}} if state else {}
    assert signals.all_pass([one], [PROBE], states) is passes
    assert bool(signals.probe_failures([one], [PROBE], states)) is fails


def test_without_pods_nothing_passes() -> None:
    assert not signals.all_pass([], [], {})


def test_without_probes_ready_pods_pass() -> None:
    assert signals.all_pass([pod()], [], {})


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (pod(), None),
        (pod(ready=False), None),
        (pod(ready=False, restarts=2), None),
        (pod(ready=False, restarts=3), "CrashLoop"),
        (pod(restarts=9), None),
        (pod(ready=False, waiting="CrashLoopBackOff"), "CrashLoop"),
        (pod(ready=False, waiting="ErrImagePull"), None),
        (pod(ready=False, waiting="ImagePullBackOff"), "ImagePullFailed"),
        (pod(ready=False, waiting="InvalidImageName"), "ImagePullFailed"),
    ],
    ids=[
        "ready",
        "not ready",
        "restarted twice",
        "restarted three times and not ready",
        "restarted often and ready",
        "backing off from crashes",
        "first failure of a pull",
        "backing off from pulling",
        "a name that is none",
    ],
)
def test_what_a_pod_tells(one: object, reason: str | None) -> None:
    found = signals.workload_failure([one])  # type: ignore[list-item]
    assert (found[0] if found else None) == reason


REFUSED = DeploymentView(
    "new", 2, observed=True, available=0, intact=True, message="exceeded quota: q"
)


def _pod(name: str = "a", **container: Any) -> PodView:
    return replace(pod(name, ready=False), containers=(ContainerView("app", **container),))


@pytest.mark.parametrize(
    ("pods", "workload", "told"),
    [
        ([], None, ""),
        ([], REFUSED, "the API server refuses its Pods (exceeded quota: q)"),
        ([pod()], replace(REFUSED, intact=False), ""),
        (
            [_pod(waiting="ContainerCreating")],
            None,
            "container app of Pod a waits (ContainerCreating)",
        ),
        (
            [_pod(waiting="PodInitializing"), _pod("b", waiting="Slow", message="why")],
            None,
            "container app of Pod b waits (Slow: why)",
        ),
        (
            [_pod(terminated="exit code 3", message="no database")],
            None,
            "container app of Pod a ended (exit code 3: no database)",
        ),
        (
            [_pod(unready=True)],
            None,
            "container app of Pod a runs and is not ready: its startupProbe or readinessProbe has "
            "not passed",
        ),
    ],
    ids=[
        "no Pod yet",
        "no Pod, since they are refused",
        "a template that was changed is told elsewhere",
        "it is being made",
        "a container waits for the ones before it",
        "it ended",
        "it runs",
    ],
)
def test_what_keeps_pods_from_being_ready(
    pods: list[PodView], workload: DeploymentView | None, told: str
) -> None:
    assert signals.waiting_for(pods, workload) == (f"; {told}" if told else "")


@pytest.mark.parametrize(
    ("one", "worth_a_look"),
    [
        (_pod(waiting="ContainerCreating"), False),
        (_pod(waiting="PodInitializing"), False),
        (_pod(unready=True), False),
        (_pod(waiting="CreateContainerConfigError", message="no key"), True),
        (_pod(terminated="exit code 3"), True),
        (replace(_pod(), unschedulable="no cpu"), True),
    ],
)
def test_what_passes_by_itself_is_not_told_while_pods_start(
    one: PodView, worth_a_look: bool
) -> None:
    assert bool(signals.stuck([one], None)) is worth_a_look


def test_a_crash_is_told_with_how_it_ended_and_its_last_words() -> None:
    one = _pod(restarts=1, waiting="CrashLoopBackOff", terminated="exit code 3", message="no db")
    assert signals.crashing(one) == (
        "container app of Pod a crashes (exit code 3, 1 restart): no db"
    )
