"""What somebody has to see and lift: refused records, finalizers that keep what was deleted."""

import asyncio
from datetime import UTC, datetime

import pytest

from immutablerelease.runtime.client import (
    PODS,
    RELEASES,
    REVISIONS,
    Forbidden,
    Kind,
    NamespaceGoing,
    Object,
)
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import KEY, Instant, Operator, manifest, template

QUOTA = 'releaserevisions "shop-1" is forbidden: exceeded quota: few'


class Quota(FakeCluster):
    """Refuses to record revisions while it is used up."""

    def __init__(self) -> None:
        super().__init__()
        self.used_up = True
        self.attempts = 0

    async def create(self, kind: Kind, namespace: str, obj: Object) -> Object:
        if kind is REVISIONS:
            self.attempts += 1
            if self.used_up:
                raise Forbidden(QUOTA, about="create", code=403)
        return await super().create(kind, namespace, obj)


async def test_a_revision_that_cannot_be_recorded_is_told_and_tried_ever_more_rarely() -> None:
    cluster = Quota()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    await operator.run(60)
    ready = condition(cluster, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NotRecorded")
    assert QUOTA in ready["message"]
    assert "tried again" in ready["message"]
    assert condition(cluster, "Stalled")["status"] == "True"
    # At 0, 1, 3, 7, 15 and 31 seconds, and once before a release was ever refused.
    assert 5 <= cluster.attempts <= 7
    cluster.used_up = False
    await operator.run(60)
    assert cluster.serving()
    assert condition(cluster, "Ready")["status"] == "True"


async def test_what_was_refused_is_tried_again_by_itself() -> None:
    """No event may ever come: the queue itself has to give the release out again."""
    cluster = Quota()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    operator.queue.add(KEY)
    async with asyncio.timeout(20):
        while cluster.attempts < 2:
            key = await operator.queue.get()
            operator.outside.now = datetime.now(UTC)
            cluster.settle()
            operator.observe()
            await operator.controller.handle(key)
            operator.queue.done(key)


async def test_another_spec_does_not_wait_for_the_one_that_was_refused() -> None:
    cluster = Quota()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    await operator.run(200, step=20)
    cluster.used_up = False
    cluster.change(template=template("v2"))
    await operator.run(2)
    assert len(cluster.of(REVISIONS)) == 1


@pytest.mark.parametrize("finalizer", ["backup.example.com/kept", "foregroundDeletion"])
async def test_what_a_finalizer_keeps_is_guarded_until_it_is_gone(finalizer: str) -> None:
    cluster = FakeCluster()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    await operator.run(20)
    first = cluster.serving()
    cluster.change(template=template("v2"))
    await operator.run(20)
    second = cluster.serving()
    assert first and second and first != second
    delete(cluster, finalizer)
    operator.outside.failing.add(second)
    await operator.run(5)
    kept = finalizer.startswith("backup")
    assert cluster.serving() == (first if kept else second)
    if kept:
        assert cluster.release()["status"]["activeRevision"] == first


async def test_what_is_kept_though_deleted_starts_nothing_new() -> None:
    cluster = FakeCluster()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    await operator.run(20)
    first = cluster.serving()
    delete(cluster, "backup.example.com/kept")
    cluster.change(template=template("v2"))
    await operator.run(20)
    assert cluster.serving() == first
    assert len(cluster.of(REVISIONS)) == 1


def delete(cluster: FakeCluster, finalizer: str) -> None:
    """As the API server does it while there are finalizers."""
    release = cluster.release()
    release["metadata"]["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    release["metadata"]["finalizers"] = [finalizer]
    cluster.put(RELEASES, release)


def condition(cluster: FakeCluster, type_: str) -> Object:
    found = (c for c in cluster.release()["status"]["conditions"] if c["type"] == type_)
    return dict(next(found))


class Going(FakeCluster):
    """Creates nothing any more, as in a namespace that is being deleted."""

    async def create(self, kind: Kind, namespace: str, obj: Object) -> Object:
        raise NamespaceGoing("it is being terminated", about="create", code=403)


async def test_in_a_namespace_that_goes_nothing_is_tried_again_nor_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Going()
    cluster.put(RELEASES, manifest())
    operator = Operator(cluster, Instant())
    await operator.run()
    assert operator.told.results[-1] == "gone"
    assert "error" not in operator.told.results
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


async def test_a_pod_that_was_evicted_long_ago_holds_no_canary_up() -> None:
    """Nobody deletes it, and it can get no traffic: to wait for it is to wait for ever."""
    cluster = FakeCluster()
    canary = {"canary": {"steps": [{"weight": 50, "hold": "5s"}]}}
    cluster.put(RELEASES, manifest(strategy=canary, keepWarm="0s"))
    operator = Operator(cluster, Instant())
    await operator.run(20)
    first = cluster.serving()
    cluster.change(template=template("v2"))
    await operator.run(60)
    assert first
    assert cluster.serving() != first
    labels = cluster.objects[("deployments", "demo", first)]["spec"]["template"]["metadata"][
        "labels"
    ]
    ready = {"type": "Ready", "status": "False", "reason": "PodFailed"}
    evicted = {"phase": "Failed", "reason": "Evicted", "conditions": [ready]}
    metadata = {"name": "evicted", "namespace": "demo", "labels": labels}
    cluster.put(PODS, {"metadata": metadata, "spec": {}, "status": evicted})
    second = cluster.serving()
    cluster.change(template=template("v3"))
    await operator.run(60)
    assert cluster.serving() not in (first, second)
