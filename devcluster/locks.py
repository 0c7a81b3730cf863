"""One at a time: across processes, and said when it means waiting."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.progress import say


@contextmanager
def only_one(path: Path, subject: str) -> Iterator[None]:
    """Hold the lock file; the kernel frees it with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(subject, "waiting for another run of devcluster to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
