"""Probes by gRPC against real servers: only SERVING passes, and what else is said is told."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from immutablerelease.api.probe import GrpcProbe
from immutablerelease.health.errors import Failed
from immutablerelease.health.grpc import ask

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Saying(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it ships no types
    """Answers any question with one number, after a while."""

    def __init__(self, status: int = SERVING, *, after: float = 0.0) -> None:
        self.status = status
        self.after = after

    async def Check(self, request: Any, context: Any) -> Any:
        await asyncio.sleep(self.after)
        return health_pb2.HealthCheckResponse(status=self.status)


@contextlib.asynccontextmanager
async def serving(servicer: Any = None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    server = grpc.aio.server()
    if servicer is not None:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"{host}:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def known(**statuses: int) -> Any:
    """The servicer that applications use."""
    servicer = health.aio.HealthServicer()
    for service, status in statuses.items():
        await servicer.set(service.replace("_", "."), status)
    return servicer


async def check(
    port: int, service: str = "", *, address: str = "127.0.0.1", timeout: float = 5.0
) -> str:
    return await ask(GrpcProbe(port=port, service=service), address, port, timeout=timeout)


async def refused(port: int, service: str = "", *, timeout: float = 5.0) -> str:
    with pytest.raises(Failed) as raised:
        await check(port, service, timeout=timeout)
    return str(raised.value)


async def test_serving_passes() -> None:
    async with serving(await known()) as port:
        assert await check(port) == f"gRPC 127.0.0.1:{port}: SERVING"


async def test_a_service_is_asked_about_by_its_name() -> None:
    async with serving(await known(shop_Cart=SERVING, shop_Search=NOT_SERVING)) as port:
        assert await check(port, "shop.Cart") == (
            f"gRPC health of 'shop.Cart' at 127.0.0.1:{port}: SERVING"
        )
        assert (await refused(port, "shop.Search")).endswith("got NOT_SERVING, expected SERVING")
        assert (await refused(port, "shop.Pay")).endswith(
            "NOT_FOUND: the Pod knows no service of that name"
        )


@pytest.mark.parametrize(
    ("status", "name"),
    [(0, "UNKNOWN"), (2, "NOT_SERVING"), (3, "SERVICE_UNKNOWN"), (77, "status 77")],
)
async def test_no_other_status_passes(status: int, name: str) -> None:
    async with serving(Saying(status)) as port:
        assert (await refused(port)).endswith(f": got {name}, expected SERVING")


async def test_a_server_without_the_protocol_fails_and_is_told_so() -> None:
    async with serving() as port:
        assert (await refused(port)) == (
            f"gRPC 127.0.0.1:{port}: UNIMPLEMENTED: "
            "the Pod does not serve the health protocol of gRPC"
        )


async def test_a_closed_port_fails_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        message = await asyncio.wait_for(refused(unused.getsockname()[1], timeout=30), 10)
    assert "UNAVAILABLE: " in message
    assert "refused" in message.lower()


async def test_each_attempt_connects_anew() -> None:
    async with serving(await known()) as port:
        await check(port)
    assert "UNAVAILABLE" in await refused(port)
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(Saying(), server)
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    await server.start()
    try:
        # No backoff after the connection that was refused.
        assert (await check(port, timeout=0.9)).endswith("SERVING")
    finally:
        await server.stop(None)


async def test_the_timeout_holds() -> None:
    async with serving(Saying(after=30)) as port:
        message = await asyncio.wait_for(refused(port, timeout=0.1), 5)
    assert message.endswith("no answer within 0.1 s")


async def test_what_speaks_another_protocol_fails_in_time() -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(http, "127.0.0.1", 0)
    async with server:
        message = await refused(server.sockets[0].getsockname()[1], timeout=0.5)
    assert "UNAVAILABLE" in message or "no answer within" in message


async def test_ipv6_addresses_take_brackets() -> None:
    async with serving(Saying(), "[::1]") as port:
        assert await check(port, address="::1") == f"gRPC [::1]:{port}: SERVING"
