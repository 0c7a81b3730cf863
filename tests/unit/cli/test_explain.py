"""`kubectl immutable explain` knows every reason that the operator gives, and what comes next."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import immutablerelease.core
from immutablerelease.api.release import ReleasePhase
from immutablerelease.api.revision import RevisionPhase
from immutablerelease.cli.explanations import REASONS, explanation
from immutablerelease.runtime.client import EVENTS, Forbidden
from immutablerelease.verification import errors
from immutablerelease.verification.verdict import Reason
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import template

from .scene import promoted

CORE = Path(immutablerelease.core.__file__).parent
# Unexplained on purpose: not reasons, or reasons of Events alone, which tell all in their message.
NO_REASONS = {
    # Types and statuses of conditions, verdicts, kinds of objects.
    "Ready",
    "Reconciling",
    "Stalled",
    "Verified",
    "Refused",
    "Unknown",
    "True",
    "False",
    "Normal",
    "Warning",
    "Failing",
    "Passing",
    "Cold",
    "Unproven",
    "Service",
    "Secret",
    "ConfigMap",
    "VirtualService",
    "Istio",
    # Where a revision stands.
    "Candidate",
    "Serving",
    "Standby",
    # What a kubelet says of a container.
    "ContainerCreating",
    "PodInitializing",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CrashLoopBackOff",
    # Events.
    "RevisionRecorded",
    "Superseded",
    "Retrying",
    "Tested",
    "Good",
    "RevertStarting",
    "RevertCancelled",
    "RevertTargetFailed",
    "RouteRestored",
    "ShareTaken",
    "Shifted",
    "StepReached",
    "Withdrawn",
}
_CAMEL = re.compile(r"([A-Z][a-z0-9]+)+")


def words_of_core() -> Iterator[tuple[str, str]]:
    """Every string of the core that looks like a reason, with the place that says it."""
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            word = node.value if isinstance(node, ast.Constant) else None
            if isinstance(word, str) and _CAMEL.fullmatch(word):
                yield word, f"{path.name}:{getattr(node, 'lineno', 0)}"


def test_every_reason_of_the_core_is_explained() -> None:
    unexplained = {
        word: place
        for word, place in words_of_core()
        if word not in REASONS and word not in NO_REASONS
    }
    assert not unexplained, "explain them in cli/explanations.py"


def test_the_core_is_really_read() -> None:
    words = {word for word, _ in words_of_core()}
    assert {"ProbeFailed", "DeadlineExceeded", "NothingToRevertTo", "Reverted"} <= words


def test_every_verdict_on_images_is_explained() -> None:
    told = [str(reason) for reason in Reason]
    pending = [errors.VerificationError]
    while pending:
        error = pending.pop()
        told.append(error.reason)
        pending += error.__subclasses__()
    for reason in told:
        if reason != errors.VerificationError.reason:
            assert explanation(reason).why, reason


@pytest.mark.parametrize("phase", [*ReleasePhase, *RevisionPhase], ids=str)
def test_what_is_not_well_has_a_next_step(phase: str) -> None:
    at_rest = {"Active", "Superseded", "Retired"}
    # These two tell the reason of the condition, which has its own.
    by_reason = {"Progressing", "Degraded"}
    if phase not in at_rest | by_reason:
        assert explanation(str(phase)).then.endswith(".")
        assert str(phase) in REASONS


def test_no_explanation_names_what_it_is_not_given() -> None:
    names = {"release": "R", "revision": "V", "active": "A", "good": "G"}
    for reason, told in REASONS.items():
        for text in (told.why, told.then):
            assert "{" not in text.format(**names), reason


def test_a_reason_of_a_newer_operator_is_no_mystery() -> None:
    assert "older than the operator" in explanation("Danced").then


async def test_a_rejected_release(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scene = await promoted()
    scene.outside.refused.add("v3")
    await scene.release("v3")
    assert await scene.call("explain", "shop") == 0
    assert capsys.readouterr().out == dedent(
        """\
        shop  Rejected  in namespace demo
        shop-2e06355d5e Unsigned: registry.test/app:v3: Unsigned; shop-404c14ca5c
        serves; change the spec, or ask for Retry

        Why
          Unsigned  No signature was found that a policy counts, and the policy wants
                    one.

        What serves
          #2 shop-404c14ca5c for 20s; it counts as good; a revert would go to #1
          shop-c7dad0b559.

        What would change it
          Have the image signed, then: kubectl immutable retry shop. Or change the spec
          to one that is signed.
        """
    )


async def test_a_reverted_release_tells_what_made_the_operator_revert(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted()
    scene.outside.failing.add(scene.revision("v2"))
    await scene.operator.run(3)
    assert await scene.call("explain", "shop", "-o", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["phase"] == "Reverted"
    assert [cause["reason"] for cause in told["causes"]] == ["Reverted", "ProbeFailed"]
    assert "got 500" in told["causes"][1]["message"]
    assert told["serves"].startswith(f"#1 {scene.revision('v1')} for ")


async def test_an_aborted_release_has_the_one_reason_that_the_operator_gave(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted(strategy={"blueGreen": {"promotion": "Manual"}})
    await scene.release("v3", 10)
    await scene.ask("abort", "shop", "--reason", "Friday: not today")
    capsys.readouterr()
    assert await scene.call("explain", "shop", "-o", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [cause["reason"] for cause in told["causes"]] == ["Aborted"]


async def test_a_release_at_rest_says_what_would_move_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted()
    await scene.call("explain", "shop")
    text = capsys.readouterr().out
    assert "What happens next\n  Nothing. It is watched" in text
    assert "A change of spec.template makes a new revision" in text


async def test_what_was_asked_and_told_comes_newest_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted()
    await scene.ask("rollback", "shop", "--reason", "too slow")
    for name, about, time, note in (
        ("a", "shop", "2026-01-01T00:00:30.000000Z", "counts as good"),
        ("b", "cart", "2026-01-01T00:00:31.000000Z", "of another release"),
    ):
        event = {
            "metadata": {"name": name, "namespace": "demo"},
            "regarding": {"kind": "ImmutableRelease", "name": about},
            "eventTime": time,
            "reason": "Good",
            "note": note,
        }
        scene.api.put(EVENTS, event)
    capsys.readouterr()
    await scene.call("explain", "shop", "-o", "json")
    recent = json.loads(capsys.readouterr().out)["recent"]
    assert [item["what"] for item in recent] == ["asked: Rollback (too slow)", "Good"]
    assert "traffic went from" in recent[0]["text"]


async def test_who_may_not_read_events_gets_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise Forbidden("events is forbidden")

    scene = await promoted()
    monkeypatch.setattr(FakeCluster, "survey", refuse)
    assert await scene.call("explain", "shop") == 0
    assert "What serves" in capsys.readouterr().out


async def test_what_became_of_an_earlier_spec_explains_nothing_of_a_later_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = await promoted()
    scene.outside.refused.add("v3")
    await scene.release("v3")
    scene.api.change(template=template("v4"), paused=True)
    await scene.operator.run(2)
    await scene.call("explain", "shop", "-o", "json")
    told = json.loads(capsys.readouterr().out)
    assert (told["phase"], [cause["reason"] for cause in told["causes"]]) == ("Paused", ["Paused"])
