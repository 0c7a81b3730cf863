"""Processes that this package started, and only those.

A process is known by its pid, its start time and the machine's boot: a pid alone may have been
given to somebody else since. Each is the leader of its own session and writes to its own log.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devcluster.errors import TeardownError
from devcluster.files import write_json

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE_FIELD = 0
_START_TIME_FIELD = 19
_POLL = 0.02
# The mask of pending signals has the bit n-1 for the signal n.
_KILL_PENDING = 1 << (signal.SIGKILL - 1)


@dataclass(frozen=True)
class Record:
    """A process that was started, as it is kept on disk."""

    name: str
    pid: int
    start_time: int
    boot: str
    argv: list[str] = field(default_factory=list)

    @property
    def there(self) -> bool:
        """Whether this very process exists, if only to end in a moment."""
        return self.boot == boot_id() and start_time(self.pid) == self.start_time

    @property
    def alive(self) -> bool:
        """Whether this very process runs and goes on running."""
        return self.there and not _is_ending(self.pid)


def boot_id() -> str:
    """What tells this boot of the machine from others."""
    return _BOOT_ID.read_text().strip()


def start_time(pid: int) -> int | None:
    """The start time of a running process in clock ticks, None for one that is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold anything, so the fields are counted from its end.
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE_FIELD] in "ZX" and not _has_threads(pid):
        return None
    return int(fields[_START_TIME_FIELD])


def start(
    name: str,
    argv: list[str],
    *,
    log: Path,
    records: Path,
    environment: Mapping[str, str] | None = None,
) -> Record:
    """Start a process in the background and record it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    record = Record(name, process.pid, start_time(process.pid) or 0, boot_id(), argv)
    write_json(records / f"{name}.json", asdict(record))
    return record


def recorded(records: Path) -> dict[str, Record]:
    """All processes on record, by name."""
    found = {}
    for file in sorted(records.glob("*.json")):
        # A record that cannot be read was cut short by a crash: what it named is found by cgroup.
        with contextlib.suppress(ValueError, TypeError):
            record = Record(**json.loads(file.read_text()))
            found[record.name] = record
    return found


def kill(running: Iterable[Record]) -> None:
    """End the processes at once.

    Raises:
        TeardownError: one does not end, which only the kernel can explain.
    """
    condemned = [record for record in running if record.there]
    for record in condemned:
        _signal(record.pid, signal.SIGKILL)
    if not _gone(condemned, 10):
        names = ", ".join(f"{record.name} ({record.pid})" for record in condemned if record.there)
        raise TeardownError(f"These processes do not end even on SIGKILL: {names}.")


def seen(pids: Iterable[int]) -> list[Record]:
    """Records of processes found by other means than our own, without this one and its parents."""
    spared = _self_and_ancestors()
    times = {pid: start_time(pid) for pid in pids if pid not in spared}
    boot = boot_id()
    return [Record(name_of(pid), pid, at, boot) for pid, at in times.items() if at is not None]


def name_of(pid: int) -> str:
    """The command name of a process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"


def _is_ending(pid: int) -> bool:
    """Whether it was killed and has not got round to dying: the kernel takes a moment."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return True
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return status["State"].split()[0] in "ZX" or bool(pending & _KILL_PENDING)


def _has_threads(pid: int) -> bool:
    # A killed program's first thread is a zombie before the others end, and while one of them
    # lives its ports are still taken.
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except OSError:
        return False


def _gone(records: list[Record], within: float) -> bool:
    deadline = time.monotonic() + within
    while any(record.there for record in records):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _self_and_ancestors() -> set[int]:
    spared = set()
    pid = os.getpid()
    while pid > 0:
        spared.add(pid)
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            break
        pid = int(stat.rpartition(")")[2].split()[1])
    return spared
