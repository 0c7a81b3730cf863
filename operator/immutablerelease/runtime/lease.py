"""Which of several processes works: a Lease that one of them holds at a time.

Rules:
- Time is measured on the own monotonic clock only: how long a record has not changed here, never
  what another machine wrote into it.
- A holder stops well before others may take over: it counts from before it asked for a renewal,
  others count from when they saw it.
- No request outlasts half of the renewal deadline, whatever the client does.
- Every write names the version that it replaces, so that of two only one succeeds.
- A lost lease is told once, and is not taken again by this process.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from .client import LEASES, AlreadyExists, Api, ApiError, Conflict, NotFound, Object

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """Durations in seconds; the defaults are those of Kubernetes' own components."""

    # Others may take over when they saw no renewal for so long.
    lease: float = 15.0
    # The holder gives up when no renewal succeeded for so long.
    renew: float = 10.0
    # Pause between two attempts.
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew / 2 < self.renew < self.lease:
            raise ValueError(
                "a lease must outlast its renewal deadline, and that two retries "
                f"(got lease {self.lease:g} s, renew {self.renew:g} s, retry {self.retry:g} s)"
            )

    @property
    def request(self) -> float:
        """Longest time that one request may take."""
        return self.renew * 0.45


_JITTER: Final = 0.2


class Elector:
    """Takes part in the election for one process.

    `run` it as a task. It calls `on_acquired` once when this process may work, and `on_lost` once
    when it may no more, after which the process should end at once. Cancel it to hand the lease on,
    after the work has stopped.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        name: str,
        identity: str,
        on_acquired: Callable[[], None],
        on_lost: Callable[[], None],
        terms: Terms = Terms(),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: random.Random,
    ) -> None:
        """Identities must differ between processes that may run at the same time."""
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._on_acquired = on_acquired
        self._on_lost = on_lost
        self._terms = terms
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._jitter = jitter
        # The record as last seen, and since when it has been as it is.
        self._record: Object | None = None
        self._unchanged_since = 0.0
        # The record as last sent, and when that was begun: its answer may have been lost.
        self._sent: tuple[Object, float] | None = None
        # Until when the lease is held for sure.
        self._until: float | None = None

    @property
    def leading(self) -> bool:
        """Whether this process may work right now."""
        return self._until is not None and self._clock() < self._until

    async def run(self) -> None:
        """Acquire, renew until it is lost, and release when cancelled."""
        try:
            while not await self._attempt(self._acquire):
                await self._pause()
            log.info("%s leads", self._identity)
            self._on_acquired()
            await self._renew_until_lost()
            log.error("%s lost the lease %s/%s", self._identity, self._namespace, self._name)
            self._on_lost()
        finally:
            if self.leading:
                await self._attempt(self._release)
            self._until = None

    async def _renew_until_lost(self) -> None:
        while self.leading:
            await self._pause()
            if self.leading and not await self._attempt(self._renew) and self._taken():
                self._until = None

    async def _pause(self) -> None:
        pause = self._terms.retry * self._jitter.uniform(1 - _JITTER, 1 + _JITTER)
        if self._until is not None:
            # Try sooner as the end comes near, and notice in time that it is there.
            left = max(0.0, self._until - self._clock())
            pause = min(pause, max(left / 2, self._terms.retry / 8), left)
        await self._sleep(pause)

    async def _attempt(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """Whether the step succeeded; it fails when it takes too long."""
        limit = self._terms.request
        if self._until is not None:
            limit = min(limit, self._until - self._clock())
        try:
            async with asyncio.timeout(limit):
                return await step()
        except TimeoutError:
            log.warning("lease %s: no answer within %.1f s", self._name, limit)
        except ApiError as error:
            log.warning("lease %s: %s", self._name, error)
        except Exception:
            log.exception("lease %s: unexpected failure", self._name)
        return False

    async def _acquire(self) -> bool:
        started = self._clock()
        try:
            self._observe(await self._api.get(LEASES, self._namespace, self._name))
        except NotFound:
            # Whoever held a record that somebody deleted works on until it notices.
            return self._free() and await self._create(started)
        if not self._free():
            return False
        return await self._write(self._held(acquired=True), started)

    async def _create(self, started: float) -> bool:
        lease = {
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._held(acquired=True),
        }
        try:
            self._observe(await self._api.create(LEASES, self._namespace, lease))
        except AlreadyExists:
            self._observe(await self._api.get(LEASES, self._namespace, self._name))
            return False
        self._until = started + self._terms.renew
        return True

    async def _renew(self) -> bool:
        """Replace the record as it was last seen; read it again only when that fails."""
        started = self._clock()
        try:
            return await self._write(self._held(acquired=False), started)
        except (Conflict, NotFound):
            # A Lease that is gone is a conflict to a write that names a version of it.
            log.info("lease %s: changed by somebody else", self._name)
        try:
            self._observe(await self._api.get(LEASES, self._namespace, self._name))
        except NotFound:
            return await self._create(started)
        return not self._taken() and await self._write(self._held(acquired=False), started)

    async def _release(self) -> bool:
        """Let others take over at once, instead of after the lease runs out."""
        # An interrupted renewal may have changed the version.
        self._observe(await self._api.get(LEASES, self._namespace, self._name))
        if self._taken():
            return False
        spec = self._held(acquired=False) | {"holderIdentity": "", "leaseDurationSeconds": 1}
        await self._replace(spec)
        return True

    async def _write(self, spec: Object, started: float) -> bool:
        before, self._sent = self._sent, (spec, started)
        try:
            await self._replace(spec)
        except Conflict:
            # It did nothing, and what stands there may be the one before.
            self._sent = before
            raise
        self._until = started + self._terms.renew
        return True

    async def _replace(self, spec: Object) -> None:
        lease = {**(self._record or {}), "spec": spec}
        self._observe(await self._api.replace(LEASES, self._namespace, lease))

    def _observe(self, record: Object) -> None:
        if self._record is None or record.get("spec") != self._record.get("spec"):
            self._unchanged_since = self._clock()
        self._record = record
        if self._until is not None and self._sent and record.get("spec") == self._sent[0]:
            # It succeeded, whatever became of the answer.
            self._until = max(self._until, self._sent[1] + self._terms.renew)

    def _spec(self) -> dict[str, Any]:
        return (self._record or {}).get("spec") or {}

    def _free(self) -> bool:
        """Whether nobody holds the record, or its holder let it run out."""
        spec = self._spec()
        if spec.get("holderIdentity") in (None, "", self._identity):
            return True
        duration = spec.get("leaseDurationSeconds") or self._terms.lease
        return self._clock() - self._unchanged_since >= duration

    def _taken(self) -> bool:
        """Whether somebody else holds the record."""
        return self._spec().get("holderIdentity") != self._identity

    def _held(self, *, acquired: bool) -> Object:
        """The record with this process as its holder."""
        spec, now = self._spec(), self._now().astimezone(UTC)
        written = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
        transitions = spec.get("leaseTransitions", 0)
        taken_over = acquired and self._record is not None and self._taken()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._terms.lease),
            "acquireTime": written if acquired else spec.get("acquireTime", written),
            "renewTime": written,
            "leaseTransitions": transitions + 1 if taken_over else transitions,
        }
