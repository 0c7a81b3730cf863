"""The operator's own HTTP server: figures for Prometheus, and probes for the kubelet."""

from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from .liveness import Health

_STOP_SECONDS: Final = 2.0


class Web:
    """Serves `/metrics`, `/healthz` and `/readyz`.

    `/healthz` is 500 when the process should be restarted, `/readyz` 503 while it is not ready;
    both say why in one line.
    """

    def __init__(
        self, health: Health, registry: CollectorRegistry, *, port: int, host: str | None = None
    ) -> None:
        self._health = health
        self._registry = registry
        self._port = port
        self._host = host
        app = web.Application(client_max_size=1024)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        # Probes and scrapes come every few seconds: no log of them.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)

    @property
    def port(self) -> int:
        """The port that it listens on, once it was started."""
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen, on all addresses unless a host is given."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, request: web.Request) -> web.Response:
        return _answer(self._health.alive(), 500)

    async def _readyz(self, request: web.Request) -> web.Response:
        return _answer(self._health.ready(), 503)


def _answer(cause: str | None, status: int) -> web.Response:
    if cause is None:
        return web.Response(text="ok\n")
    return web.Response(text=f"{cause}\n", status=status)
