"""What was made of something, kept for as long as that is what it was.

Most objects of a release are the same from one decision to the next, and reading them anew costs
more than the decision.

Rules:
- An answer is for the state that is asked about, never for an earlier one.
- Only so many are kept; what was not asked for longest goes first.
- All who ask get the same thing: it must be immutable, or be changed by nobody.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """One answer for each name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, tuple[object, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, name: Hashable, state: object, make: Callable[[], T]) -> T:
        """The answer for that name in that state; states that are equal mean the same answer."""
        known = self._known.get(name)
        if known is None or known[0] != state:
            known = (state, make())
            self._known[name] = known
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return known[1]
