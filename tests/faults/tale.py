"""The lives of a release that every fault and every crash must leave as they are.

A life is told in chapters: each is applied once the one before has come to its end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from demo.kube import Kube, Object
from tests.faults.stage import Sight, manifest

BLUE_GREEN: Final[Object] = {"blueGreen": {"promotion": "Automatic"}}
CANARY: Final[Object] = {"canary": {"steps": [{"weight": 50, "hold": "1s"}]}}


@dataclass(frozen=True)
class Chapter:
    """A version that is applied, and what it comes to."""

    version: str
    ended: Callable[[Sight], bool]
    # Fails as soon as it serves.
    sick: bool = False


def _good(version: str) -> Callable[[Sight], bool]:
    return lambda sight: sight.good(version)


def _alone(version: str) -> Callable[[Sight], bool]:
    """Whether it serves, and whatever it took the traffic from has drained and is at zero."""

    def ended(sight: Sight) -> bool:
        sizes = sight.sizes()
        return sight.good(version) and sizes == {name: int(name == version) for name in sizes}

    return ended


def _left(version: str, target: str) -> Callable[[Sight], bool]:
    """Whether a version has failed and all is as it was before."""
    alone = _alone(target)
    return lambda sight: sight.of(version).get("phase") == "Failed" and alone(sight)


_FIRST: Final = Chapter("v1", _good("v1"))

# What happens in the last chapter.
TALES: Final[Mapping[str, Sequence[Chapter]]] = {
    "first release": (_FIRST,),
    "promotion": (_FIRST, Chapter("v2", _alone("v2"))),
    "revert": (_FIRST, Chapter("v2", _left("v2", "v1"), sick=True)),
}
# All of it in one life.
WHOLE: Final[Sequence[Chapter]] = (
    _FIRST,
    Chapter("v2", _good("v2")),
    Chapter("v3", _left("v3", "v2"), sick=True),
)


class Tale:
    """One release on its way through the chapters."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        strategy: Object,
        chapters: Sequence[Chapter],
        at_the_last: Callable[[str], None] = lambda namespace: None,
    ) -> None:
        """`at_the_last` is told the namespace just before the last chapter is applied."""
        self.namespace = namespace
        self._kube = kube
        self._strategy = strategy
        self._chapters = chapters
        self._at_the_last = at_the_last
        self._applied = 0
        self.ended = False

    def go_on(self, sight: Sight) -> None:
        """Apply what comes next if its time has come."""
        if self.ended or (self._applied and not self._chapters[self._applied - 1].ended(sight)):
            return
        if self._applied == len(self._chapters):
            self.ended = True
            return
        chapter = self._chapters[self._applied]
        self._applied += 1
        if self._applied == len(self._chapters):
            self._at_the_last(self.namespace)
        self._kube.apply(
            manifest(self.namespace, chapter.version, self._strategy, sick=chapter.sick)
        )
