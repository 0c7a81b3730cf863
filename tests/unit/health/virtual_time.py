"""Time that passes only when a test lets it."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class Time:
    """A clock that moves only when told to, and lets those who sleep wake in order."""

    def __init__(self) -> None:
        self.now = 100.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), future))
        await future

    async def pass_(self, seconds: float, look: Callable[[], None] = lambda: None) -> None:
        """Let so much time pass; `look` is called whenever something may have happened."""
        end = self.now + seconds
        await self._settle()
        look()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, future = heapq.heappop(self._sleepers)
            self.now = max(self.now, at)
            if not future.done():
                future.set_result(None)
            await self._settle()
            look()
        self.now = end

    async def _settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
