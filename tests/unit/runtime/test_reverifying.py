"""Verdicts are due apart from each other, trust that changes is noticed, and no release waits."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from immutablerelease.api.policy import Policy
from immutablerelease.core.plan import Verify
from immutablerelease.runtime.client import CONFIG_MAPS, POLICIES, SECRETS, Forbidden
from immutablerelease.runtime.controller import Memory
from immutablerelease.runtime.observe import Observer
from immutablerelease.runtime.store import Store
from immutablerelease.runtime.trust import TrustReader
from immutablerelease.verification.trust import NO_TRUST, Trust
from immutablerelease.verification.verdict import Verdict
from tests.unit.runtime.proving_scene import ASKED, NOW, Line, Scene
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import Instant

AGAIN = Verify("shop-1", "p1", again=True)
KEYLESS = {
    "name": "ci",
    "keyless": {"identities": [{"issuer": "https://issuer.test", "subject": "ci@test"}]},
    "trustRoot": {"configMapRef": {"name": "roots", "key": "trusted_root.json"}},
}


def policy(**spec: Any) -> dict[str, Any]:
    spec = {"unsafeAllowUnsigned": True, **spec}
    return {"metadata": {"name": "p", "uid": "uid-p"}, "spec": spec}


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.put(POLICIES, policy(reverify={"every": "1h", "onRefusal": "Revert"}))
    return made


async def test_verdicts_are_due_apart_from_each_other(scene: Scene) -> None:
    snapshot = scene.revision()
    dues = {(await scene.prover.verify(snapshot, ASKED)).due for _ in range(50)}
    assert len(dues) == 50
    for due in dues:
        assert due is not None
        assert timedelta(minutes=54) <= due - NOW <= timedelta(hours=1)


async def test_what_is_due_is_asked_anew(scene: Scene) -> None:
    snapshot = scene.revision()
    await scene.prover.verify(snapshot, ASKED)
    await scene.prover.verify(snapshot, AGAIN)
    assert scene.verifier.max_ages == [None, 10.0]


async def test_what_a_policy_wants_of_a_refusal_comes_with_it(scene: Scene) -> None:
    scene.verifier.verdict = Verdict("Refused", "R", "m", refused_by=frozenset({"p"}))
    assert (await scene.prover.verify(scene.revision(), ASKED)).revert
    scene.verifier.verdict = Verdict("Refused", "NoPolicy", "m")
    assert not (await scene.prover.verify(scene.revision(), ASKED)).revert


class Slow:
    """Holds every question until it is let go."""

    def __init__(self, scene: Scene) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self._verify = scene.verifier.verify
        scene.verifier.verify = self.verify  # type: ignore[method-assign]

    async def verify(self, *args: Any, **kwargs: Any) -> Verdict:
        self.asked += 1
        await self.go.wait()
        return await self._verify(*args, **kwargs)


async def settle() -> None:
    """Let everything go as far as it can."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_five_hundred_that_are_due_leave_room_for_what_is_released(scene: Scene) -> None:
    slow, snapshot = Slow(scene), scene.revision()
    due = [asyncio.create_task(scene.prover.verify(snapshot, AGAIN)) for _ in range(500)]
    await settle()
    assert slow.asked == 32
    released = asyncio.create_task(scene.prover.verify(snapshot, ASKED))
    await settle()
    assert slow.asked == 33
    slow.go.set()
    await asyncio.gather(released, *due)


def _observer(trust: Trust) -> Observer:
    store = Store()
    spec = policy(unsafeAllowUnsigned=False, authorities=[KEYLESS])
    spec["metadata"]["resourceVersion"] = "1"
    store.put(POLICIES, spec)
    return Observer(store, Memory(), Instant(), lambda: trust)


def test_a_trust_root_that_is_replaced_is_another_policy() -> None:
    place = ("roots", "trusted_root.json")
    hashes = {
        _observer(Trust(config_maps=held))._policies("demo")
        for held in ({}, {place: "old"}, {place: "new"})
    }
    assert len(hashes) == 3
    assert _observer(NO_TRUST)._policies("demo") in hashes


class Watched:
    """A reader that watches, and what it told."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.line = Line(self.cluster)
        self.reader = TrustReader(self.line, "operator")
        self.told = asyncio.Queue[None]()
        self.stop = asyncio.Event()
        self.put("old")

    def put(self, root: str) -> None:
        named = {"name": "roots", "namespace": "operator"}
        self.cluster.put(CONFIG_MAPS, {"metadata": named, "data": {"trusted_root.json": root}})

    def policies(self) -> list[Policy]:
        spec = {"authorities": [KEYLESS]}
        return [Policy.read({"metadata": {"name": "p"}, "spec": spec})]

    def watch(self) -> "asyncio.Task[None]":
        coroutine = self.reader.watch(
            self.policies, lambda: self.told.put_nowait(None), self.stop, every=0.01
        )
        return asyncio.create_task(coroutine)


async def test_a_trust_root_that_is_replaced_is_noticed_once() -> None:
    watched = Watched()
    await watched.reader.refresh(watched.policies())
    task = watched.watch()
    watched.put("new")
    async with asyncio.timeout(5):
        await watched.told.get()
    assert watched.reader.known.config_maps == {("roots", "trusted_root.json"): "new"}
    watched.stop.set()
    await task
    assert watched.told.empty()


async def test_what_cannot_be_read_stands_as_it_was_read_last() -> None:
    watched = Watched()
    await watched.reader.refresh(watched.policies())
    before = watched.reader.known
    watched.line.refuses[CONFIG_MAPS] = Forbidden("no")
    watched.line.refuses[SECRETS] = Forbidden("no")
    await watched.reader.refresh(watched.policies())
    assert watched.reader.known == before


async def test_to_read_for_one_policy_forgets_nothing_of_the_others() -> None:
    watched = Watched()
    await watched.reader.refresh(watched.policies())
    before = watched.reader.known
    await watched.reader.refresh([])
    assert watched.reader.known == before
    watched.cluster.objects.pop(("configmaps", "operator", "roots"))
    await watched.reader.refresh(watched.policies())
    assert watched.reader.known == NO_TRUST
