"""Waiting for what comes true by itself, in clusters that take their time."""

import time
from collections.abc import Callable

PAUSE = 0.2


def eventually(true: Callable[[], bool], what: str, within: float = 60) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(PAUSE)
