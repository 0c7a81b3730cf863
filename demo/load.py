"""The load client: a constant rate of requests, each on a connection of its own unless told else.

The rate is open: a request is sent when its time has come, whether or not earlier ones were
answered, so that a stall of the server is seen in full and not hidden by the client waiting for it.
It runs as a process of its own, so that nothing else delays it, and writes one line per request
to a file that `demo.records` reads:

    sequence  time sent (Unix)  milliseconds  outcome  version

`outcome` is the HTTP status or a word: refused, unreachable, reset, closed, timeout, garbled.
"""

import argparse
import asyncio
import errno
import json
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

TIMEOUT = 2.0
FLUSH_EVERY = 0.05

_ERRORS = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
}


def classify(error: OSError) -> str:
    """One word for why a connection failed."""
    return _ERRORS.get(error.errno or 0, type(error).__name__.lower())


def parse(answer: bytes) -> tuple[str, str]:
    """Outcome and version of a whole HTTP answer; an answer that is cut short is garbled."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if not answer:
        return "closed", ""
    if not separator or len(words) < 2 or not words[1].isdigit():
        return "garbled", ""
    try:
        return words[1].decode(), str(json.loads(body)["version"])
    except (ValueError, KeyError, TypeError):
        return ("garbled" if words[1] == b"200" else words[1].decode()), ""


def whole(answer: bytes) -> bool:
    """Whether an answer on a connection that stays open has come to its end."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return bool(separator) and len(body) >= int(value)
    return False


@dataclass
class Connection:
    """A connection to the server."""

    socket: socket.socket
    opened: float = field(default_factory=time.monotonic)


class Client:
    """Sends at a constant rate and writes down what came of every request."""

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        out: TextIO,
        keep_alive: float = 0.0,
        name: str = "",
    ) -> None:
        # An address, never a name: looking names up is no part of what is measured.
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._address = (host, port)
        self._out = out
        self._payload = (
            f"GET {path} HTTP/1.1\r\nHost: {name or f'{host}:{port}'}\r\n"
            f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
        ).encode()
        self._keep_alive = keep_alive
        self._idle: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, rate: float, stop: asyncio.Event) -> None:
        """Send until told to stop, then wait for what is under way."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        sequence = 0
        flushed = start
        while not stop.is_set():
            await asyncio.sleep(start + sequence / rate - loop.time())
            task = loop.create_task(self._send(sequence))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            sequence += 1
            if loop.time() - flushed > FLUSH_EVERY:
                self._out.flush()
                flushed = loop.time()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2 * TIMEOUT)
        self._out.flush()

    async def _send(self, sequence: int) -> None:
        sent, started = time.time(), time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                outcome, version = parse(await self._exchange())
        except TimeoutError:
            outcome, version = "timeout", ""
        except OSError as error:
            outcome, version = classify(error), ""
        millis = (time.monotonic() - started) * 1000
        self._out.write(f"{sequence}\t{sent:.4f}\t{millis:.1f}\t{outcome}\t{version}\n")

    async def _exchange(self) -> bytes:
        """One request, on a connection that is kept if there is one, else on a new one."""
        while self._idle:
            kept = self._idle.pop()
            if time.monotonic() - kept.opened > self._keep_alive:
                kept.socket.close()
            elif answer := await self._ask_kept(kept):
                return answer
        connection = socket.socket(self._family, socket.SOCK_STREAM)
        connection.setblocking(False)
        return await self._ask(Connection(connection), connect=True)

    async def _ask_kept(self, kept: Connection) -> bytes:
        """Nothing where the server closed it in the meantime: every client then takes another."""
        try:
            return await self._ask(kept)
        except ConnectionError:
            return b""

    async def _ask(self, connection: Connection, *, connect: bool = False) -> bytes:
        loop = asyncio.get_running_loop()
        answer = bytearray()
        complete = False
        try:
            if connect:
                await loop.sock_connect(connection.socket, self._address)
            await loop.sock_sendall(connection.socket, self._payload)
            while not complete and (chunk := await loop.sock_recv(connection.socket, 65536)):
                answer += chunk
                complete = self._keep_alive > 0 and whole(bytes(answer))
        finally:
            if complete:
                self._idle.append(connection)
            else:
                connection.socket.close()
        return bytes(answer)


async def _run(client: Client, rate: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Ctrl-C reaches the whole process group; whoever started the client ends it.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    await client.run(rate, stop)


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m demo.load")
    parser.add_argument("--host", required=True, help="address to connect to")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--path", default="/")
    parser.add_argument("--name", default="", help="host to ask for, if it is not the address")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument(
        "--keep-alive", type=float, default=0.0, help="seconds for which a connection is used again"
    )
    parser.add_argument("--out", type=Path, required=True, help="file for a line per request")
    arguments = parser.parse_args()
    with arguments.out.open("w", encoding="utf-8") as out:
        client = Client(
            arguments.host,
            arguments.port,
            arguments.path,
            out,
            arguments.keep_alive,
            arguments.name,
        )
        asyncio.run(_run(client, arguments.rate))


if __name__ == "__main__":
    main()
