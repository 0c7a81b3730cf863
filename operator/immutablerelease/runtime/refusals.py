"""What the API server refuses to take, and when each is tried again.

A quota, a permission, a limit of size or somebody's policy is in the way: somebody has to see it
and lift it, and nobody tells when that was done. So it is tried again, ever more
rarely up to a bound.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .key import Key

# Seconds until the first repetition.
FIRST_PAUSE = 1.0


@dataclass(frozen=True)
class _Refusal:
    name: str
    message: str
    pause: float
    until: float


class Refusals:
    """What was refused of each release: one thing of a kind, while it is not taken."""

    def __init__(self, clock: Callable[[], float], longest: float) -> None:
        """`clock` is in monotonic seconds, `longest` the seconds that any repetition waits."""
        self._clock = clock
        self._longest = longest
        self._refused: dict[Key, _Refusal] = {}

    def refused(self, key: Key, name: str, message: str) -> None:
        """It was refused."""
        last = self._refused.get(key)
        again = last is not None and last.name == name
        pause = min(2 * last.pause, self._longest) if last and again else FIRST_PAUSE
        self._refused[key] = _Refusal(name, message, pause, self._clock() + pause)

    def held(self, key: Key) -> Mapping[str, str]:
        """By name, why it was not taken; nothing once it is to be tried again."""
        refusal = self._refused.get(key)
        return {refusal.name: refusal.message} if refusal is not None and self.left(key) else {}

    def lasting(self, key: Key) -> Mapping[str, str]:
        """By name, why it is not taken; once is not enough, it may have been a moment's trouble."""
        refusal = self._refused.get(key)
        lasts = refusal is not None and refusal.pause > FIRST_PAUSE
        return {refusal.name: refusal.message} if refusal is not None and lasts else {}

    def left(self, key: Key) -> float:
        """Seconds until it is to be tried again; 0 when it is, or was never refused."""
        refusal = self._refused.get(key)
        return 0.0 if refusal is None else max(0.0, refusal.until - self._clock())

    def forget(self, key: Key) -> None:
        """It was taken, or is not wanted any more."""
        self._refused.pop(key, None)
