"""Revisions that the API server refuses to record, and when each is tried again.

A quota, a permission or a limit of size is in the way: somebody has to see it and lift it, and
nobody tells when that was done. So it is tried again, ever more rarely.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .key import Key

# Seconds until the first repetition, and the longest that any waits.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0


@dataclass(frozen=True)
class _Refusal:
    revision: str
    message: str
    pause: float
    until: float


class Recording:
    """What was refused of each release, while it is not tried again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is in monotonic seconds."""
        self._clock = clock
        self._refused: dict[Key, _Refusal] = {}

    def refused(self, key: Key, revision: str, message: str) -> float:
        """It was refused; seconds until it is to be tried again."""
        last = self._refused.get(key)
        again = last is not None and last.revision == revision
        pause = min(2 * last.pause, LONGEST_PAUSE) if last and again else FIRST_PAUSE
        self._refused[key] = _Refusal(revision, message, pause, self._clock() + pause)
        return pause

    def refusals(self, key: Key) -> Mapping[str, str]:
        """By revision, why it cannot be recorded; nothing once it is to be tried again."""
        refusal = self._refused.get(key)
        if refusal is None or refusal.until <= self._clock():
            return {}
        return {refusal.revision: refusal.message}

    def forget(self, key: Key) -> None:
        """It was recorded, or is not wanted any more."""
        self._refused.pop(key, None)
