"""What is watched ends in the store, and the releases that it concerns in the queue."""

import asyncio
import contextlib
from typing import Any

import pytest

from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL
from immutablerelease.runtime import watching
from immutablerelease.runtime.client import (
    ACTIONS,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NAMESPACES,
    PODS,
    POLICIES,
    RELEASES,
    REVISIONS,
    SERVICES,
    Kind,
    Object,
    Unavailable,
)
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.liveness import Limits, Watches
from immutablerelease.runtime.store import Store
from immutablerelease.runtime.watching import Watching
from tests.unit.shell.fake_cluster import FakeCluster

CHILDREN = (REVISIONS, DEPLOYMENTS, DAEMON_SETS, SERVICES, PODS, ENDPOINT_SLICES)
SHOP, CART, AWAY = Key("demo", "shop"), Key("demo", "cart"), Key("elsewhere", "shop")


def make(name: str, namespace: str = "demo", *, release: str = "", version: int = 100) -> Object:
    """Any object; `release` is its label."""
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{namespace}-{name}",
        "resourceVersion": str(version),
        "labels": {RELEASE_LABEL: release} if release else {},
    }
    return {"metadata": metadata, "spec": {"release": release or "shop"}}


def whole(name: str, version: int = 100) -> Object:
    """An object of the whole cluster."""
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}


class Setting:
    """A cluster with two releases in one namespace and one in another."""

    def __init__(self, namespaces: tuple[str, ...] = ()) -> None:
        self.cluster = FakeCluster()
        for namespace, name in (SHOP, CART, AWAY):
            self.cluster.put(RELEASES, {"metadata": {"name": name, "namespace": namespace}})
        self.store = Store()
        self.queued: list[Key] = []
        self.policies: list[str] = []
        self.seconds = 0.0
        self.watches = Watches(clock=lambda: self.seconds, limits=Limits())
        self.watching = Watching(
            self.cluster,
            self.store,
            enqueue=self.enqueue,
            policy_changed=self.policies.append,
            namespaces=namespaces,
            watches=self.watches,
        )

    def enqueue(self, key: Key) -> None:
        self.queued.append(key)

    async def event(self, kind: Kind, obj: Object, event: str | None = "MODIFIED") -> list[Key]:
        """Deliver a watch event as kopf does; what it put into the queue."""
        self.queued.clear()
        await self.watching._handler(kind)(event={"type": event, "object": obj}, logger=None)
        return list(self.queued)


@pytest.fixture
async def setting() -> Setting:
    setting = Setting()
    await setting.watching.fill()
    return setting


async def test_at_the_start_everything_is_read_and_every_release_is_looked_at() -> None:
    setting = Setting()
    setting.cluster.put(PODS, make("shop-1-0", release="shop"))
    setting.cluster.put(PODS, make("a-stranger"))
    setting.cluster.put(CONFIG_MAPS, make("settings", release="shop"))
    setting.cluster.put(POLICIES, whole("all"))
    await setting.watching.fill()
    assert setting.queued == [SHOP, CART, AWAY]
    assert setting.store.names(PODS) == [("demo", "shop-1-0")], "others' Pods are never read"
    assert setting.store.names(POLICIES) == [("", "all")]
    assert setting.store.names(CONFIG_MAPS) == []


async def test_only_the_service_of_the_release_is_asked_where_it_leads() -> None:
    setting = Setting()
    for name, labels in {"shop": {}, "shop-1": {REVISION_LABEL: "shop-1"}}.items():
        endpoint_slice = make(name, release="shop")
        endpoint_slice["metadata"]["labels"].update(labels)
        setting.cluster.put(ENDPOINT_SLICES, endpoint_slice)
    await setting.watching.fill()
    assert setting.store.names(ENDPOINT_SLICES) == [("demo", "shop")]


async def test_with_namespaces_only_they_are_read_and_what_has_none() -> None:
    setting = Setting(("elsewhere",))
    setting.cluster.put(NAMESPACES, whole("elsewhere"))
    await setting.watching.fill()
    assert setting.queued == [AWAY]
    assert setting.store.names(NAMESPACES) == [("", "elsewhere")]


