"""Commands run against the real operator on a cluster in memory."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from immutablerelease.cli.cluster import Cluster
from immutablerelease.cli.main import act, build_parser
from immutablerelease.runtime.client import RELEASES, REVISIONS
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import Instant, Operator, manifest, template


class Scene:
    """A release, its operator and a terminal."""

    def __init__(self, **spec: Any) -> None:
        self.api = FakeCluster()
        self.api.put(RELEASES, manifest(**spec))
        self.outside = Instant()
        self.place = ""
        self.operator = Operator(self.api, self.outside)

    async def call(self, *words: str) -> int:
        """Run a command; the operator does nothing meanwhile."""
        return await act(build_parser(words).parse_args(words), self.connect)

    async def ask(self, *words: str) -> int:
        """Run a command while the operator runs."""
        asked = asyncio.create_task(self.call(*words))
        async with asyncio.timeout(10):
            while not asked.done():
                await self.operator.run()
                await asyncio.sleep(0)
        return await asked

    async def release(self, version: str, seconds: float = 0) -> None:
        """Have a version released and wait."""
        self.api.change(template=template(version))
        await self.operator.run(seconds)

    def revision(self, version: str) -> str:
        """Name of the revision of a version."""
        return next(
            str(obj["metadata"]["name"])
            for obj in self.api.of(REVISIONS)
            if obj["spec"]["images"][0]["source"].endswith(f":{version}")
        )

    @asynccontextmanager
    async def connect(self, arguments: argparse.Namespace) -> AsyncIterator[Cluster]:
        """This cluster, whatever the kubeconfig says."""
        yield Cluster(self.api, arguments.namespace or "demo", lambda: self.outside.now, self.place)


async def promoted(**spec: Any) -> Scene:
    """Two versions were released; the second serves and counts as good."""
    scene = Scene(**spec)
    await scene.operator.run(20)
    await scene.release("v2", 20)
    return scene
