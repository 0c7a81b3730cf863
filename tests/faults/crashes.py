"""Cuts a release off from its operator at one write, which is how a crash looks to the cluster.

A cluster sees of an operator nothing but its calls. Cut off before its n-th write, or after it and
before its answer, a release is where a crash at that very moment leaves it. So one process can be
killed at a different write of each of many releases: each is cut off at its own one, and once all
are, the process is killed. What it made of the refusals in between dies with it.
"""

from collections import Counter
from dataclasses import dataclass

from tests.faults.faults import DoneButRefused, Refused
from tests.faults.proxy import Call, Fault


@dataclass(frozen=True)
class Point:
    """A moment of a release's life: its n-th write, counted from 1."""

    write: int
    # Whether the API server did it.
    done: bool


class Cuts:
    """The plan that cuts every namespace off at its own point."""

    def __init__(self, points: dict[str, Point]) -> None:
        self._points = points
        self._writes: Counter[str] = Counter()
        # The writes at which namespaces were cut off.
        self.off: dict[str, str] = {}

    def __call__(self, call: Call) -> Fault | None:
        """Nothing passes from or to a namespace that is cut off."""
        if call.namespace in self.off:
            return Refused(403)
        point = self._points.get(call.namespace)
        if point is None or not call.write:
            return None
        self._writes[call.namespace] += 1
        if self._writes[call.namespace] < point.write:
            return None
        self.off[call.namespace] = str(call)
        return DoneButRefused(403) if point.done else Refused(403)