@pytest.mark.parametrize("kind", CHILDREN, ids=lambda kind: kind.plural)
async def test_a_child_concerns_the_release_that_its_label_names(
    setting: Setting, kind: Kind
) -> None:
    assert await setting.event(kind, make("child", release="cart")) == [CART]
    assert setting.store.get(kind, "demo", "child") is not None


async def test_a_release_concerns_itself(setting: Setting) -> None:
    assert await setting.event(RELEASES, make("new")) == [Key("demo", "new")]


async def test_an_action_concerns_the_release_that_its_spec_names(setting: Setting) -> None:
    action = make("back") | {"spec": {"release": "cart"}}
    assert await setting.event(ACTIONS, action) == [CART]


async def test_a_policy_concerns_every_release(setting: Setting) -> None:
    assert await setting.event(POLICIES, whole("signed")) == [SHOP, CART, AWAY]
    assert await setting.event(POLICIES, whole("signed"), "DELETED") == [SHOP, CART, AWAY]
    assert setting.policies == ["signed", "signed"]


async def test_a_policy_of_which_only_the_status_changed_concerns_no_release() -> None:
    setting = Setting()
    setting.cluster.put(POLICIES, {"metadata": {"name": "signed"}, "spec": {"mode": "Audit"}})
    await setting.watching.fill()

    async def written(**fields: Any) -> list[Key]:
        before = setting.cluster.of(POLICIES)[0]
        return await setting.event(POLICIES, setting.cluster.put(POLICIES, {**before, **fields}))

    assert await written(status={"observedGeneration": 1}) == []
    assert setting.policies == ["signed", "signed"], "its status may be somebody else's doing"
    assert await written(spec={"mode": "Enforce"}) == [SHOP, CART, AWAY]
    assert await written(status={"observedGeneration": 2}) == []
    gone = setting.cluster.remove(POLICIES, "", "signed")
    assert await setting.event(POLICIES, gone, "DELETED") == [SHOP, CART, AWAY]
    again = {"metadata": {"name": "signed"}, "spec": {"mode": "Audit"}}
    assert await setting.event(POLICIES, setting.cluster.put(POLICIES, again)) == [SHOP, CART, AWAY]


async def test_every_policy_is_looked_at_with_every_full_look() -> None:
    setting = Setting()
    setting.cluster.put(POLICIES, whole("signed"))
    for _ in range(2):
        await setting.watching.fill()
    assert setting.policies == ["signed", "signed"]


async def test_a_namespace_concerns_the_releases_in_it(setting: Setting) -> None:
    assert await setting.event(NAMESPACES, whole("demo")) == [SHOP, CART]


async def test_what_carries_no_label_concerns_nobody(setting: Setting) -> None:
    assert await setting.event(SERVICES, make("stranger")) == []


@pytest.mark.parametrize("event", [None, "ADDED", "MODIFIED"])
async def test_what_is_known_already_concerns_nobody(setting: Setting, event: str | None) -> None:
    assert await setting.event(PODS, make("pod", release="shop", version=200), event) == [SHOP]
    assert await setting.event(PODS, make("pod", release="shop", version=200), event) == []
    assert await setting.event(PODS, make("pod", release="shop", version=150), event) == []


async def test_what_is_deleted_leaves_the_store_and_concerns_its_release(setting: Setting) -> None:
    await setting.event(PODS, make("pod", release="shop"))
    assert await setting.event(PODS, make("pod", release="shop", version=300), "DELETED") == [SHOP]
    assert setting.store.get(PODS, "demo", "pod") is None


async def test_what_vanished_unseen_is_found_by_the_next_list(setting: Setting) -> None:
    setting.cluster.put(PODS, make("pod", release="cart"))
    await setting.watching.fill()
    setting.cluster.remove(RELEASES, "demo", "shop")
    setting.cluster.remove(PODS, "demo", "pod")
    setting.queued.clear()
    await setting.watching.fill()
    assert setting.store.names(RELEASES) == [("demo", "cart"), ("elsewhere", "shop")]
    assert setting.store.names(PODS) == []
    assert SHOP in setting.queued, "so that what is known of it is dropped"


