"""What lasts for a moment only is waited for in a way that does not miss it."""

from collections.abc import Iterator

import pytest

from demo.errors import Unmet
from demo.kube import Kube, Object
from demo.releases import ReleaseView

MOMENT = 60.0


class Passing(Kube):
    """A release that passes through states, each gone before anybody looks again."""

    def __init__(self, *steps: int, phase: str = "Starting") -> None:
        self._steps = steps
        self._phase = phase

    def watch(self, kind: str, namespace: str, seconds: float) -> Iterator[Object]:
        """All of them, among those of another release."""
        for index in self._steps:
            for name in ("other", "shop"):
                step = {"index": index if name == "shop" else 7}
                yield {"metadata": {"name": name}, "status": {"step": step}}

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """What is left at the end."""
        return {"metadata": {"name": name}, "status": {"phase": "Active"}}

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """A revision."""
        spec: Object = {"release": "shop", "number": 1, "images": []}
        return {"metadata": {"name": name}, "spec": spec, "status": {"phase": self._phase}}

    def list(self, kind: str, namespace: str | None = None, labels: str = "") -> list[Object]:
        """No revision to tell of."""
        return []


def _at(step: int, release: Object) -> Object | None:
    found: Object = release["status"]["step"]
    return found if found["index"] == step else None


def test_a_state_that_has_passed_by_the_next_look_was_seen() -> None:
    release = ReleaseView(Passing(1, 2, 3), "web", "shop")
    assert release.await_seen("step 2", lambda found: _at(2, found), MOMENT) == {"index": 2}


def test_a_state_that_never_was_is_told_with_what_is() -> None:
    release = ReleaseView(Passing(1, 2, 3), "web", "shop")
    with pytest.raises(Unmet, match=r"step 7 within 60 s.*shop Active"):
        release.await_seen("step 7", lambda found: _at(7, found), MOMENT)


@pytest.mark.parametrize("phase", ["Starting", "Testing", "Active"])
def test_what_was_begun_may_be_further_by_now(phase: str) -> None:
    release = ReleaseView(Passing(phase=phase), "web", "shop")
    assert release.await_begun("shop-1", MOMENT).phase == phase
