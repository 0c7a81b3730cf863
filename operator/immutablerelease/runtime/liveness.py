"""Whether the operator does its work, as one sentence that names what keeps it from doing it.

A process that answers is not a process that works, so that liveness looks at the queue and at the
watches. A blocked event loop needs no check of its own: it does not answer at all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .queue import WorkQueue


@dataclass(frozen=True)
class Limits:
    """How long is too long, in seconds."""

    # One reconcile, or one key that waits for a worker.
    stalled: float = 300.0
    # Neither an event nor a list of a kind. Longer than the pause between two resyncs.
    silent: float = 1800.0
    # A watch that did not deliver what a list found. Longer than kopf takes to reconnect.
    behind: float = 180.0


class Watches:
    """When each kind was last heard of.

    kopf hands on no bookmarks, so a quiet kind and a dead watch look alike. A list tells them
    apart: what it finds must have come by the watch, or come soon.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._heard: dict[str, float] = {}
        # Kinds of which a list found news that the watch has not delivered, since when.
        self._owed: dict[str, float] = {}
        # Set while there are watches.
        self.running = False

    def saw(self, kind: str) -> None:
        """The watch of the kind delivered something."""
        self._heard[kind] = self._clock()
        self._owed.pop(kind, None)

    def listed(self, kind: str, *, news: bool = False) -> None:
        """The kind was listed in full; `news` tells whether it held what the store had not."""
        self._heard[kind] = self._clock()
        if news:
            self._owed.setdefault(kind, self._clock())

    def trouble(self) -> str | None:
        """What is wrong with the watches, if anything."""
        now = self._clock()
        for kind, since in self._owed.items():
            if now - since > self._limits.behind:
                return (
                    f"the watch of {kind} is dead: it delivered nothing for {now - since:.0f} s "
                    f"although a list found changes; limit {self._limits.behind:g} s"
                )
        for kind, since in self._heard.items():
            if now - since > self._limits.silent:
                return (
                    f"nothing was heard of {kind} for {now - since:.0f} s, neither by watch nor "
                    f"by list; limit {self._limits.silent:g} s"
                )
        return None


class Health:
    """Answers of the probes: None is well, a sentence is not."""

    def __init__(
        self,
        queue: WorkQueue[Any],
        *,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = Limits(),
    ) -> None:
        self.watches = Watches(clock=clock, limits=limits)
        # Set once everything was listed.
        self.filled = False
        # Set while another process leads: there is nothing to do and all is ready to do it.
        self.standby = False
        self._queue = queue
        self._limit = limits.stalled

    def alive(self) -> str | None:
        """Why the process should be restarted, if it should."""
        if self.standby:
            return None
        for key, age in self._queue.processing_ages.items():
            if age > self._limit:
                return f"{key} is being reconciled for {age:.0f} s; limit {self._limit:g} s"
        if (age := self._queue.oldest_age) > self._limit:
            return f"a release waits for a worker for {age:.0f} s; limit {self._limit:g} s"
        return self.watches.trouble()

    def ready(self) -> str | None:
        """Why the process is not ready, if it is not."""
        if self.standby:
            return None
        if not self.filled:
            return "the cluster is being read for the first time"
        if not self.watches.running:
            return "nothing is watched: what changes is not seen"
        return self.watches.trouble()
