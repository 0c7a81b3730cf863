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
    """A moment of a release's life: the n-th time, counted from 1, that something is written."""

    write: str
    time: int
    # Whether the API server did it.
    done: bool


class Cuts:
    """The plan that cuts every namespace off at its own point."""

    def __init__(self) -> None:
        self._points: dict[str, Point] = {}
        self._writes: Counter[tuple[str, str]] = Counter()
        # The writes at which namespaces were cut off.
        self.off: dict[str, str] = {}
        self._whole: set[str] = set()

    def holds(self, namespace: str) -> bool:
        """Whether it is cut off at this moment."""
        return namespace in self.off and namespace not in self._whole

    def heal(self) -> None:
        """From now on everything passes to and from the namespaces that are cut off."""
        self._whole.update(self.off)

    def cut_off(self, namespace: str, point: Point) -> None:
        """Count its writes from now on, and cut it off at that one."""
        self._points[namespace] = point

    def __call__(self, call: Call) -> Fault | None:
        """Nothing passes from or to a namespace that is cut off."""
        if self.holds(call.namespace):
            return Refused(403)
        if call.namespace in self.off:
            return None
        point = self._points.get(call.namespace)
        if point is None or not call.write:
            return None
        self._writes[call.namespace, str(call)] += 1
        if self._writes[call.namespace, point.write] < point.time:
            return None
        self.off[call.namespace] = str(call)
        return DoneButRefused(403) if point.done else Refused(403)
