"""Health as sentences: what stalls is named, what is merely quiet is left alone."""

import random

import pytest

from immutablerelease.runtime.liveness import Health, Limits
from immutablerelease.runtime.queue import WorkQueue


class Setting:
    def __init__(self) -> None:
        self.now = 1000.0
        self.queue: WorkQueue[str] = WorkQueue(
            clock=lambda: self.now,
            jitter=random.Random(7),  # noqa: S311
        )
        limits = Limits(stalled=10, silent=100, behind=20)
        self.health = Health(self.queue, clock=lambda: self.now, limits=limits)


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_an_idle_operator_is_alive(setting: Setting) -> None:
    setting.now += 1_000_000
    assert setting.health.alive() is None


async def test_a_key_that_is_handled_too_long_is_named(setting: Setting) -> None:
    setting.queue.add("web/shop")
    await setting.queue.get()
    setting.now += 10
    assert setting.health.alive() is None
    setting.now += 1
    assert setting.health.alive() == "web/shop is being reconciled for 11 s; limit 10 s"


def test_a_key_that_nobody_takes_is_a_stall(setting: Setting) -> None:
    setting.queue.add("web/shop")
    setting.now += 11
    assert setting.health.alive() == "a release waits for a worker for 11 s; limit 10 s"


def test_a_kind_that_was_not_heard_of_for_long_is_named(setting: Setting) -> None:
    setting.health.watches.saw("pods")
    setting.now += 60
    setting.health.watches.listed("pods")
    setting.now += 100
    assert setting.health.alive() is None
    setting.now += 1
    assert setting.health.alive() == (
        "nothing was heard of pods for 101 s, neither by watch nor by list; limit 100 s"
    )


def test_a_quiet_watch_is_not_taken_for_a_dead_one(setting: Setting) -> None:
    for _ in range(50):
        setting.health.watches.listed("pods", news=False)
        setting.now += 60
        assert setting.health.alive() is None


def test_a_watch_that_does_not_deliver_what_a_list_found_is_dead(setting: Setting) -> None:
    setting.health.watches.listed("pods", news=True)
    setting.now += 15
    setting.health.watches.listed("pods", news=True)
    setting.now += 6
    assert setting.health.alive() == (
        "the watch of pods is dead: it delivered nothing for 21 s although a list found "
        "changes; limit 20 s"
    )


def test_a_watch_that_delivers_late_is_alive(setting: Setting) -> None:
    setting.health.watches.listed("pods", news=True)
    setting.now += 1
    setting.health.watches.saw("pods")
    setting.now += 60
    assert setting.health.alive() is None


def test_nobody_asks_for_traffic_before_the_cluster_was_read(setting: Setting) -> None:
    setting.health.watches.running = True
    assert setting.health.ready() == "the cluster is being read for the first time"
    setting.health.filled = True
    assert setting.health.ready() is None


def test_without_watches_it_is_not_ready(setting: Setting) -> None:
    setting.health.filled = True
    assert setting.health.ready() == "nothing is watched: what changes is not seen"


def test_with_a_dead_watch_it_is_not_ready(setting: Setting) -> None:
    setting.health.filled = True
    setting.health.watches.running = True
    setting.health.watches.listed("pods", news=True)
    setting.now += 21
    assert setting.health.ready() == setting.health.alive() is not None


def test_who_stands_by_is_ready_and_alive(setting: Setting) -> None:
    setting.health.standby = True
    setting.health.watches.saw("pods")
    setting.now += 1000
    assert setting.health.ready() is None
    assert setting.health.alive() is None
