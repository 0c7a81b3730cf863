"""What may befall a call to the API server, one class each."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from tests.faults.proxy import Exchange

_REASONS = {
    403: "Forbidden",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def _status(code: int) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "reason": _REASONS[code],
        "code": code,
        "message": f"{_REASONS[code]}, as the test has it",
    }


@dataclass(frozen=True)
class Refused:
    """Answered with an error, and never done."""

    code: int
    retry_after: int | None = None

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Answer for the API server."""
        wait = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return web.json_response(_status(self.code), status=self.code, headers=wait)


@dataclass(frozen=True)
class DoneButRefused:
    """Done, and yet answered with an error."""

    code: int

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Have it done and answer for the API server."""
        await exchange.ask()
        return web.json_response(_status(self.code), status=self.code)


@dataclass(frozen=True)
class ResetBefore:
    """The connection is reset, and the call never done."""

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Break the connection at once."""
        return exchange.cut()


@dataclass(frozen=True)
class ResetAfter:
    """The connection is reset once the call was done."""

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Have it done and break the connection."""
        await exchange.ask()
        return exchange.cut()


@dataclass(frozen=True)
class Truncated:
    """Half of the answer comes, and then a reset."""

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Have it done and send half of what was said."""
        answer = await exchange.ask()
        response = await exchange.begin(answer)
        await response.write(answer.body[: len(answer.body) // 2])
        return exchange.cut()


@dataclass(frozen=True)
class Late:
    """Done at once, answered after so many seconds."""

    seconds: float

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Have it done, and wait."""
        answer = await exchange.ask()
        await asyncio.sleep(self.seconds)
        return answer.response()


@dataclass(frozen=True)
class Repeated:
    """Every event of a watch comes twice, and the one before the last once more."""

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Pass the watch on with more than there is."""
        return await exchange.relay(self._edit)

    async def _edit(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        before = b""
        async for line in lines:
            for repeated in (line, before, line):
                if repeated:
                    yield repeated
            before = line


@dataclass(frozen=True)
class Delayed:
    """Every event of a watch comes so many seconds late."""

    seconds: float

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Pass the watch on after a while."""
        return await exchange.relay(self._edit)

    async def _edit(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def read() -> None:
            async for line in lines:
                waiting.put_nowait((loop.time() + self.seconds, line))
            waiting.put_nowait((loop.time(), b""))

        reader = asyncio.create_task(read())
        try:
            while True:
                due, line = await waiting.get()
                await asyncio.sleep(due - loop.time())
                if not line:
                    return
                yield line
        finally:
            reader.cancel()


@dataclass(frozen=True)
class Dropped:
    """Every other event of a watch is lost, and after `life` seconds the connection breaks.

    An API server loses events only with the connection; what is lost comes with the next list.
    """

    life: float

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Pass half of the watch on for a while."""
        try:
            async with asyncio.timeout(self.life):
                return await exchange.relay(self._edit)
        except TimeoutError:
            return exchange.cut()

    async def _edit(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        kept = False
        async for line in lines:
            kept = not kept
            if kept:
                yield line


@dataclass(frozen=True)
class Broken:
    """A watch ends with half an event after so many whole ones."""

    events: int

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Pass the beginning of the watch on."""
        await exchange.relay(self._edit)
        return exchange.cut()

    async def _edit(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        left = self.events
        async for line in lines:
            if not left:
                yield line[: len(line) // 2]
                return
            left -= 1
            yield line


@dataclass(frozen=True)
class Expired:
    """A watch tells, after so many events, that it is too old to go on."""

    events: int

    async def befall(self, exchange: Exchange) -> web.StreamResponse:
        """Pass the beginning of the watch on, then the error."""
        return await exchange.relay(self._edit)

    async def _edit(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        left = self.events
        async for line in lines:
            if not left:
                break
            left -= 1
            yield line
        yield json.dumps({"type": "ERROR", "object": _status(410)}).encode() + b"\n"
