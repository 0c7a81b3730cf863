"""What the API server asked not to be asked again before a time, so that nobody does.

Whoever is told to wait may decide anew meanwhile, for an event or a probe, and would send the very
same request. Others are not held up: a move of traffic waits for no status.
"""

from collections.abc import Callable

# What a request does, and to what.
Key = tuple[str, str]


class Holds:
    """Until when which request is held back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is in monotonic seconds."""
        self._clock = clock
        self._until: dict[Key, float] = {}

    def hold(self, key: Key, seconds: float) -> None:
        """Hold it back for so long."""
        now = self._clock()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[key] = now + seconds

    def left(self, key: Key) -> float:
        """Seconds that it is still held back; 0 when it is not."""
        return max(0.0, self._until.get(key, 0.0) - self._clock())
