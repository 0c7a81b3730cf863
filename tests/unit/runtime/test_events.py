"""Events: one for what repeats, few for what flaps, and never a failure for who tells."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from immutablerelease.runtime.client import EVENTS, Forbidden, Kind, Object
from immutablerelease.runtime.events import Events, Limits
from tests.unit.shell.connection import Connection
from tests.unit.shell.fake_cluster import FakeCluster

SHOP: Object = {
    "apiVersion": "immutablerelease.io/v1alpha1",
    "kind": "ImmutableRelease",
    "metadata": {"name": "shop", "namespace": "web", "uid": "u1", "resourceVersion": "7"},
}


class Api(Connection):
    """Keeps what is applied, in order."""

    def __init__(self) -> None:
        super().__init__(FakeCluster())
        self.applied: list[Object] = []
        self.fault: Exception | None = None

    async def before(self, verb: str, kind: Kind, name: str) -> None:
        assert (verb, kind) == ("apply", EVENTS)
        if self.fault is not None:
            raise self.fault

    async def apply(
        self, kind: Kind, namespace: str, obj: Object, *, subresource: str = ""
    ) -> Object:
        assert obj["metadata"]["namespace"] == namespace
        applied = await super().apply(kind, namespace, obj, subresource=subresource)
        self.applied.append(obj)
        return applied

    @property
    def names(self) -> set[str]:
        return {obj["metadata"]["name"] for obj in self.applied}


class Setting:
    def __init__(self, limits: Limits | None = None) -> None:
        self.seconds = 0.0
        self.dropped = 0
        self.api = Api()
        self.events = Events(
            self.api,
            instance="operator-abc",
            clock=lambda: self.seconds,
            now=lambda: datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self.seconds),
            limits=limits or Limits(),
            on_drop=self.drop,
        )

    def drop(self) -> None:
        self.dropped += 1

    def tell(
        self, note: str = "traffic moved", *, reason: str = "Promoted", about: Object = SHOP
    ) -> None:
        self.events.tell(about, "Normal", reason, note)

    async def written(self) -> list[Object]:
        task = asyncio.create_task(self.events.run())
        await self.events.drain(1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return self.api.applied


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_an_event_says_what_happened_to_what(setting: Setting) -> None:
    setting.tell()
    (event,) = await setting.written()
    name = event["metadata"].pop("name")
    assert name.startswith("shop.")
    assert event == {
        "metadata": {"namespace": "web"},
        "eventTime": "2026-11-01T00:00:00.000000Z",
        "type": "Normal",
        "reason": "Promoted",
        "action": "Reconcile",
        "note": "traffic moved",
        "reportingController": "immutablerelease.io/operator",
        "reportingInstance": "operator-abc",
        "regarding": {
            "apiVersion": "immutablerelease.io/v1alpha1",
            "kind": "ImmutableRelease",
            "namespace": "web",
            "name": "shop",
            "uid": "u1",
            "resourceVersion": "7",
        },
    }


async def test_events_about_objects_of_the_whole_cluster_live_in_default(setting: Setting) -> None:
    setting.tell(about={"kind": "ReleasePolicy", "metadata": {"name": "all", "uid": "u2"}})
    (event,) = await setting.written()
    assert event["metadata"]["namespace"] == "default"


async def test_what_repeats_is_one_event_that_counts(setting: Setting) -> None:
    setting.tell()
    await setting.written()
    for _ in range(4):
        setting.seconds += 30
        setting.tell()
    written = await setting.written()
    assert len(setting.api.names) == 1
    assert "series" not in written[0]
    assert written[-1]["series"] == {
        "count": 5,
        "lastObservedTime": "2026-11-01T00:02:00.000000Z",
    }
    without_series = {key: value for key, value in written[-1].items() if key != "series"}
    assert without_series == written[0], "the API server lets nothing but the series change"


async def test_a_series_is_written_once_a_minute_at_most(setting: Setting) -> None:
    setting.tell()
    await setting.written()
    for _ in range(119):
        setting.seconds += 1
        setting.tell()
        await setting.written()
    assert len(setting.api.applied) == 2


async def test_after_the_window_the_same_is_told_anew(setting: Setting) -> None:
    setting.tell()
    await setting.written()
    setting.seconds += 601
    setting.tell()
    await setting.written()
    assert len(setting.api.names) == 2


async def test_different_things_are_different_events(setting: Setting) -> None:
    setting.tell("one")
    setting.tell("two")
    setting.tell("one", reason="Reverted")
    setting.tell("one", about={**SHOP, "metadata": {**SHOP["metadata"], "uid": "u2"}})
    await setting.written()
    assert len(setting.api.names) == 4


async def test_many_notes_of_one_reason_are_combined() -> None:
    setting = Setting(Limits(notes=3))
    for number in range(20):
        setting.seconds += 1
        setting.tell(f"failed {number}")
    written = await setting.written()
    assert len(setting.api.names) == 4
    assert written[-1]["note"] == "(combined with similar ones) failed 3"
    assert written[-1]["series"]["count"] == 17


async def test_long_notes_are_cut_to_what_the_api_server_takes(setting: Setting) -> None:
    setting.tell("ü" * 2000)
    (event,) = await setting.written()
    assert len(event["note"].encode()) <= 1024
    assert event["note"].endswith("ü...")


async def test_a_flood_is_dropped_and_counted() -> None:
    setting = Setting(Limits(waiting=5, notes=100))
    for number in range(8):
        setting.tell(f"note {number}")
    assert setting.dropped == 3
    assert len(await setting.written()) == 5


async def test_memory_is_bounded() -> None:
    setting = Setting(Limits(remembered=50, waiting=10))
    for number in range(500):
        setting.tell(about={"kind": "X", "metadata": {"name": "x", "uid": f"u{number}"}})
    assert len(setting.events._series) <= 50
    assert len(setting.events._notes) <= 50


@pytest.mark.parametrize(
    "fault", [Forbidden("no"), RuntimeError("a bug")], ids=["refused", "unexpected"]
)
async def test_an_event_that_cannot_be_written_harms_nobody(
    setting: Setting, fault: Exception
) -> None:
    setting.api.fault = fault
    setting.tell("one")
    await setting.written()
    assert setting.dropped == 1
    setting.api.fault = None
    setting.tell("two")
    assert len(await setting.written()) == 1


async def test_the_end_does_not_wait_for_an_api_server_that_hangs(setting: Setting) -> None:
    setting.tell()
    await asyncio.wait_for(setting.events.drain(0.01), 1)
