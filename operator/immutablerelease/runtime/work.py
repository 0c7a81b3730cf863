"""Work in the background: resolving and verifying take as long as a registry takes.

A plan names the work that it wants; this starts it, keeps its result for the next snapshot, tries
again with backoff what could not be established, and drops what no plan wants any more.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from immutablerelease.core.plan import Plan, Resolve, Verify
from immutablerelease.core.snapshot import Resolution, Snapshot, Unresolved, VerdictView

from .key import Key

log = logging.getLogger(__name__)
Request = TypeVar("Request")
Result = TypeVar("Result")

FIRST_DELAY = 1.0
LAST_DELAY = 300.0


@dataclass
class _Job(Generic[Result]):
    """One piece of work with its newest result."""

    task: "asyncio.Task[None] | None" = None
    result: Result | None = None
    attempts: int = 0


@dataclass
class _Release:
    """Work of one release."""

    resolve: dict[Resolve, _Job[Resolution | Unresolved]] = field(default_factory=dict)
    verify: dict[Verify, _Job[VerdictView]] = field(default_factory=dict)


class Work:
    """All background work of the operator."""

    def __init__(
        self,
        *,
        resolve: Callable[[Snapshot], Awaitable[Resolution | Unresolved]],
        verify: Callable[[Snapshot, Verify], Awaitable[VerdictView]],
        on_result: Callable[[Key], None],
        jitter: random.Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._resolve = resolve
        self._verify = verify
        self._on_result = on_result
        self._jitter = jitter
        self._sleep = sleep
        self._releases: dict[Key, _Release] = {}

    def begin(self, key: Key, plan: Plan, snapshot: Snapshot) -> bool:
        """Have what the plan wants under way; whether some of it was never tried before."""
        release = self._releases.setdefault(key, _Release())
        new = False
        if plan.resolve is not None:
            # Asked again, it is the newest question.
            job = release.resolve.pop(plan.resolve, None) or _Job()
            release.resolve[plan.resolve] = job
            if job.task is None and not isinstance(job.result, Resolution):
                new = not job.attempts
                job.task = self._start(key, job, partial(self._resolve, snapshot), _resolved)
        for request in plan.verify:
            verdict = release.verify.setdefault(request, _Job())
            if verdict.task is None and (verdict.result is None or not _decided(verdict.result)):
                ask = partial(self._verify, snapshot, request)
                new = new or not verdict.attempts
                verdict.task = self._start(key, verdict, ask, _decided)
        return new

    def end(self, key: Key, plan: Plan) -> None:
        """Drop what a plan that was applied in full does not want any more.

        Not before: what the plan made of a result is written only then.
        """
        release = self._releases.get(key)
        if release is not None:
            _drop(release.resolve, {plan.resolve} if plan.resolve else set())
            _drop(release.verify, set(plan.verify))

    def forget(self, key: Key) -> None:
        """Drop all work of a release that is gone."""
        release = self._releases.pop(key, None)
        if release is not None:
            _drop(release.resolve, set())
            _drop(release.verify, set())

    def resolution(self, key: Key) -> Resolution | Unresolved | None:
        """Newest result of resolving a release's template."""
        release = self._releases.get(key)
        results = [job.result for job in release.resolve.values()] if release else []
        # The newest question is the last.
        return results[-1] if results else None

    def verdicts(self, key: Key) -> Mapping[str, VerdictView]:
        """Newest verdicts on a release's revisions."""
        release = self._releases.get(key)
        jobs = release.verify.items() if release else ()
        return {request.revision: job.result for request, job in jobs if job.result is not None}

    async def close(self) -> None:
        """End all work."""
        for key in list(self._releases):
            self.forget(key)

    def _start(
        self,
        key: Key,
        job: _Job[Result],
        ask: Callable[[], Awaitable[Result]],
        settled: Callable[[Result], bool],
    ) -> "asyncio.Task[None]":
        delay = 0.0
        if job.attempts:
            ceiling = min(LAST_DELAY, FIRST_DELAY * 2 ** (job.attempts - 1))
            delay = ceiling * self._jitter.uniform(0.7, 1.0)
        job.attempts += 1

        async def run() -> None:
            try:
                await self._sleep(delay)
                job.result = await ask()
                if settled(job.result):
                    job.attempts = 0
            except Exception:
                # No result is no evidence: nothing advances, and it is tried again with backoff.
                log.exception("%s: background work failed", key)
            finally:
                job.task = None
            self._on_result(key)

        return asyncio.create_task(run(), name=f"work-{key}")


def _resolved(result: Resolution | Unresolved) -> bool:
    return isinstance(result, Resolution)


def _decided(verdict: VerdictView) -> bool:
    return verdict.verdict != "Unknown"


def _drop(jobs: dict[Request, _Job[Result]], wanted: set[Request]) -> None:
    for request in [known for known in jobs if known not in wanted]:
        task = jobs.pop(request).task
        if task is not None:
            task.cancel()
