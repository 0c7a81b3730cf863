"""Every invariant can be broken, and is missed when it is: a test that cannot fail proves nothing.

Each breakage of the core is in force while one story is told, undisturbed and, where that goes
well, killed before each of its writes; it must end in a breach or in another end than it should.
"""

from functools import cache, partial
from itertools import product

import pytest

from .breakages import BREAKAGES, Breakage, broken
from .invariants import Breach
from .simulator import Operator
from .stories import Story, end, tell
from .storybook import FORGED, NOBODY_HOME, REPLACED


@cache
def _told(story: Story) -> tuple[object, int]:
    operator = tell(story)
    return end(operator), operator.writes


def _goes_wrong(story: Story) -> bool:
    expected, writes = _told(story)
    try:
        if end(tell(story, thorough=True)) != expected:
            return True
        for write, kill in product(range(writes), (_kill, _kill_between)):
            if end(tell(story, partial(kill, write))) != expected:
                return True
    except Breach:
        return True
    return False


def _kill(write: int, operator: Operator) -> None:
    operator.kill_before = write


def _kill_between(write: int, operator: Operator) -> None:
    operator.kill_between = write


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_a_breakage_is_caught(breakage: Breakage) -> None:
    _told(breakage.story)
    with broken(breakage):
        assert _goes_wrong(breakage.story), f"invariant {breakage.invariant} can be broken unseen"


def test_each_invariant_is_broken_once() -> None:
    assert {breakage.invariant for breakage in BREAKAGES} == set(range(1, 10))


def test_without_the_live_read_traffic_goes_where_nothing_is_ready() -> None:
    with pytest.raises(Breach, match=r"invariant 1: .* has no ready Pod"):
        tell(NOBODY_HOME, lambda operator: setattr(operator, "live_read", False))


@pytest.mark.parametrize("story", [FORGED, REPLACED], ids=lambda story: story.name)
def test_what_is_whole_is_not_caught(story: Story) -> None:
    assert not _goes_wrong(story)
