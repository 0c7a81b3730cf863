"""A queue that loses no key and never hands one out twice at a time."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from immutablerelease.runtime.queue import Observer, ShutDown, WorkQueue, run_workers

P = ParamSpec("P")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def queue_with(
    clock: Clock,
    *,
    base_delay: float = 0.005,
    max_delay: float = 300.0,
    observer: Observer | None = None,
) -> WorkQueue[str]:
    return WorkQueue(
        clock=clock,
        base_delay=base_delay,
        max_delay=max_delay,
        jitter=random.Random(7),  # noqa: S311
        observer=observer,
    )


async def taken(queue: WorkQueue[str]) -> str | None:
    """The next key, or None when there is none at the moment."""
    try:
        return await asyncio.wait_for(queue.get(), 0.005)
    except TimeoutError:
        return None


async def test_a_key_added_twice_is_given_out_once() -> None:
    queue = queue_with(Clock())
    queue.add("a")
    queue.add("a")
    assert await taken(queue) == "a"
    assert await taken(queue) is None


async def test_keys_come_in_the_order_in_which_they_began_to_wait() -> None:
    queue = queue_with(Clock())
    for key in ("b", "a", "b", "c"):
        queue.add(key)
    assert [await taken(queue) for _ in range(3)] == ["b", "a", "c"]


async def test_a_key_added_while_it_is_handled_comes_again_once_it_is_done() -> None:
    queue = queue_with(Clock())
    queue.add("a")
    assert await taken(queue) == "a"
    queue.add("a")
    assert await taken(queue) is None
    assert queue.depth == 1
    queue.done("a")
    assert await taken(queue) == "a"
    queue.done("a")
    assert await taken(queue) is None


async def test_of_two_wake_ups_the_earlier_counts() -> None:
    clock = Clock()
    queue = queue_with(clock)
    queue.add_after("a", 30)
    queue.add_after("a", 10)
    queue.add_after("a", 20)
    clock.now += 9.9
    assert await taken(queue) is None
    clock.now += 0.2
    assert await taken(queue) == "a"
    queue.done("a")
    clock.now += 100
    assert await taken(queue) is None


async def test_a_wake_up_that_is_due_wakes_a_worker_that_waits_already() -> None:
    queue: WorkQueue[str] = WorkQueue(jitter=random.Random(7))  # noqa: S311
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add_after("a", 0.01)
    assert await asyncio.wait_for(worker, 1) == "a"


async def test_a_moved_wake_up_leaves_nothing_behind() -> None:
    clock = Clock()
    queue = queue_with(clock)
    for seconds in range(5000, 0, -1):
        queue.add_after("a", seconds)
    assert len(queue._heap) <= 65


async def test_pauses_double_up_to_the_limit_and_start_over_when_forgotten() -> None:
    clock = Clock()
    queue = queue_with(clock, base_delay=1.0, max_delay=8.0)
    pauses = []
    for _ in range(6):
        queue.add_rate_limited("a")
        started = clock.now
        while await taken(queue) is None:
            clock.now += 0.25
        pauses.append(clock.now - started)
        queue.done("a")
    for pause, longest in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
        assert longest / 2 <= pause <= longest + 0.25
    assert queue.failures("a") == 6
    queue.forget("a")
    queue.add_rate_limited("a")
    clock.now += 1.0
    assert await taken(queue) == "a"


async def test_a_key_that_failed_a_thousand_times_still_gets_a_pause() -> None:
    queue = queue_with(Clock())
    queue._failures["a"] = 5000
    queue.add_rate_limited("a")
    assert await taken(queue) is None


async def test_a_cancelled_key_is_not_woken() -> None:
    clock = Clock()
    queue = queue_with(clock)
    queue.add_after("a", 5)
    queue.cancel("a")
    clock.now += 10
    assert await taken(queue) is None


async def test_a_worker_cancelled_as_it_is_woken_passes_the_key_on() -> None:
    queue = queue_with(Clock())
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"


async def test_shut_down_ends_every_worker_and_gives_out_nothing_more() -> None:
    queue = queue_with(Clock())
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.shut_down()
    with pytest.raises(ShutDown):
        await asyncio.wait_for(worker, 1)
    queue.add("a")
    queue.add_after("b", 1)
    with pytest.raises(ShutDown):
        await queue.get()


async def test_ages_tell_what_waits_and_what_is_handled() -> None:
    clock = Clock()
    queue = queue_with(clock)
    assert queue.oldest_age == 0
    queue.add("a")
    queue.add("b")
    clock.now += 3
    assert queue.oldest_age == 3
    await queue.get()
    clock.now += 4
    assert queue.processing_ages == {"a": 4}
    assert queue.oldest_age == 7


async def test_the_observer_hears_of_every_step() -> None:
    class Recorder(Observer):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def added(self) -> None:
            self.seen.append("added")

        def retried(self) -> None:
            self.seen.append("retried")

        def taken(self, waited: float) -> None:
            self.seen.append(f"taken {waited:g}")

        def finished(self, worked: float) -> None:
            self.seen.append(f"finished {worked:g}")

    clock, recorder = Clock(), Recorder()
    queue = queue_with(clock, observer=recorder)
    queue.add("a")
    clock.now += 2
    await queue.get()
    clock.now += 3
    queue.done("a")
    queue.add_rate_limited("a")
    assert recorder.seen == ["added", "taken 2", "finished 3", "retried"]


async def test_workers_share_the_keys_and_never_a_key() -> None:
    queue: WorkQueue[int] = WorkQueue(jitter=random.Random(7))  # noqa: S311
    active: set[int] = set()
    handled: Counter[int] = Counter()

    async def handle(key: int) -> None:
        assert key not in active
        active.add(key)
        await asyncio.sleep(0)
        handled[key] += 1
        if handled[key] < 3:
            queue.add(key)
        active.remove(key)
        if len(handled) == 20 and min(handled.values()) == 3:
            queue.shut_down()

    for key in range(20):
        queue.add(key)
    await asyncio.wait_for(run_workers(queue, handle, 4), 2)
    assert set(handled.values()) == {3}


async def test_a_handler_that_raises_ends_the_workers_and_the_error_is_told() -> None:
    queue = queue_with(Clock())

    async def handle(key: str) -> None:
        raise LookupError(key)

    queue.add("a")
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(run_workers(queue, handle, 3), 2)
    assert caught.group_contains(LookupError)


class QueueMachine(RuleBasedStateMachine):
    """Against a model: which keys must still come, and which are in whose hands."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Clock()
        self.queue: WorkQueue[str] = queue_with(self.clock, base_delay=1.0, max_delay=16.0)
        # Keys in a worker's hands, and keys that must be given out after now.
        self.held: set[str] = set()
        self.owed: set[str] = set()
        # Latest time by which a key must be given out.
        self.due: dict[str, float] = {}

    def teardown(self) -> None:
        self.loop.run_until_complete(self.drain())
        self.loop.close()

    async def drain(self) -> None:
        """Nothing that was added is lost: everything owed comes out in the end."""
        for held in list(self.held):
            self.queue.done(held)
        self.clock.now += 1000
        self.owed |= set(self.due)
        got: set[str] = set()
        while (key := await self.poll()) is not None:
            got.add(key)
            self.queue.done(key)
        assert got == self.owed

    async def poll(self) -> str | None:
        task = asyncio.ensure_future(self.queue.get())
        await asyncio.sleep(0)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None

    def run(self, call: Callable[P, None], *args: P.args, **named: P.kwargs) -> None:
        async def inside() -> None:
            call(*args, **named)

        self.loop.run_until_complete(inside())

    @rule(key=st.sampled_from("abcd"))
    def add(self, key: str) -> None:
        self.run(self.queue.add, key)
        self.owed.add(key)

    @rule(key=st.sampled_from("abcd"), seconds=st.integers(1, 50))
    def add_after(self, key: str, seconds: int) -> None:
        self.run(self.queue.add_after, key, float(seconds))
        self.due[key] = min(self.due.get(key, float("inf")), self.clock.now + seconds)

    @rule(key=st.sampled_from("abcd"))
    def add_rate_limited(self, key: str) -> None:
        longest = min(2.0 ** self.queue.failures(key), 16.0)
        self.run(self.queue.add_rate_limited, key)
        self.due[key] = min(self.due.get(key, float("inf")), self.clock.now + longest)

    @rule(key=st.sampled_from("abcd"))
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        assert self.queue.failures(key) == 0

    @rule(seconds=st.integers(1, 60))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def get(self) -> None:
        got = self.loop.run_until_complete(self.poll())
        for key in [key for key, at in self.due.items() if at <= self.clock.now]:
            del self.due[key]
            self.owed.add(key)
        if got is None:
            assert self.owed <= self.held, "a key is kept back that nobody holds"
            return
        assert got not in self.held, "two workers on one key"
        assert got in self.owed or got in self.due, "a key that nobody added"
        self.held.add(got)
        self.owed.discard(got)
        # A jittered pause may have ended before its longest.
        if got not in self.queue._due:
            self.due.pop(got, None)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.held.remove(key)
        self.run(self.queue.done, key)

    @invariant()
    def depth_counts_no_key_twice(self) -> None:
        assert self.queue.depth <= 4


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(stateful_step_count=30)
