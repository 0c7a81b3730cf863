"""What is told of a release: Events with what they speak of, and figures of what is written."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.release import ReleasePhase, ReleaseStatus
from immutablerelease.core.plan import Event, EventType, Plan, WriteReleaseStatus
from immutablerelease.core.snapshot import RouteRecord, Snapshot
from immutablerelease.runtime.client import EVENTS, RELEASES, Object, Unavailable
from immutablerelease.runtime.events import Events
from immutablerelease.runtime.key import Key
from immutablerelease.runtime.metrics import Metrics
from immutablerelease.runtime.telling import Telling
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import KEY, Instant, Operator, Told, manifest, template

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Setting:
    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.metrics = Metrics(CollectorRegistry())
        self.events = Events(self.cluster, instance="operator-0", now=lambda: NOW)
        self.telling = Telling(self.events, self.metrics)
        release = manifest()
        release["metadata"]["uid"] = "uid-shop"
        self.snapshot = Snapshot(Release.read(release), "h1", {"shop-1": _revision("shop-1")})

    async def told(self, event: Event) -> Object:
        """The one Event that comes of it."""
        self.telling.tell(self.snapshot, event)
        task = asyncio.create_task(self.events.run())
        await self.events.drain(1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        (written,) = self.cluster.of(EVENTS)
        return written

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def releases(self) -> dict[str, float]:
        """Number of releases by phase, where there are any."""
        shown = {
            phase.value: self.value("immutable_release_releases", phase=phase.value) or 0
            for phase in ReleasePhase
        }
        return {phase: number for phase, number in shown.items() if number}


def _revision(name: str) -> Revision:
    spec = {
        "release": "shop",
        "number": 1,
        "generation": 1,
        "templateHash": "h1",
        "template": template("v1"),
        "images": [],
    }
    metadata = {"name": name, "namespace": "demo", "uid": f"uid-{name}"}
    return Revision.read({"metadata": metadata, "spec": spec})


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_an_event_is_about_the_release_and_names_the_revision_too(setting: Setting) -> None:
    event = await setting.told(Event(EventType.WARNING, "Reverted", "it fails", "shop-1"))
    assert (event["type"], event["reason"], event["note"]) == ("Warning", "Reverted", "it fails")
    assert event["regarding"] == {
        "apiVersion": RELEASES.api_version,
        "kind": "ImmutableRelease",
        "namespace": "demo",
        "name": "shop",
        "uid": "uid-shop",
    }
    assert event["related"] == {
        "apiVersion": RELEASES.api_version,
        "kind": "ReleaseRevision",
        "namespace": "demo",
        "name": "shop-1",
        "uid": "uid-shop-1",
    }


@pytest.mark.parametrize("revision", [None, "shop-9"], ids=["of none", "of one that is gone"])
async def test_an_event_of_no_revision_is_about_the_release_alone(
    setting: Setting, revision: str | None
) -> None:
    event = await setting.told(Event(EventType.NORMAL, "Paused", "as was asked", revision))
    assert "related" not in event


async def test_telling_alone_changes_no_figure(setting: Setting) -> None:
    await setting.told(Event(EventType.WARNING, "Reverted", "it fails", "shop-1"))
    assert setting.releases() == {}
    assert setting.value("immutable_release_reverts_total", reason="ProbeFailed") is None


def test_a_release_counts_in_the_phase_that_was_written(setting: Setting) -> None:
    written = WriteReleaseStatus(ReleaseStatus(phase=ReleasePhase.ACTIVE))
    setting.telling.recorded(KEY, setting.snapshot, Plan((written,)))
    assert setting.releases() == {"Active": 1}
    setting.telling.gone(KEY)
    assert setting.releases() == {}


def test_a_release_whose_status_was_not_written_counts_in_the_phase_that_it_has(
    setting: Setting,
) -> None:
    release = replace(
        setting.snapshot.release, status=ReleaseStatus(phase=ReleasePhase.PROGRESSING)
    )
    setting.telling.recorded(KEY, replace(setting.snapshot, release=release), Plan())
    assert setting.releases() == {"Progressing": 1}


@pytest.mark.parametrize(("reason", "counted"), [("Promoted", None), ("ProbeFailed", 1)])
def test_moves_of_traffic_back_are_counted_and_promotions_are_not(
    setting: Setting, reason: str, counted: int | None
) -> None:
    setting.telling.moved(RouteRecord("shop-1", reason, "words", NOW))
    assert setting.value("immutable_release_reverts_total", reason=reason) == counted


def test_reconciles_are_counted(setting: Setting) -> None:
    setting.telling.reconciled(KEY, "changed", 0.01)
    name = "controller_runtime_reconcile_total"
    assert setting.value(name, controller="release", result="changed") == 1


class Compared(Told):
    """Compares the figures with the cluster each time they change."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting
        self.phases: list[str] = []

    def recorded(self, key: Key, snapshot: Snapshot, plan: Plan) -> None:
        self.setting.telling.recorded(key, snapshot, plan)
        phase = self.setting.cluster.release()["status"]["phase"]
        assert self.setting.releases() == {phase: 1}
        self.phases.append(phase)


async def test_a_figure_never_tells_of_what_the_cluster_does_not_show(setting: Setting) -> None:
    """Every other write fails, so that most plans are applied in part at first."""
    cluster, failed = setting.cluster, set[int]()

    def fail(number: int, done: bool) -> None:
        if not done and number % 2 and number not in failed:
            failed.add(number)
            raise Unavailable("no answer")

    cluster.put(RELEASES, manifest())
    cluster.interrupt = fail
    told = Compared(setting)
    outside = Instant()
    operator = Operator(cluster, outside, told)
    await operator.run(20)
    cluster.change(template=template("v2"))
    await operator.run(5)
    outside.failing.add(str(cluster.serving()))
    await operator.run(2)
    assert failed
    assert told.results.count("error") == len(failed)
    assert told.phases[-1] == "Reverted"
