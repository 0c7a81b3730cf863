"""The load client opens a connection for every request, or keeps them as most clients do."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from demo.load import Client, whole
from demo.records import Record

BODY = json.dumps({"version": "v1"})
ANSWER = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}".encode()


class Server:
    """Answers, and counts the connections that it was asked on."""

    def __init__(self, requests_each: int) -> None:
        self.port = 0
        self.connections = 0
        self._requests_each = requests_each

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for _ in range(self._requests_each):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
            if b"Connection: close" in head:
                break
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def server(requests_each: int = 1000) -> AsyncIterator[Server]:
    served = Server(requests_each)
    listening = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = listening.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        listening.close()


class Enough(io.StringIO):
    """A file that says when it has so many lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self._lines = lines

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.getvalue().count("\n") >= self._lines:
            self.reached.set()
        return written


async def records(port: int, keep_alive: float, requests: int) -> list[Record]:
    """What a client that is stopped after so many requests wrote down."""
    out = Enough(requests)
    client = Client("127.0.0.1", port, "/", out, keep_alive)
    async with asyncio.timeout(5):
        await client.run(100.0, out.reached)
    return [Record.parse(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("keep_alive", "once"),
    [
        pytest.param(0.0, False, id="a new one for every request"),
        pytest.param(60.0, True, id="one for all of them, where it is kept"),
        pytest.param(1e-9, False, id="a new one where the kept one has become too old"),
    ],
)
async def test_connections(keep_alive: float, once: bool) -> None:
    async with server() as served:
        seen = await records(served.port, keep_alive, 5)
    assert not [record for record in seen if record.failed]
    assert served.connections == (1 if once else len(seen))


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failed_request() -> None:
    async with server(requests_each=2) as served:
        seen = await records(served.port, 60.0, 6)
    assert not [record for record in seen if record.failed]
    assert served.connections == (len(seen) + 1) // 2


@pytest.mark.parametrize(
    ("cut", "ended"),
    [
        pytest.param(len(ANSWER), True, id="all of it"),
        pytest.param(len(ANSWER) - 1, False, id="all but the last byte"),
        pytest.param(20, False, id="part of the head"),
    ],
)
def test_an_answer_ends_where_its_head_says(cut: int, ended: bool) -> None:
    assert whole(ANSWER[:cut]) is ended
