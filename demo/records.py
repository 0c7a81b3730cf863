"""What the load client saw: its file of requests, read window by window.

A window holds every request sent between two times, without exception: it is complete only once all
earlier requests have been written down too, so that a request that hangs cannot be missed.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .errors import DemoError

# The client's own time limit, and time for it to write.
SETTLE = 5.0


class RecordsMissing(DemoError):
    """The load client did not write down what it sent."""


@dataclass(frozen=True)
class Record:
    """One request."""

    sequence: int
    sent: float
    millis: float
    outcome: str
    version: str

    @property
    def answered(self) -> float:
        """When its answer, or the lack of one, was known."""
        return self.sent + self.millis / 1000

    @property
    def failed(self) -> bool:
        """Anything but a whole answer with a status of the 2xx is a failure."""
        return not (self.outcome.isdigit() and self.outcome.startswith("2"))

    @classmethod
    def parse(cls, line: str) -> "Record":
        """From a line of the client's file."""
        sequence, sent, millis, outcome, version = line.rstrip("\n").split("\t")
        return cls(int(sequence), float(sent), float(millis), outcome, version)


# Thousands of records would hide what a failed test has to say.
@dataclass(frozen=True, repr=False)
class Window:
    """All requests sent in a span of time."""

    records: Sequence[Record]

    def __repr__(self) -> str:
        """What came of them, and when the first and the last one failed."""
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.items())
        if not self.failures:
            return f"<{counted or 'no requests'}>"
        first, last = (_clock(self.failures[index].sent) for index in (0, -1))
        return f"<{counted}; failed from {first} to {last}>"

    @property
    def requests(self) -> int:
        """How many were sent."""
        return len(self.records)

    @property
    def failures(self) -> Sequence[Record]:
        """Those that failed, in the order in which they were sent."""
        return [record for record in self.records if record.failed]

    @property
    def failed(self) -> int:
        """How many failed."""
        return len(self.failures)

    @property
    def outage(self) -> float:
        """Seconds from the first failed response to the last."""
        times = [record.answered for record in self.failures]
        return max(times) - min(times) if times else 0.0

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How often each outcome was seen."""
        return Counter(record.outcome for record in self.records)

    @property
    def versions(self) -> Sequence[str]:
        """Versions that answered, in the order of their first answer."""
        return list(dict.fromkeys(record.version for record in self.records if record.version))


def _clock(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%H:%M:%S.%f}"[:-3]


class Records:
    """Reads the client's file while it is being written; several threads may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._offset = 0
        # By sequence; None while the answer is open.
        self._slots: list[Record | None] = []
        # So many requests, from the first on, have all been answered.
        self._settled = 0

    def since(self, start: float) -> list[Record]:
        """What is known of requests sent since then, without waiting for open ones."""
        with self._lock:
            self._read()
            return self._since(start)

    def window(self, start: float, end: float) -> Window:
        """Every request sent in [start, end); waits until none of them is open any more."""
        deadline = time.monotonic() + max(0.0, end - time.time()) + SETTLE
        while not self._settled_until(end):
            if time.monotonic() > deadline:
                raise RecordsMissing(
                    f"the load client wrote {self._settled} records and then nothing for "
                    f"{SETTLE:.0f} s: it died or the machine stalled"
                )
            time.sleep(0.02)
        return Window([record for record in self.since(start) if record.sent < end])

    def _since(self, start: float) -> list[Record]:
        recent = []
        for record in reversed(self._slots):
            if record is not None and record.sent < start:
                break
            if record is not None:
                recent.append(record)
        return recent[::-1]

    def _settled_until(self, end: float) -> bool:
        with self._lock:
            self._read()
            last = self._slots[self._settled - 1] if self._settled else None
        return last is not None and last.sent >= end

    def _read(self) -> None:
        with self._path.open(encoding="ascii") as file:
            file.seek(self._offset)
            text = file.read()
        whole, separator, _ = text.rpartition("\n")
        self._offset += len(whole + separator)
        for line in whole.splitlines():
            record = Record.parse(line)
            self._slots.extend([None] * (record.sequence + 1 - len(self._slots)))
            self._slots[record.sequence] = record
        while self._settled < len(self._slots) and self._slots[self._settled] is not None:
            self._settled += 1
