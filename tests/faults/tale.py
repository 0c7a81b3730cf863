"""The life of a release that every fault and every crash must leave as it is.

A first version, a second one, a third that fails as soon as it serves and is left again; each is
applied once the one before has come to its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from demo.kube import Kube, Object
from tests.faults.stage import Sight, manifest

BLUE_GREEN: Final[Object] = {"blueGreen": {"promotion": "Automatic"}}


@dataclass(frozen=True)
class Chapter:
    """Something that is applied, and what it comes to."""

    version: str
    ended: Callable[[Sight], bool]
    sick: bool = False


def _reverted(sight: Sight) -> bool:
    failed = sight.of("v3").get("phase") == "Failed"
    # What was left has drained; what it went back to is all that runs.
    return failed and sight.good("v2") and sight.sizes() == {"v1": 0, "v2": 1, "v3": 0}


CHAPTERS: Final[Sequence[Chapter]] = (
    Chapter("v1", lambda sight: sight.good("v1")),
    Chapter("v2", lambda sight: sight.good("v2")),
    Chapter("v3", _reverted, sick=True),
)


class Tale:
    """One release on its way through the chapters."""

    def __init__(self, kube: Kube, namespace: str, strategy: Object) -> None:
        self.namespace = namespace
        self._kube = kube
        self._strategy = strategy
        self._told = 0

    @property
    def ended(self) -> bool:
        """Whether the last chapter has come to its end."""
        return self._told > len(CHAPTERS)

    def go_on(self, sight: Sight) -> None:
        """Apply what comes next if its time has come."""
        if self._told and not self.ended and not CHAPTERS[self._told - 1].ended(sight):
            return
        if self._told < len(CHAPTERS):
            chapter = CHAPTERS[self._told]
            self._kube.apply(
                manifest(self.namespace, chapter.version, self._strategy, sick=chapter.sick)
            )
        self._told = min(self._told + 1, len(CHAPTERS) + 1)
