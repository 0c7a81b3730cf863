"""A work queue of keys with the semantics of client-go's, on asyncio.

- A key waits at most once, however often it is added.
- A key is handled by one worker at a time; what is added meanwhile is handled once more afterwards.
- Nothing that was added is lost, except by `shut_down`.
- `add_after` keeps one wake-up per key, the earliest; handling the key sooner does not cancel it.
- `add_rate_limited` waits longer each time, until `forget`.

Not thread-safe: all calls come from one event loop.
"""

import asyncio
import heapq
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Observer:
    """Told what happens in a queue; metrics override it."""

    def added(self) -> None:
        """A key began to wait."""

    def retried(self) -> None:
        """A key was put off by `add_rate_limited`."""

    def taken(self, waited: float) -> None:
        """A worker took a key that waited so many seconds."""

    def finished(self, worked: float) -> None:
        """A worker was through with a key after so many seconds."""


class ShutDown(Exception):
    """The queue gives out no more keys; a worker that gets it returns."""


class WorkQueue(Generic[K]):
    """Keys to be handled, in the order in which they began to wait."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        base_delay: float = 0.005,
        max_delay: float = 300.0,
        jitter: random.Random,
        observer: Observer | None = None,
    ) -> None:
        self._clock = clock
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._jitter = jitter
        self._observer = observer or Observer()
        # Insertion order is the order of service; the value is when the key began to wait.
        self._queued: dict[K, float] = {}
        # Keys in a worker's hands, since when.
        self._processing: dict[K, float] = {}
        # Keys added while in a worker's hands.
        self._dirty: set[K] = set()
        self._due: dict[K, float] = {}
        # May hold outdated entries: `_due` has the last word. The number breaks ties of time.
        self._heap: list[tuple[float, int, K]] = []
        self._entries = 0
        self._failures: dict[K, int] = {}
        self._getters: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def depth(self) -> int:
        """How many keys wait."""
        return len(self._queued) + len(self._dirty)

    @property
    def oldest_age(self) -> float:
        """Seconds that the longest waiting key waits; 0 when none does."""
        oldest = next(iter(self._queued.values()), None)
        return 0.0 if oldest is None else self._clock() - oldest

    @property
    def processing_ages(self) -> Mapping[K, float]:
        """Seconds that each key in a worker's hands is there."""
        now = self._clock()
        return {key: now - since for key, since in self._processing.items()}

    def failures(self, key: K) -> int:
        """How often the key was put off since it was last forgotten."""
        return self._failures.get(key, 0)

    def add(self, key: K) -> None:
        """Have the key handled, as soon as possible."""
        if self._closed or key in self._queued or key in self._dirty:
            return
        self._observer.added()
        if key in self._processing:
            self._dirty.add(key)
            return
        self._queued[key] = self._clock()
        self._wake_one()

    def add_after(self, key: K, seconds: float) -> None:
        """Have the key handled in so many seconds, or when it is due already, if that is sooner."""
        if seconds <= 0:
            self.add(key)
            return
        at = self._clock() + seconds
        if self._closed or self._due.get(key, float("inf")) <= at:
            return
        self._due[key] = at
        self._entries += 1
        heapq.heappush(self._heap, (at, self._entries, key))
        self._compact()
        if self._heap[0][2] == key:
            self._arm()

    def add_rate_limited(self, key: K) -> None:
        """Have the key handled after a pause that doubles each time, jittered, up to a limit."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._observer.retried()
        # A float overflows beyond 2**1023; the limit is reached long before.
        longest = min(self._base_delay * 2.0 ** min(failures, 64), self._max_delay)
        self.add_after(key, self._jitter.uniform(longest / 2, longest))

    def forget(self, key: K) -> None:
        """Start over with short pauses; wake-ups that are due stay."""
        self._failures.pop(key, None)

    def cancel(self, key: K) -> None:
        """Drop all that is kept of a key whose object is gone; what waits is still handled."""
        self._failures.pop(key, None)
        self._due.pop(key, None)

    async def get(self) -> K:
        """The next key; the worker calls `done` when it has handled it. Raises ShutDown."""
        while True:  # ends with a key, with ShutDown, or by cancellation
            self._promote()
            if self._closed:
                raise ShutDown
            if self._queued:
                return self._take()
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except BaseException:
                # The key that this worker was woken for must not be left lying.
                if getter.done() and not getter.cancelled() and self._queued:
                    self._wake_one()
                raise
            finally:
                if getter in self._getters:
                    self._getters.remove(getter)

    def done(self, key: K) -> None:
        """The worker is through with the key."""
        since = self._processing.pop(key, None)
        if since is not None:
            self._observer.finished(self._clock() - since)
        if key in self._dirty:
            self._dirty.remove(key)
            self._queued[key] = self._clock()
            self._wake_one()

    def shut_down(self) -> None:
        """Give out nothing more; every worker that waits, or asks next, gets ShutDown."""
        self._closed = True
        for kept in (self._queued, self._dirty, self._due, self._heap):
            kept.clear()
        if self._timer is not None:
            self._timer.cancel()
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)

    def _take(self) -> K:
        key = next(iter(self._queued))
        now = self._clock()
        self._observer.taken(now - self._queued.pop(key))
        self._processing[key] = now
        return key

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.pop(0)
            if not getter.done():
                getter.set_result(None)
                return

    def _promote(self) -> None:
        """Move the keys that are due to those that wait."""
        now = self._clock()
        while self._heap and (self._outdated() or self._heap[0][0] <= now):
            outdated = self._outdated()
            _, _, key = heapq.heappop(self._heap)
            if not outdated:
                del self._due[key]
                self.add(key)

    def _outdated(self) -> bool:
        at, _, key = self._heap[0]
        return self._due.get(key) != at

    def _compact(self) -> None:
        """Keep outdated entries from piling up when wake-ups are moved or cancelled often."""
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._due):
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def _arm(self) -> None:
        """Have the event loop look again when the first key of the heap is due, or before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap and not self._closed:
            pause = max(0.0, self._heap[0][0] - self._clock())
            self._timer = asyncio.get_running_loop().call_later(pause, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._promote()
        self._arm()


async def run_workers(
    queue: WorkQueue[K], handler: Callable[[K], Awaitable[None]], workers: int
) -> None:
    """Handle keys until the queue is shut down; the handler raises nothing.

    A handler that raises all the same ends all workers, and the error is the caller's.
    """

    async def work() -> None:
        while True:
            try:
                key = await queue.get()
            except ShutDown:
                return
            try:
                await handler(key)
            finally:
                queue.done(key)

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(work(), name=f"worker-{number}")
