"""CEL rules over what an attestation says: each must be true, and an error is not true.

https://github.com/google/cel-spec. Expressions see `predicate`, and `now` for the age of a scan.
Both the expression and the predicate may be hostile to the evaluator, a binary library, so it runs
in a process of its own (`rules_worker`) that ends with the question. Its limits: seconds of CPU,
bytes of memory, and the library's own of 10000 iterations and 32 levels of nesting.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from immutablerelease.api.attestations import PredicateRule

from .errors import InvalidPolicy, RuleBroken, RuleFailed, RulesUnavailable, TooMuchData, quote

MAX_EXPRESSION = 2048
MAX_PREDICATE_BYTES = 4 * 1024 * 1024
CPU_SECONDS = 2
MEMORY_BYTES = 192 * 1024 * 1024
# What the worker does not use up itself is a machine that is too busy, which says nothing.
WALL_SECONDS = 15.0
_WORKER = str(Path(__file__).with_name("rules_worker.py"))


class RuleEvaluator:
    """Evaluates rules, one process at a time: memory is that of the operator's container."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wall_seconds: float = WALL_SECONDS,
    ) -> None:
        self._clock = clock
        self._wall_seconds = wall_seconds
        self._turn = asyncio.Semaphore(1)

    async def require(self, rules: Sequence[PredicateRule], predicate: Any) -> None:
        """Raises unless every rule is true of the predicate.

        Raises:
            InvalidPolicy: a rule does not compile, or is not of type bool.
            RuleBroken: a rule is false.
            RuleFailed: a rule could not be evaluated within the limits, or at all.
            RulesUnavailable: there was no answer in time.
        """
        if not rules:
            return
        question = {"predicate": predicate, "now": self._clock().isoformat()}
        answers = await self._ask(rules, question)
        for rule, answer in zip(rules, answers, strict=True):
            _require_true(rule, answer)

    async def compile(self, rules: Sequence[PredicateRule]) -> None:
        """Raises unless every rule is one, whatever it may be asked about.

        Raises:
            InvalidPolicy: a rule does not compile, or is not of type bool.
            RuleFailed: the rules take too long even where there is nothing to look at.
            RulesUnavailable: there was no answer in time.
        """
        if not rules:
            return
        question = {"predicate": None, "now": self._clock().isoformat()}
        for rule, answer in zip(rules, await self._ask(rules, question), strict=True):
            _require_valid(rule, answer)

    async def _ask(
        self, rules: Sequence[PredicateRule], question: dict[str, Any]
    ) -> list[dict[str, Any]]:
        expressions = [rule.expression for rule in rules]
        if any(len(expression) > MAX_EXPRESSION for expression in expressions):
            raise InvalidPolicy(f"a rule is longer than {MAX_EXPRESSION} characters")
        asked = json.dumps({"expressions": expressions, **question}).encode()
        if len(asked) > MAX_PREDICATE_BYTES:
            raise TooMuchData(
                f"a predicate of {len(asked)} bytes, rules are applied to at most "
                f"{MAX_PREDICATE_BYTES}"
            )
        async with self._turn:
            status, output = await self._run(asked)
        try:
            answers: list[dict[str, Any]] = json.loads(output)
        except ValueError as error:
            raise RuleFailed(
                f"rules took more than {CPU_SECONDS} s or {MEMORY_BYTES} bytes (status {status})"
            ) from error
        return answers

    async def _run(self, asked: bytes) -> tuple[int | None, bytes]:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            _WORKER,
            str(CPU_SECONDS),
            str(MEMORY_BYTES),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(self._wall_seconds):
                output, _ = await worker.communicate(asked)
        except TimeoutError as error:
            late = f"rules were not evaluated in {self._wall_seconds:g} s"
            raise RulesUnavailable(late) from error
        finally:
            # Also where whoever asked has stopped waiting: no worker outlives its question.
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        return worker.returncode, output


def _require_valid(rule: PredicateRule, answer: dict[str, Any]) -> None:
    if "invalid" in answer:
        raise InvalidPolicy(f"the rule {quote(rule.expression)}: {quote(answer['invalid'])}")


def _require_true(rule: PredicateRule, answer: dict[str, Any]) -> None:
    _require_valid(rule, answer)
    if "failed" in answer:
        raise RuleFailed(f"{rule.message} ({quote(rule.expression)}: {quote(answer['failed'])})")
    if answer.get("value") is not True:
        raise RuleBroken(f"{rule.message} ({quote(rule.expression)} is false)")
