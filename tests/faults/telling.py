"""Has tales told, and reads what came of them from the calls that were seen."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from demo.kube import Kube
from tests.faults.proxy import Seen
from tests.faults.stage import NAME, Sight, Stage
from tests.faults.tale import Tale

PATIENCE: Final = 150.0
PAUSE: Final = 1.0


def told(
    stage: Stage,
    tales: Sequence[Tale],
    ended: Callable[[], bool],
    tend: Callable[[], None] = lambda: None,
) -> dict[str, Sight]:
    """Have the tales go on until they have all ended, or stand still; `tend` is called often."""
    deadline = time.monotonic() + PATIENCE
    while True:
        tend()
        seen = stage.look()
        sights = {tale.namespace: seen.get(tale.namespace, Sight()) for tale in tales}
        for tale in tales:
            tale.go_on(sights[tale.namespace])
        if ended():
            return sights
        if time.monotonic() > deadline:
            return sights
        time.sleep(PAUSE)


def writes_in(seen: Sequence[Seen], namespace: str) -> list[str]:
    """The writes about a release, in their order."""
    return [str(item.call) for item in seen if item.call.write and item.call.namespace == namespace]


def routes(seen: Sequence[Seen], namespace: str) -> list[str]:
    """Where the Service of a release was pointed, one after another, repetitions left out."""
    found: list[str] = []
    for item in seen:
        call = item.call
        if call.write and (call.namespace, call.plural, call.name) == (namespace, "services", NAME):
            revision = _revision(item.body)
            if revision and revision not in found[-1:]:
                found.append(revision)
    return found


def _revision(service: Mapping[str, Any]) -> str | None:
    selector = service.get("spec", {}).get("selector") or {}
    found = selector.get("immutablerelease.io/revision")
    return None if found is None else str(found)


def events_of(kube: Kube, namespace: str) -> Counter[str]:
    """How often each thing was told of a release."""
    found = kube.list("Event", namespace)
    ours = (item for item in found if item["involvedObject"]["kind"] == "ImmutableRelease")
    return Counter(item["reason"] for item in ours)
