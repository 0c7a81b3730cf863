"""Answers for Pods that only look real, so that probes of the operator reach somebody.

The fake nodes give their Pods addresses that lead nowhere. One route makes all of them this
machine's own, and one server answers at each. Whom it answers for, the question tells.
"""

import subprocess
from typing import Final

from aiohttp import web

from tests.faults.background import Background

PORT: Final = 18080
# kwok's `--cidr`, widened for as many Pods as a test may want.
ADDRESSES: Final = "10.0.0.0/16"
TIMEOUT: Final = 10.0


def question(namespace: str, version: str) -> str:
    """What Pods of a version are asked for."""
    return f"/healthz/{namespace}/{version}"


class FakePods:
    """All are healthy but those that are asked what is in `sick`."""

    def __init__(self, background: Background) -> None:
        self.sick: frozenset[str] = frozenset()
        self._background = background
        # In the cluster's own network, which goes with it.
        subprocess.run(
            ["ip", "route", "replace", "local", ADDRESSES, "dev", "lo"], check=True, timeout=TIMEOUT
        )
        app = web.Application()
        app.router.add_get(question("{namespace}", "{version}"), self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        background.run(self._start(), TIMEOUT)

    def close(self) -> None:
        """Answer no more."""
        self._background.run(self._runner.cleanup(), TIMEOUT)
        subprocess.run(
            ["ip", "route", "delete", "local", ADDRESSES, "dev", "lo"], check=True, timeout=TIMEOUT
        )

    async def _start(self) -> None:
        await self._runner.setup()
        # All addresses of a network of its own.
        await web.TCPSite(self._runner, "0.0.0.0", PORT).start()  # noqa: S104

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(status=500 if request.path in self.sick else 200)
