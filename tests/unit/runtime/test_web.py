"""The HTTP server as the kubelet and Prometheus see it."""

import random
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from immutablerelease.runtime.liveness import Health
from immutablerelease.runtime.metrics import Metrics
from immutablerelease.runtime.queue import WorkQueue
from immutablerelease.runtime.web import Web


class Server:
    def __init__(self) -> None:
        self.now = 0.0
        self.queue: WorkQueue[str] = WorkQueue(
            clock=lambda: self.now,
            jitter=random.Random(7),  # noqa: S311
        )
        self.health = Health(self.queue, clock=lambda: self.now)
        self.metrics = Metrics(CollectorRegistry())
        self.web = Web(self.health, self.metrics.registry, port=0, host="127.0.0.1")

    async def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.web.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.web.start()
    yield server
    await server.web.stop()


async def test_a_working_operator_is_alive(server: Server) -> None:
    assert await server.get("/healthz") == (200, "ok\n")


async def test_a_stalled_operator_says_why(server: Server) -> None:
    server.queue.add("web/shop")
    server.now += 301
    assert await server.get("/healthz") == (
        500,
        "a release waits for a worker for 301 s; limit 300 s\n",
    )


async def test_readiness_waits_for_the_first_lists(server: Server) -> None:
    server.health.watches.running = True
    assert (await server.get("/readyz"))[0] == 503
    server.health.filled = True
    assert await server.get("/readyz") == (200, "ok\n")


async def test_figures_are_served_in_the_text_format(server: Server) -> None:
    server.metrics.reconciled("changed", 0.1)
    status, text = await server.get("/metrics")
    assert status == 200
    assert 'controller_runtime_reconcile_total{controller="release",result="changed"} 1.0' in text


async def test_nothing_else_is_served(server: Server) -> None:
    assert (await server.get("/debug"))[0] == 404
