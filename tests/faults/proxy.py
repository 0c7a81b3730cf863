"""Stands between the operator and the API server, and fails as a plan says.

The plan sees every call and names the fault that befalls it, or none. All that came is kept with
its time and its fault, so that a test can count requests and see how long a client waited.
"""

import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

import aiohttp
from aiohttp import web

from tests.faults.background import Background

CONNECT_TIMEOUT: Final = 5.0
ANSWER_TIMEOUT: Final = 30.0
# Longer than the API server keeps a watch open.
WATCH_TIMEOUT: Final = 600.0
START_TIMEOUT: Final = 10.0
# The longest line of a watch: one object.
LINE: Final = 2**22
# What says something about one connection, and not about what is sent over it.
_OWN: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"}
)


@dataclass(frozen=True)
class Call:
    """A request, in the API server's words."""

    method: str
    path: str
    plural: str
    namespace: str = ""
    name: str = ""
    part: str = ""
    watch: bool = False

    @classmethod
    def read(cls, method: str, path: str, *, watch: bool = False) -> Self:
        """From a URL path; discovery has no plural."""
        parts = path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        plural, name, part = (*rest, "", "", "")[:3]
        return cls(method, path, plural, namespace, name, part, watch)

    @property
    def write(self) -> bool:
        """Whether it changes something of a release; the operator's lease is its own matter."""
        return self.method != "GET" and self.plural != "leases"

    def __str__(self) -> str:
        # Names of Events hold the time at which they were made.
        name = "" if self.plural == "events" else self.name
        return " ".join(
            part for part in (self.method, "/".join(filter(None, (self.plural, name, self.part))))
        )


@dataclass
class Seen:
    """A call, when it came, what befell it, and how it was answered; 0 is not at all."""

    call: Call
    at: float
    query: str = ""
    fault: str = ""
    status: int = 0
    body: Mapping[str, object] = field(default_factory=dict)


class Fault(Protocol):
    """Something that befalls a call."""

    async def befall(self, exchange: "Exchange") -> web.StreamResponse:
        """Answer the call, or break its connection."""


# What befalls a call; nothing leaves it alone.
Plan = Callable[[Call], Fault | None]
Edit = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def response(self) -> web.Response:
        """As it is."""
        return web.Response(status=self.status, headers=self.headers, body=self.body)


class Exchange:
    """One call in the proxy's hands."""

    def __init__(
        self,
        request: web.Request,
        call: Call,
        session: aiohttp.ClientSession,
        server: str,
        body: bytes,
    ) -> None:
        self.call = call
        self._request = request
        self._session = session
        self._url = f"{server}{request.path_qs}"
        self._body = body

    async def ask(self) -> Answer:
        """Have the API server answer."""
        async with self._send(ANSWER_TIMEOUT) as answer:
            return Answer(answer.status, _passed_on(answer.headers), await answer.read())

    async def relay(self, edit: Edit | None = None) -> web.StreamResponse:
        """Pass a watch on, line by line, as the edit has it."""
        async with self._send(WATCH_TIMEOUT) as answer:
            response = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
            await response.prepare(self._request)
            lines = aiter(answer.content)
            async for line in edit(lines) if edit else lines:
                await response.write(line)
            await response.write_eof()
            return response

    async def begin(self, answer: Answer) -> web.StreamResponse:
        """Announce the whole of an answer, so that what is missing of it is missed."""
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(self._request)
        return response

    def cut(self) -> web.StreamResponse:
        """Reset the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()
        # Nobody gets it.
        return web.Response(status=599)

    def _send(self, seconds: float) -> aiohttp.client._RequestContextManager:
        headers = {**_passed_on(self._request.headers), "Accept-Encoding": "identity"}
        return self._session.request(
            self._request.method,
            self._url,
            headers=headers,
            data=self._body or None,
            skip_auto_headers=("Content-Type", "User-Agent"),
            read_bufsize=LINE,
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT),
        )


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OWN}


class Proxy:
    """Serves on a port of 127.0.0.1 from its creation until `close`."""

    def __init__(
        self, background: Background, server: str, certificate: bytes, plan: Plan | None = None
    ) -> None:
        """`certificate` is the authority's, in PEM, that the API server is known by."""
        self.plan: Plan = plan or (lambda call: None)
        self.seen: list[Seen] = []
        self._background = background
        self._server = server
        self._tls = ssl.create_default_context(cadata=certificate.decode())
        self._runner: web.AppRunner | None = None
        self.url = background.run(self._start(), START_TIMEOUT)

    def close(self) -> None:
        """Serve no more."""
        self._background.run(self._stop(), START_TIMEOUT)

    def counts(self) -> Mapping[str, int]:
        """How often each call came, those of the lease and of discovery left out."""
        found: dict[str, int] = {}
        for seen in self.seen:
            if seen.call.plural not in ("", "leases"):
                name = f"{'WATCH ' if seen.call.watch else ''}{seen.call}"
                found[name] = found.get(name, 0) + 1
        return found

    async def _start(self) -> str:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        app = web.Application(client_max_size=LINE)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Whoever was killed watches no more.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        watch = request.query.get("watch") in ("true", "1")
        call = Call.read(request.method, request.path, watch=watch)
        body = await request.read()
        seen = Seen(call, time.monotonic(), request.query_string)
        if call.write:
            seen.body = json.loads(body or b"{}")
        self.seen.append(seen)
        exchange = Exchange(request, call, self._session, self._server, body)
        response = await self._answer(exchange, seen)
        seen.status = response.status
        return response

    def _answer(self, exchange: Exchange, seen: Seen) -> Awaitable[web.StreamResponse]:
        fault = self.plan(exchange.call)
        if fault is not None:
            seen.fault = str(fault)
            return fault.befall(exchange)
        return exchange.relay() if exchange.call.watch else _plain(exchange)


async def _plain(exchange: Exchange) -> web.StreamResponse:
    return (await exchange.ask()).response()
