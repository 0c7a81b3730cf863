"""Killed before any single write, or in the middle of every fault at once: the end is the same."""

import os
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .simulator import Faults, Operator
from .stories import Story, end, tell
from .storybook import (
    ASKED_IN_TURN,
    ASKED_LAST,
    ASKED_TOO_LATE,
    BY_HAND,
    GATEWAY,
    GATEWAY_CANARY,
    GATEWAY_REVERTED,
    ISTIO,
    ISTIO_CANARY,
    NEW_POLICIES,
    NOTHING_MEASURED,
    REVERTED_WARM,
    SEVERAL_ACTIONS,
    SHARED_DEPENDENCY,
    SILENT_SERVER,
    STORIES,
    TURNS_BAD,
)

# It matters to the second when something is asked for, or breaks.
TIMED = (
    ASKED_IN_TURN,
    ASKED_LAST,
    ASKED_TOO_LATE,
    NEW_POLICIES,
    NOTHING_MEASURED,
    SEVERAL_ACTIONS,
    SHARED_DEPENDENCY,
    SILENT_SERVER,
    TURNS_BAD,
)
UNTIMED = [story for story in STORIES if story not in TIMED]

# Killed before every single write each time; in the others before every one in long runs only.
CENTRAL = (REVERTED_WARM, BY_HAND, SEVERAL_ACTIONS)
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"

ROUGH = Faults(lose=0.1, delay=0.3, repeat=0.2, fail=0.1, lose_answer=0.1, crash=0.1)


def _killed(write: int, operator: Operator) -> None:
    operator.kill_before = write


def _killed_between(write: int, operator: Operator) -> None:
    operator.kill_between = write


@pytest.mark.parametrize(
    "story",
    [GATEWAY, GATEWAY_CANARY, GATEWAY_REVERTED, ISTIO, ISTIO_CANARY],
    ids=lambda story: story.name,
)
def test_killed_between_httproute_and_service_it_comes_to_the_same_end(story: Story) -> None:
    told = tell(story)
    moved = 0
    for write in range(told.writes):
        operator = tell(story, partial(_killed_between, write))
        assert end(operator) == end(told), f"killed in the middle of write {write}"
        moved += operator.kill_between is None
    assert moved >= 3, "each write of an HTTPRoute was cut off once"


@pytest.mark.parametrize(
    "story", [*UNTIMED, SEVERAL_ACTIONS, SHARED_DEPENDENCY], ids=lambda story: story.name
)
def test_killed_before_any_write_it_comes_to_the_same_end(story: Story) -> None:
    told = tell(story)
    expected = end(told)
    step = 1 if LONG or story in CENTRAL else 4
    for write in range(0, told.writes, step):
        operator = tell(story, partial(_killed, write))
        assert end(operator) == expected, f"killed before write {write}"


@settings(
    max_examples=200 if LONG else 8,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(story=st.sampled_from(UNTIMED), seed=st.integers(0, 2**16))
def test_whatever_goes_wrong_between_it_comes_to_the_same_end(story: Story, seed: int) -> None:
    expected = end(tell(story))
    operator = tell(story, lambda operator: setattr(operator, "faults", ROUGH), seed=seed)
    operator.faults = Faults()
    assert end(operator) == expected


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_at_the_end_nothing_is_written_any_more(story: Story) -> None:
    operator = tell(story)
    for _ in range(90):
        operator.cluster.tick()
        operator.tick()
    writes, events = operator.writes, list(operator.events)
    for _ in range(300):
        operator.cluster.tick()
        operator.tick()
    assert (operator.writes, operator.events) == (writes, events)
