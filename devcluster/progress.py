"""Short aligned lines about long work, on standard error.

On a terminal a running step shows its seconds in place; elsewhere (a log, CI) it is one line when
it starts and one when it is done.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_WIDTH = 26
_TICK = 1.0


def say(subject: str, what: str) -> None:
    """One finished line: the subject in a column of its own."""
    print(f"{subject:<{_WIDTH}}{what}", file=sys.stderr, flush=True)


@contextmanager
def step(subject: str, doing: str) -> Iterator[None]:
    """Show that `doing` runs, and how long it took once it is done."""
    started = time.monotonic()
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(subject, doing, started, done), daemon=True)
    if sys.stderr.isatty():
        ticker.start()
    else:
        say(subject, f"{doing} ...")
    ended = "failed after"
    try:
        yield
        ended = "done in"
    finally:
        done.set()
        if ticker.is_alive():
            ticker.join()
        start = "\r" if sys.stderr.isatty() else ""
        say(start + subject.ljust(_WIDTH), f"{doing}  {ended} {_seconds(started)}")


def _tick(subject: str, doing: str, started: float, done: threading.Event) -> None:
    while not done.wait(_TICK):
        line = f"\r{subject:<{_WIDTH}}{doing} ... {_seconds(started)}"
        print(line, end="", file=sys.stderr, flush=True)


def _seconds(started: float) -> str:
    took = time.monotonic() - started
    return f"{took:.1f} s" if took < 10 else f"{took:.0f} s"
