"""The live timeline: what the operator says of each revision, and what users get, as it happens."""

import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from .errors import DemoError
from .records import Record
from .releases import ReleaseView, RevisionView

EVERY = 0.25
WIDTH = 100


class Timeline:
    """Prints one line for each change; `start` and `stop` bound the watching."""

    def __init__(self, release: ReleaseView, label: Callable[[RevisionView], str]) -> None:
        self._release = release
        self._label = label
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._told: dict[str, tuple[str, str]] = {}
        self._users = Users()
        self._recent: Callable[[float], Sequence[Record]] | None = None
        self._out: TextIO = sys.stdout
        self._blind = False

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def follow(self, recent: Callable[[float], Sequence[Record]]) -> None:
        """Watch users too, from now on."""
        self._recent = recent

    def heading(self, text: str) -> None:
        """Begin a scene."""
        self._print(f"\n{self._clock()}  == {text}")

    def say(self, who: str, text: str) -> None:
        """One message, folded where it is long."""
        lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
        first = f"{self._clock()}  {who:<9} {lines[0]}"
        self._print("\n".join([first, *(f"{'':19}{line}" for line in lines[1:])]))

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:6.1f}s"

    def _print(self, text: str) -> None:
        with self._lock:
            print(text, file=self._out, flush=True)

    def _watch(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self._look()
                self._blind = False
            except (DemoError, OSError) as error:
                if not self._blind:
                    self.say("timeline", _shorten(f"could not look: {error}"))
                self._blind = True

    def _look(self) -> None:
        for revision in self._release.revisions():
            state = (revision.phase, revision.message)
            if self._told.get(revision.name) != state:
                self._told[revision.name] = state
                self.say(
                    self._label(revision), f"{revision.phase:<10} {_shorten(revision.message)}"
                )
        if self._recent is not None:
            for line in self._users.news(self._recent(time.time() - 4 * EVERY)):
                self.say("users", line)


class Users:
    """Turns records into news: who answers now, when failures began and ended."""

    def __init__(self) -> None:
        self._seen = -1
        self._version = ""
        self._failed = 0
        self._failing_since = 0.0
        self._last_failure = 0.0

    def news(self, records: Sequence[Record]) -> list[str]:
        """What changed with these records; those that were seen before are skipped."""
        lines: list[str] = []
        for record in records:
            if record.sequence <= self._seen:
                continue
            self._seen = record.sequence
            lines.extend(self._failure(record) if record.failed else self._answer(record))
        return lines

    def _failure(self, record: Record) -> list[str]:
        self._failed += 1
        self._last_failure = record.answered
        if self._failed > 1:
            return []
        self._failing_since = record.answered
        return [f"requests fail: {record.outcome} {record.version}".rstrip()]

    def _answer(self, record: Record) -> list[str]:
        lines = []
        # Answers come between failures as long as some Pods still serve.
        if self._failed and record.sent > self._last_failure + EVERY:
            seconds = self._last_failure - self._failing_since
            lines.append(
                f"served by {record.version} again; {self._failed} requests failed "
                f"within {seconds:.2f} s"
            )
            self._failed = 0
            self._version = record.version
        if record.version != self._version and not self._failed:
            self._version = record.version
            lines.append(f"served by {record.version}")
        return lines


def _shorten(text: str) -> str:
    """What fits on one line; the whole text is in the objects."""
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
