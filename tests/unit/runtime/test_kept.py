"""A memory that never answers for another state, and never grows beyond its bound."""

import pytest

from immutablerelease.runtime.kept import Kept


class Made:
    """Counts what was made."""

    def __init__(self, kept: Kept[str]) -> None:
        self.kept = kept
        self.states: list[object] = []

    def ask(self, name: str, state: object) -> str:
        def make() -> str:
            self.states.append(state)
            return f"{name} in state {state}"

        return self.kept.of(name, state, make)


def test_the_same_state_is_answered_from_memory() -> None:
    made = Made(Kept(2))
    assert [made.ask("a", 1) for _ in range(3)] == ["a in state 1"] * 3
    assert made.states == [1]


def test_another_state_is_never_answered_from_memory_not_even_an_earlier_one() -> None:
    made = Made(Kept(2))
    assert [made.ask("a", state) for state in (1, 2, 1)] == [
        "a in state 1",
        "a in state 2",
        "a in state 1",
    ]


def test_what_failed_is_made_again() -> None:
    kept: Kept[int] = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.of("a", 1, lambda: 1 // 0)
    assert kept.of("a", 1, lambda: 3) == 3


def test_what_was_not_asked_for_longest_goes_first() -> None:
    made = Made(Kept(2))
    for name in ("a", "b", "a", "c", "a"):
        made.ask(name, name)
    assert made.states == ["a", "b", "c"]
    made.ask("b", "b")
    assert made.states == ["a", "b", "c", "b"]
    assert len(made.kept) == 2
