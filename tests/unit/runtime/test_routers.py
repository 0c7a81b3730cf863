"""Kinds that a cluster may lack are looked for anew."""

from immutablerelease.core.shares import Router
from immutablerelease.runtime.routers import Presence
from tests.unit.shell.fake_cluster import FakeCluster


async def test_whether_the_kinds_are_there_is_found_out_anew() -> None:
    cluster = FakeCluster()
    presence = Presence(cluster)
    cluster.absent = {"httproutes"}
    await presence.look(Router.GATEWAY, "demo")
    assert not presence.installed(Router.GATEWAY)
    cluster.absent.clear()
    await presence.look(Router.GATEWAY, "demo")
    assert presence.installed(Router.GATEWAY)
