"""Rules are bounded whatever they are and whatever they are asked about."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from immutablerelease.api.attestations import PredicateRule
from immutablerelease.verification import rules
from immutablerelease.verification.errors import InvalidPolicy, RuleFailed, RulesUnavailable
from immutablerelease.verification.rules import RuleEvaluator

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDLESS = "import sys\nsys.stdin.read()\nwhile True:\n    pass\n"
STUCK = "import time\ntime.sleep(60)\n"


def _rule(expression: str) -> list[PredicateRule]:
    return [PredicateRule.model_construct(expression=expression, message="as wanted")]


@pytest.fixture
def evaluator() -> RuleEvaluator:
    return RuleEvaluator(clock=lambda: NOW)


@pytest.mark.parametrize(
    "expression",
    [
        "predicate.a == 1 && predicate.b == 1.5 && predicate.c == 'x'",
        "has(predicate.a) && !has(predicate.z)",
        "predicate.l.exists(x, x == 2) && 3 in predicate.l",
        "predicate.c.matches('^x$')",
        "now == timestamp('2026-01-01T00:00:00Z')",
        "predicate.big == 9223372036854775807",
        "predicate.none == null",
    ],
)
async def test_cel_means_what_its_specification_says(
    evaluator: RuleEvaluator, expression: str
) -> None:
    predicate = {"a": 1, "b": 1.5, "c": "x", "l": [1, 2, 3], "big": 2**63 - 1, "none": None}
    await evaluator.require(_rule(expression), predicate)


async def test_without_rules_no_process_is_started(
    evaluator: RuleEvaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "_WORKER", "/nowhere")
    await evaluator.require([], {})


async def test_an_expression_that_is_too_long_is_not_tried(evaluator: RuleEvaluator) -> None:
    with pytest.raises(InvalidPolicy):
        await evaluator.require(_rule("true" + " " * rules.MAX_EXPRESSION), {})


async def test_text_that_is_no_unicode_is_an_error(evaluator: RuleEvaluator) -> None:
    with pytest.raises(RuleFailed):
        await evaluator.require(_rule("predicate.a == 'x'"), {"a": "\ud800"})


def _worker(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    worker = folder / "worker.py"
    limit = "import resource, sys\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\n"
    worker.write_text(limit + text)
    monkeypatch.setattr(rules, "_WORKER", str(worker))


async def test_a_worker_that_uses_up_its_time_has_not_said_yes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _worker(monkeypatch, tmp_path, ENDLESS)
    with pytest.raises(RuleFailed):
        await RuleEvaluator().require(_rule("true"), {})


async def test_a_machine_that_is_too_busy_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _worker(monkeypatch, tmp_path, STUCK)
    with pytest.raises(RulesUnavailable):
        await RuleEvaluator(wall_seconds=0.2).require(_rule("true"), {})


async def test_a_worker_ends_with_whoever_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    start = asyncio.create_subprocess_exec

    async def recorded(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)  # type: ignore[arg-type]
        started.put_nowait(process)
        return process

    _worker(monkeypatch, tmp_path, STUCK)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", recorded)
    asking = asyncio.create_task(RuleEvaluator().require(_rule("true"), {}))
    process = await started.get()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert process.returncode is not None
