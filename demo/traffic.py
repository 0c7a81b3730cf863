"""Users of the release: the load client as a process, and what it saw."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .child import Child
from .errors import DemoError
from .kube import wait_for
from .records import Record, Records, Window

Found = TypeVar("Found")

RATE = 200.0
# The newest answer is no older than this while the client is alive.
FRESH = 0.5


class Traffic:
    """Requests at a constant rate from the moment of its creation until `stop`."""

    def __init__(
        self,
        host: str,
        scratch: Path,
        port: int = 80,
        rate: float = RATE,
        keep_alive: float = 0.0,
        name: str = "",
    ) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        out = scratch / "requests.tsv"
        out.write_text("", encoding="utf-8")
        self._records = Records(out)
        self._log = scratch / "load.log"
        self._child = Child(
            [
                *(sys.executable, "-m", "demo.load", "--host", host, "--port", str(port)),
                *("--rate", str(rate), "--out", str(out)),
                *("--keep-alive", str(keep_alive), "--name", name),
            ],
            self._log,
            {},
        )
        self.began = time.time()

    def window(self, start: float, end: float | None = None) -> Window:
        """All requests sent since `start`, until now or `end`; waits for the last answers."""
        if not self._child.alive:
            raise DemoError(f"the load client has ended; see {self._log}")
        return self._records.window(start, time.time() if end is None else end)

    def since(self, start: float) -> list[Record]:
        """What is known right now of requests sent since then; some may still be open."""
        return self._records.since(start)

    def await_answers(self, seconds: float = 10.0) -> None:
        """Wait for the first answer: the client is up and somebody serves."""
        self._await(
            "a first answer",
            seconds,
            lambda: any(not item.failed for item in self.since(self.began)) or None,
        )

    def await_answer_of(self, version: str, seconds: float) -> None:
        """Wait for an answer by this version, from now on."""
        since = time.time()
        self._await(
            f"an answer by {version}",
            seconds,
            lambda: any(item.version == version for item in self.since(since)) or None,
        )

    def await_failure(self, since: float, seconds: float) -> Record:
        """Wait for the first request that fails; the client's word, not the operator's."""
        return self._await(
            "a failed request",
            seconds,
            lambda: next((item for item in self.since(since) if item.failed), None),
        )

    def await_calm(self, version: str, calm: float, seconds: float) -> None:
        """Wait for `calm` seconds, from now on, of nothing but answers by this version."""
        since = time.time()
        self._await(
            f"{calm:g} s of nothing but answers by {version}",
            seconds,
            lambda: self._calm(version, calm, since) or None,
        )

    def stop(self) -> None:
        """End it."""
        self._child.stop()

    def _calm(self, version: str, calm: float, since: float) -> bool:
        start = time.time() - calm
        recent = self.since(start)
        return (
            start >= since
            # A client that has stopped sees no failure either.
            and bool(recent)
            and recent[-1].sent > time.time() - FRESH
            and all(not item.failed and item.version == version for item in recent)
        )

    def _await(self, expected: str, seconds: float, look: Callable[[], Found | None]) -> Found:
        return wait_for(expected, lambda: (look(), self._last_second()), seconds, every=0.05)

    def _last_second(self) -> str:
        recent = self.since(time.time() - 1.0)
        answers = sorted({f"{item.outcome} {item.version}".strip() for item in recent})
        return f"{len(recent)} requests in the last second: {', '.join(answers) or 'none'}"
