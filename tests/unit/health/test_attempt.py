"""Attempts against servers that answer well, badly, slowly, endlessly or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from immutablerelease.api.probe import HttpProbe, Probe, TcpProbe
from immutablerelease.core.probing import Attempt
from immutablerelease.health.attempt import attempt
from immutablerelease.health.http import new_session
from immutablerelease.health.prober import Target
from immutablerelease.health.prometheus import Servers

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def replying(*chunks: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
        await writer.drain()

    return serve


def status(code: int, *headers: str) -> Serve:
    lines = [f"HTTP/1.1 {code} X", "Content-Length: 0", *headers]
    return replying("\r\n".join(lines).encode() + b"\r\n\r\n")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()


async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(serve: Serve, host: str = "127.0.0.1") -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with new_session() as session:
        yield session


def http(port: int | str, *, timeout: float = 0.5, **fields: Any) -> Probe:
    return Probe(name="web", http=HttpProbe(path="/healthz", port=port, **fields), timeout=timeout)


def tcp(port: int | str, *, timeout: float = 0.5) -> Probe:
    return Probe(name="db", tcp=TcpProbe(port=port), timeout=timeout)


async def ask(
    probe: Probe,
    session: aiohttp.ClientSession,
    address: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
) -> Attempt:
    target = Target("uid", address, ports or {})
    return await attempt(probe, target, session=session, clock=lambda: NOW, servers=Servers())


@pytest.mark.parametrize(
    ("code", "expected", "ok"),
    [
        (200, "200-299", True),
        (299, "200-299", True),
        (304, "200-299,304", True),
        (401, "401", True),
        (300, "200-299,304", False),
        (404, "200-299", False),
        (500, "200-299,304", False),
    ],
)
async def test_the_status_decides(
    session: aiohttp.ClientSession, code: int, expected: str, ok: bool
) -> None:
    async with serving(status(code)) as port:
        result = await ask(http(port, expect_status=expected), session)
    assert result.ok is ok
    assert result.at == NOW


async def test_a_wrong_status_is_told_with_the_wanted_one(session: aiohttp.ClientSession) -> None:
    async with serving(status(500)) as port:
        result = await ask(http(port), session)
    assert result.message == f"GET http://127.0.0.1:{port}/healthz: got 500, expected 200-299"


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession) -> None:
    async with serving(status(302, "Location: http://127.0.0.1:1/")) as port:
        result = await ask(http(port), session)
    assert result.message.endswith("got 302, expected 200-299; redirects are not followed")


async def test_the_request_is_a_plain_get_on_a_connection_of_its_own(
    session: aiohttp.ClientSession,
) -> None:
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\n\r\n")

    async with serving(serve) as port:
        await ask(http(port), session)
        await ask(http(port), session)
    assert len(heads) == 2
    assert heads[1].startswith(b"GET /healthz HTTP/1.1\r\n")
    assert b"Connection: close\r\n" in heads[1]
    assert b"Cookie" not in heads[1]


async def test_a_port_is_found_by_its_name(session: aiohttp.ClientSession) -> None:
    async with serving(status(200)) as port:
        result = await ask(http("http"), session, ports={"http": port})
    assert result.ok


@pytest.mark.parametrize("probe", [http("web"), tcp("web")], ids=["http", "tcp"])
async def test_a_name_that_no_port_has_is_told_with_those_that_there_are(
    session: aiohttp.ClientSession, probe: Probe
) -> None:
    result = await ask(probe, session, ports={"http": 1, "admin": 2})
    assert not result.ok
    assert result.message == "the Pod has no port named 'web'; named ports: admin, http"


async def test_ipv6_addresses_take_brackets(session: aiohttp.ClientSession) -> None:
    async with serving(status(200), "::1") as port:
        result = await ask(http(port), session, "::1")
        connected = await ask(tcp(port), session, "::1")
    assert result.message == f"GET http://[::1]:{port}/healthz: 200"
    assert connected.message == f"TCP [::1]:{port}: connected"


@pytest.mark.parametrize(
    "serve", [silent, trickling], ids=["accepts and says nothing", "never ends its short body"]
)
async def test_the_timeout_holds_for_the_whole_answer(
    session: aiohttp.ClientSession, serve: Serve
) -> None:
    async with serving(serve) as port:
        result = await asyncio.wait_for(ask(http(port, timeout=0.1), session), 2)
    assert not result.ok
    assert result.message.endswith("no answer within 0.1 s")


async def test_an_endless_body_is_cut_off(session: aiohttp.ClientSession) -> None:
    async with serving(endless) as port:
        result = await asyncio.wait_for(ask(http(port), session), 2)
    assert result.ok


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (reset, "reset|disconnected"),
        (replying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "ClientPayloadError"),
        (replying(b"\x00\xff garbage\r\n\r\n"), "Bad"),
        (
            replying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
            "more than 8190 bytes",
        ),
        (replying(), "Server disconnected"),
    ],
    ids=["resets", "stops half way", "speaks no HTTP", "sends huge headers", "hangs up"],
)
async def test_a_broken_answer_is_a_failed_attempt(
    session: aiohttp.ClientSession, serve: Serve, words: str
) -> None:
    async with serving(serve) as port:
        result = await ask(http(port), session)
    assert not result.ok
    _, _, why = result.message.partition("/healthz: ")
    assert why.isascii()
    assert why.isprintable()
    assert 0 < len(why) < 300
    assert any(word in why for word in words.split("|"))


@pytest.mark.parametrize("make", [http, tcp])
async def test_nobody_listening_is_told_in_plain_words(
    session: aiohttp.ClientSession, make: Callable[[int], Probe]
) -> None:
    async with serving(silent) as port:
        pass
    result = await ask(make(port), session)
    assert not result.ok
    assert result.message.endswith("connection refused")


@pytest.mark.parametrize("make", [http, tcp])
async def test_a_port_that_cannot_be_is_a_failed_attempt(
    session: aiohttp.ClientSession, make: Callable[[int], Probe]
) -> None:
    kind = "http" if make is http else "tcp"
    probe = make(1)
    impossible = getattr(probe, kind).model_copy(update={"port": 70_000})
    result = await ask(probe.model_copy(update={kind: impossible}), session)
    assert not result.ok
    assert "70000" in result.message


async def test_a_connection_is_enough_for_tcp(session: aiohttp.ClientSession) -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        closed.set()

    async with serving(serve) as port:
        result = await ask(tcp(port), session)
        await asyncio.wait_for(closed.wait(), 1)
    assert result.ok


async def test_tcp_keeps_its_timeout(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(5)

    monkeypatch.setattr(asyncio, "open_connection", never)
    result = await ask(tcp(1, timeout=0.02), session)
    assert result.message == "TCP 127.0.0.1:1: no connection within 0.02 s"


async def test_a_probe_that_asks_nothing_fails(session: aiohttp.ClientSession) -> None:
    result = await ask(Probe(name="empty"), session)
    assert not result.ok
    assert "exactly one kind" in result.message


async def test_what_nobody_thought_of_is_a_failed_attempt(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_over(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(session, "get", fall_over)
    result = await ask(http(80), session)
    assert not result.ok
    assert "ZeroDivisionError" in result.message


async def test_stopping_an_attempt_stops_it(session: aiohttp.ClientSession) -> None:
    async with serving(silent) as port:
        task = asyncio.create_task(ask(http(port, timeout=5), session))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
