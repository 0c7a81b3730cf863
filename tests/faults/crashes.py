"""Cuts a release off from its operator at one write, which is how a crash looks to the cluster.

A cluster sees of an operator nothing but its calls. Cut off before its n-th write, or after it and
before its answer, a release is where a crash at that very moment leaves it. So one process can be
killed at a different write of each of many releases: each is cut off at its own one, and once all
are, the process is killed. What it made of the refusals in between dies with it.
"""

from collections import Counter
from collections.abc import Mapping
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

    def __init__(self, points: Mapping[str, Point]) -> None:
        self._points = points
        self._writes: Counter[tuple[str, str]] = Counter()
        self._watched: set[str] = set()
        # The writes at which namespaces were cut off.
        self.off: dict[str, str] = {}

    def watch(self, namespace: str) -> None:
        """Count its writes from now on."""
        self._watched.add(namespace)

    def __call__(self, call: Call) -> Fault | None:
        """Nothing passes from or to a namespace that is cut off."""
        if call.namespace in self.off:
            return Refused(403)
        if call.namespace not in self._watched or not call.write:
            return None
        point = self._points[call.namespace]
        self._writes[call.namespace, str(call)] += 1
        if self._writes[call.namespace, point.write] < point.time:
            return None
        self.off[call.namespace] = str(call)
        return DoneButRefused(403) if point.done else Refused(403)
