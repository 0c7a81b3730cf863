"""Two processes want one lease: never both work, and the survivor takes over in time."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immutablerelease.runtime.client import LEASES, Kind, Object, Unavailable
from immutablerelease.runtime.lease import Elector, Terms
from tests.unit.health.virtual_time import Time
from tests.unit.shell.connection import Connection
from tests.unit.shell.fake_cluster import FakeCluster

USUAL = Terms()


class Line(Connection):
    """One process's connection to the cluster; `fault` says what is wrong with it."""

    def __init__(self, cluster: FakeCluster, time: Time) -> None:
        super().__init__(cluster)
        self._time = time
        self.fault = ""

    async def before(self, verb: str, kind: Kind, name: str) -> None:
        if self.fault == "down":
            raise Unavailable("connection refused")
        if self.fault == "slow":
            await self._time.sleep(4.0)
        if self.fault == "hangs":
            await asyncio.sleep(60)

    async def after(self, verb: str, kind: Kind, name: str) -> None:
        if self.fault == "mute" or (self.fault == "mute to writes" and verb == "replace"):
            raise Unavailable("the answer was lost")


class Process:
    def __init__(
        self,
        name: str,
        cluster: FakeCluster,
        time: Time,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        terms: Terms = USUAL,
    ) -> None:
        self.name = name
        self.api = Line(cluster, time)
        self.told: list[str] = []
        self.elector = Elector(
            self.api,
            namespace="system",
            name="leader",
            identity=name,
            on_acquired=lambda: self.told.append("acquired"),
            on_lost=lambda: self.told.append("lost"),
            terms=terms,
            clock=clock or time,
            now=lambda: datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=time.now),
            sleep=sleep or time.sleep,
            jitter=random.Random(name),  # noqa: S311
        )
        self.task = asyncio.create_task(self.elector.run())

    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def kill(self) -> None:
        """As by SIGKILL: nothing is released."""
        self.api.fault = "down"
        self.task.cancel()


class Setting:
    def __init__(self) -> None:
        self.time = Time()
        self.cluster = FakeCluster()
        self.processes: list[Process] = []

    def start(self, name: str) -> Process:
        process = Process(name, self.cluster, self.time)
        self.processes.append(process)
        return process

    async def pass_(self, seconds: float) -> None:
        """Let time pass, and look whether two work whenever one may have begun to."""
        await self.time.pass_(seconds, self.look)

    def look(self) -> None:
        leaders = [process.name for process in self.processes if process.elector.leading]
        assert len(leaders) <= 1, f"{leaders} work at once"

    @property
    def lease(self) -> Object:
        (lease,) = self.cluster.of(LEASES)
        return lease

    @property
    def spec(self) -> Object:
        spec: Object = self.lease["spec"]
        return spec

    def write(self, **spec: Any) -> None:
        """Somebody else writes the record."""
        self.cluster.put(LEASES, {**self.lease, "spec": {**self.spec, **spec}})

    def delete(self) -> None:
        for lease in self.cluster.of(LEASES):
            self.cluster.remove(LEASES, "system", lease["metadata"]["name"])

    async def close(self) -> None:
        for process in self.processes:
            process.kill()
        await asyncio.gather(*(p.task for p in self.processes), return_exceptions=True)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    setting = Setting()
    yield setting
    await setting.close()


async def test_the_first_one_leads_and_keeps_leading(setting: Setting) -> None:
    first = setting.start("a")
    await setting.pass_(1)
    second = setting.start("b")
    await setting.pass_(120)
    assert first.told == ["acquired"]
    assert second.told == []
    assert setting.spec["holderIdentity"] == "a"
    assert setting.spec["leaseTransitions"] == 0


async def test_the_record_is_as_other_tools_read_it(setting: Setting) -> None:
    setting.start("a")
    await setting.pass_(5)
    spec = setting.spec
    assert spec["leaseDurationSeconds"] == 15
    assert spec["acquireTime"] == "2026-11-01T00:01:40.000000Z"
    assert spec["renewTime"] > spec["acquireTime"]


async def test_one_that_ends_in_order_hands_over_at_once(setting: Setting) -> None:
    first, second = setting.start("a"), setting.start("b")
    await setting.pass_(10)
    await first.stop()
    assert setting.spec["holderIdentity"] == ""
    await setting.pass_(3)
    assert second.told == ["acquired"]
    assert setting.spec["leaseTransitions"] == 1
    assert first.told == ["acquired"], "ending is not losing"


async def test_one_that_is_killed_is_succeeded_when_its_lease_runs_out(setting: Setting) -> None:
    first, second = setting.start("a"), setting.start("b")
    await setting.pass_(30)
    first.kill()
    await setting.pass_(11)
    assert second.told == []
    await setting.pass_(7)
    assert second.told == ["acquired"]


