"""Waiting for what comes true by itself, in clusters that take their time."""

import time
from collections.abc import Callable

PAUSE = 0.2


def eventually(true: Callable[[], bool], what: str, within: float = 60) -> None:
    """Poll until something holds."""
    assert comes_true(true, within), f"not within {within} s: {what}"


def comes_true(true: Callable[[], bool], within: float, pause: float = PAUSE) -> bool:
    """Poll until something holds, or its time is over; whether it holds."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
