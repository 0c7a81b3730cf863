"""The lives of a release that every fault and every crash must leave as they are.

A life is told in chapters: each is applied once the one before has come to its end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from demo.kube import Kube, Object
from tests.faults.stage import Sick, Sight, manifest

BLUE_GREEN: Final[Object] = {"blueGreen": {"promotion": "Automatic"}}
CANARY: Final[Object] = {"canary": {"steps": [{"weight": 50, "hold": "1s"}]}}
# A share that it keeps until something befalls it.
HELD: Final[Object] = {"canary": {"steps": [{"weight": 50, "hold": "1h"}]}}


@dataclass(frozen=True)
class Chapter:
    """A version that is applied, and what it comes to."""

    version: str
    ended: Callable[[Sight], bool]
    strategy: Object
    sick: Sick = Sick.NEVER

    def manifest(self, namespace: str) -> Object:
        """The release as it is applied; what falls sick never has the time to count as good."""
        bake = "1s" if self.sick is Sick.NEVER else "1h"
        return manifest(namespace, self.version, self.strategy, sick=self.sick, bake=bake)


def _good(version: str) -> Callable[[Sight], bool]:
    return lambda sight: sight.good(version)


def _alone(version: str) -> Callable[[Sight], bool]:
    """Whether it serves, and whatever it took the traffic from has drained and is gone."""

    def ended(sight: Sight) -> bool:
        sizes = sight.sizes()
        alone = sizes == {name: int(name == version) for name in sizes}
        # A Deployment at zero still has Pods for as long as its controller takes, and a sight is
        # no moment: of what was shrunk while it was taken the status may be from before.
        settled = not any(sight.of(name or "").get("phase") == "Superseded" for name in sizes)
        return sight.good(version) and alone and settled and sight.running() == {version: 1}

    return ended


def _left(version: str, target: str) -> Callable[[Sight], bool]:
    """Whether a version has failed and all is as it was before."""
    alone = _alone(target)
    return lambda sight: sight.of(version).get("phase") == "Failed" and alone(sight)


def _first(strategy: Object) -> Chapter:
    return Chapter("v1", _good("v1"), strategy)


def _promoted(strategy: Object) -> Sequence[Chapter]:
    return _first(strategy), Chapter("v2", _alone("v2"), strategy)


def _reverted(strategy: Object, sick: Sick) -> Sequence[Chapter]:
    return _first(strategy), Chapter("v2", _left("v2", "v1"), strategy, sick)


# By what happens in the last chapter. A first release takes no steps, whatever the strategy.
TALES: Final[Mapping[str, Sequence[Chapter]]] = {
    "first release": (_first(CANARY),),
    "blue-green promotion": _promoted(BLUE_GREEN),
    "blue-green revert": _reverted(BLUE_GREEN, Sick.WITH_ALL),
    "canary promotion": _promoted(CANARY),
    "canary revert": _reverted(CANARY, Sick.WITH_ALL),
    "canary that loses its share": _reverted(HELD, Sick.WITH_A_SHARE),
}
# All of it in one life.
WHOLE: Final[Sequence[Chapter]] = (
    _first(BLUE_GREEN),
    Chapter("v2", _good("v2"), BLUE_GREEN),
    Chapter("v3", _left("v3", "v2"), BLUE_GREEN, Sick.WITH_ALL),
)


class Tale:
    """One release on its way through the chapters."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        chapters: Sequence[Chapter],
        at_the_last: Callable[[str], None] = lambda namespace: None,
    ) -> None:
        """`at_the_last` is told the namespace just before the last chapter is applied."""
        self.namespace = namespace
        self._kube = kube
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
        self._kube.apply(chapter.manifest(self.namespace))