async def test_a_holder_that_is_cut_off_stops_before_another_begins(setting: Setting) -> None:
    first, second = setting.start("a"), setting.start("b")
    await setting.pass_(30)
    first.api.fault = "down"
    await setting.pass_(10.5)
    assert first.told == ["acquired", "lost"]
    assert second.told == []
    await setting.pass_(8)
    assert second.told == ["acquired"]
    assert first.task.done(), "it must not come back"


async def test_a_short_outage_is_survived(setting: Setting) -> None:
    first = setting.start("a")
    setting.start("b")
    await setting.pass_(30)
    for process in setting.processes:
        process.api.fault = "down"
    await setting.pass_(6)
    for process in setting.processes:
        process.api.fault = ""
    await setting.pass_(60)
    assert first.told == ["acquired"]


async def test_a_write_whose_answer_was_lost_is_recognised(setting: Setting) -> None:
    first = setting.start("a")
    first.api.fault = "mute"
    await setting.pass_(5)
    first.api.fault = ""
    await setting.pass_(5)
    assert first.told == ["acquired"]
    first.api.fault = "mute"
    await setting.pass_(4)
    first.api.fault = ""
    await setting.pass_(30)
    assert first.told == ["acquired"]


async def test_renewals_whose_answers_are_all_lost_count_when_they_are_seen(
    setting: Setting,
) -> None:
    first = setting.start("a")
    await setting.pass_(5)
    first.api.fault = "mute to writes"
    setting.start("b")
    await setting.pass_(120)
    assert first.told == ["acquired"]
    assert first.elector.leading


async def test_a_stolen_lease_is_lost_at_the_next_renewal(setting: Setting) -> None:
    first = setting.start("a")
    await setting.pass_(5)
    setting.write(holderIdentity="thief")
    await setting.pass_(3)
    assert first.told == ["acquired", "lost"]
    assert setting.spec["holderIdentity"] == "thief", "it is not for us to release"


async def test_a_deleted_lease_is_made_again_by_its_holder(setting: Setting) -> None:
    first, second = setting.start("a"), setting.start("b")
    await setting.pass_(30)
    setting.delete()
    await setting.pass_(30)
    assert first.told == ["acquired"]
    assert second.told == []


async def test_the_clocks_of_others_do_not_matter(setting: Setting) -> None:
    setting.start("a")
    await setting.pass_(5)
    second = setting.start("b")
    for _ in range(20):
        setting.write(renewTime="1999-01-01T00:00:00.000000Z")
        await setting.pass_(1)
    assert second.told == []


async def test_one_that_starts_beside_a_dead_record_waits_until_it_ran_out(
    setting: Setting,
) -> None:
    setting.cluster.put(
        LEASES,
        {
            "metadata": {"name": "leader", "namespace": "system"},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 15, "leaseTransitions": 4},
        },
    )
    process = setting.start("a")
    await setting.pass_(14)
    assert process.told == []
    await setting.pass_(4)
    assert process.told == ["acquired"]
    assert setting.spec["leaseTransitions"] == 5


async def test_a_request_that_hangs_does_not_keep_the_holder_from_giving_up() -> None:
    loop = asyncio.get_running_loop()
    process = Process(
        "a",
        FakeCluster(),
        Time(),
        clock=loop.time,
        sleep=asyncio.sleep,
        terms=Terms(lease=0.3, renew=0.2, retry=0.02),
    )
    await asyncio.sleep(0.05)
    assert process.elector.leading
    process.api.fault = "hangs"
    await asyncio.wait_for(process.task, 0.3)
    assert process.told == ["acquired", "lost"]


@pytest.mark.parametrize(
    "durations",
    [
        {"lease": 10, "renew": 10, "retry": 2},
        {"lease": 15, "renew": 4, "retry": 2},
        {"lease": 15, "renew": 10, "retry": 0},
    ],
)
def test_terms_that_cannot_be_kept_are_refused(durations: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must outlast"):
        Terms(**durations)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["", "down", "slow", "mute", "stop", "kill", "start", "delete"]),
            st.integers(1, 12),
        ),
        max_size=12,
    )
)
def test_whatever_happens_never_two_work_and_in_the_end_one_does(
    steps: list[tuple[str, str, int]],
) -> None:
    async def play() -> None:
        setting = Setting()
        processes = {name: setting.start(name) for name in "abc"}
        for name, event, seconds in steps:
            process = processes[name]
            if event == "start":
                if process.task.done():
                    processes[name] = setting.start(f"{name}{len(setting.processes)}")
            elif event == "stop":
                await process.stop()
            elif event == "kill":
                process.kill()
            elif event == "delete":
                # Only while nobody works: who deletes a held lease asks for a race.
                if not any(process.elector.leading for process in setting.processes):
                    setting.delete()
            else:
                process.api.fault = event
            await setting.pass_(seconds)
        for process in processes.values():
            process.api.fault = ""
        processes["d"] = setting.start("d")
        await setting.pass_(40)
        assert sum(process.elector.leading for process in setting.processes) == 1
        await setting.close()

    asyncio.run(play())