async def test_lists_are_repeated_until_it_is_stopped(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RESYNC_SECONDS", 0.0)
    stop = asyncio.Event()
    setting.queued.clear()

    def enqueue(key: Key) -> None:
        setting.queued.append(key)
        if setting.queued.count(AWAY) == 3:
            stop.set()

    monkeypatch.setattr(setting.watching, "_enqueue", enqueue)
    await asyncio.wait_for(setting.watching.resync(stop), 5)
    assert setting.queued.count(SHOP) == 3


async def test_a_watch_that_delivers_nothing_of_what_lists_find_is_told_of(
    setting: Setting,
) -> None:
    for kind in (RELEASES, PODS):
        await setting.event(kind, make("seen", release="shop"))
    setting.cluster.put(PODS, make("pod", release="shop"))
    await setting.watching.fill()
    setting.seconds += 200
    trouble = setting.watches.trouble()
    assert trouble is not None
    assert "the watch of pods is dead" in trouble
    await setting.event(PODS, make("pod", release="shop", version=500))
    assert setting.watches.trouble() is None


class Refusing(FakeCluster):
    """Refuses so many lists."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    async def list(self, kind: Kind, namespace: str | None, *, selector: str = "") -> list[Object]:
        if self.left:
            self.left -= 1
            raise Unavailable("etcd is away", about="list", code=500)
        return await super().list(kind, namespace, selector=selector)


async def test_lists_that_fail_are_made_again_and_end_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = Setting()
    monkeypatch.setattr(watching, "FIRST_PAUSE", 0.001)
    cluster = Refusing(times=3)
    cluster.put(RELEASES, {"metadata": {"name": "shop", "namespace": "demo"}})
    monkeypatch.setattr(setting.watching, "_api", cluster)
    await asyncio.wait_for(setting.watching.read(asyncio.Event()), 5)
    assert cluster.left == 0
    assert setting.queued == [SHOP]


async def test_a_stop_ends_the_attempts_to_list(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    monkeypatch.setattr(setting.watching, "_api", Refusing(times=1_000_000))
    stop = asyncio.Event()
    reading = asyncio.create_task(setting.watching.read(stop))
    await asyncio.sleep(0)
    assert not reading.done()
    stop.set()
    await asyncio.wait_for(reading, 5)
    assert setting.queued == []


@pytest.mark.parametrize("error", [None, ValueError("half an event")], ids=["quietly", "loudly"])
async def test_watches_that_end_by_themselves_end_the_process(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    running = []
    over = asyncio.Event()

    async def ends() -> None:
        await asyncio.sleep(0)
        running.append(setting.watches.running)
        if error is not None:
            raise error

    async def stays() -> None:
        """Waits for what never comes, whoever cancels it, as kopf's watchers may."""
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    async def spawn(**_: object) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(ends(), name="orchestrator"), asyncio.create_task(stays())]

    monkeypatch.setattr("kopf.spawn_tasks", spawn)
    try:
        with pytest.raises(watching.WatchingEnded, match=f"its orchestrator ended.*{error or ''}"):
            await asyncio.wait_for(setting.watching.watch(asyncio.Event(), lambda: None), 5)
    finally:
        over.set()
    assert running == [True]
    assert not setting.watches.running


async def test_watches_end_when_they_are_stopped(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = asyncio.Event()
    order: list[str] = []

    async def spawn(**_: object) -> list[asyncio.Task[bool]]:
        order.append("spawned")
        return [asyncio.create_task(stop.wait())]

    monkeypatch.setattr("kopf.spawn_tasks", spawn)
    watch = asyncio.create_task(setting.watching.watch(stop, lambda: order.append("begun")))
    await asyncio.sleep(0)
    assert order == ["spawned", "begun"]
    assert not watch.done()
    stop.set()
    await asyncio.wait_for(watch, 5)
    assert not setting.watches.running
