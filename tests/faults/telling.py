"""Has tales told, and reads what came of them from the calls that were seen."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from demo.kube import Kube
from demo.manifests import REVISION_LABEL
from tests.faults.proxy import Seen
from tests.faults.stage import NAME, Sight, Stage
from tests.faults.tale import Tale
from tests.waiting import comes_true

PATIENCE: Final = 240.0
# To look at everything costs the API server something.
PAUSE: Final = 1.0
# In the place of a revision, where more than one has a share.
SHARED: Final = "shared"


def told(
    stage: Stage,
    tales: Sequence[Tale],
    ended: Callable[[Tale], bool] = lambda tale: tale.ended,
    tend: Callable[[], None] = lambda: None,
) -> dict[str, Sight]:
    """Have the tales go on until each has ended, or patience has; `tend` is called often."""
    sights: dict[str, Sight] = {}

    def all_ended() -> bool:
        tend()
        seen = stage.look()
        for tale in tales:
            sights[tale.namespace] = seen.get(tale.namespace, Sight())
            tale.go_on(sights[tale.namespace])
        return all(ended(tale) for tale in tales)

    comes_true(all_ended, PATIENCE, PAUSE)
    return sights


def writes_in(seen: Sequence[Seen], namespace: str) -> list[str]:
    """The writes about a release, in their order."""
    return [str(item.call) for item in seen if item.call.write and item.call.namespace == namespace]


def routes(seen: Sequence[Seen], namespace: str) -> list[str]:
    """Where the Service of a release was pointed, one after another, repetitions left out."""
    found: list[str] = []
    for item in seen:
        call = item.call
        if call.write and (call.namespace, call.plural, call.name) == (namespace, "services", NAME):
            target = _target(item.body)
            if target and target not in found[-1:]:
                found.append(target)
    return found


def _target(service: Mapping[str, Any]) -> str | None:
    selector = service.get("spec", {}).get("selector")
    return None if selector is None else selector.get(REVISION_LABEL, SHARED)


def events_of(kube: Kube, namespace: str) -> Counter[str]:
    """How often each thing was told of a release."""
    found = kube.list("Event", namespace)
    ours = (item for item in found if item["involvedObject"]["kind"] == "ImmutableRelease")
    return Counter(item["reason"] for item in ours)
