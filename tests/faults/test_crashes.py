"""Killed before and after every single write, the operator ends where it would have ended."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.kube import Kube, Object
from demo.operator_process import OperatorProcess
from tests.faults.conftest import LOGS
from tests.faults.crashes import Cuts, Point
from tests.faults.proxy import Proxy
from tests.faults.stage import Sight, Stage
from tests.faults.tale import BLUE_GREEN, CANARY, TALES, Tale
from tests.faults.telling import events_of, routes, told, writes_in

STRATEGIES: Mapping[str, Object] = {"blue-green": BLUE_GREEN, "canary": CANARY}
# An Event may be told once more by whoever does not know that it was told.
REPEATED_EVENTS = 1


@dataclass(frozen=True)
class Undisturbed:
    """How a tale goes when nobody is killed."""

    # In the last chapter.
    writes: list[str]
    end: Mapping[str, Any]
    routes: list[str]
    events: Counter[str]


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())
def test_killed_at_any_write_it_comes_to_the_same_end(
    kube: Kube,
    stage: Stage,
    proxy: Proxy,
    kubeconfig: Path,
    namespaces: Callable[[], str],
    strategy: Object,
) -> None:
    operator = OperatorProcess(kubeconfig, LOGS / "crashes.log")
    try:
        operator.start()
        wanted = undisturbed(kube, stage, proxy, namespaces, strategy)
        points = {
            namespaces(): (name, point)
            for name, tale in wanted.items()
            for point in points_of(tale.writes)
        }
        cuts = Cuts({namespace: point for namespace, (_, point) in points.items()})
        tales = [
            Tale(kube, namespace, strategy, TALES[name], cuts.watch)
            for namespace, (name, _) in points.items()
        ]
        proxy.plan = cuts
        # How often a status is written depends on what is seen at once: some points never come.
        told(stage, tales, lambda: all(t.ended or t.namespace in cuts.off for t in tales))
        operator.kill()
        proxy.plan = lambda call: None
        operator.start()
        ends = told(stage, tales, lambda: all(tale.ended for tale in tales))
    finally:
        operator.kill()
    for namespace, (name, point) in points.items():
        where = f"{name}, {point}"
        same(kube, proxy, namespace, ends[namespace], wanted[name], where)
    for name, tale in wanted.items():
        cut_off = {cuts.off.get(namespace) for namespace, (of, _) in points.items() if of == name}
        assert cut_off >= set(tale.writes), "each kind of write was cut off"


def undisturbed(
    kube: Kube, stage: Stage, proxy: Proxy, namespaces: Callable[[], str], strategy: Object
) -> dict[str, Undisturbed]:
    """Each tale told once, to learn of its writes and of its end."""
    begun: dict[str, int] = {}

    def begin(namespace: str) -> None:
        begun[namespace] = len(proxy.seen)

    tales = {
        name: Tale(kube, namespaces(), strategy, chapters, begin)
        for name, chapters in TALES.items()
    }
    sights = told(stage, list(tales.values()), lambda: all(t.ended for t in tales.values()))
    assert all(tale.ended for tale in tales.values())
    return {
        name: Undisturbed(
            writes_in(proxy.seen[begun[tale.namespace] :], tale.namespace),
            sights[tale.namespace].end(),
            routes(proxy.seen, tale.namespace),
            events_of(kube, tale.namespace),
        )
        for name, tale in tales.items()
    }


def points_of(writes: Sequence[str]) -> list[Point]:
    """Before the first write and after each; after one is, for the cluster, before the next."""
    times: Counter[str] = Counter()
    points = [Point(writes[0], 1, done=False)]
    for write in writes:
        times[write] += 1
        points.append(Point(write, times[write], done=True))
    return points


def same(
    kube: Kube, proxy: Proxy, namespace: str, end: Sight, wanted: Undisturbed, where: str
) -> None:
    """Nothing of the crash is left: not in what there is, and not in how it came about."""
    assert end.end() == wanted.end, where
    # One revert, and no other detour.
    assert routes(proxy.seen, namespace) == wanted.routes, where
    excess = events_of(kube, namespace) - wanted.events
    assert all(count <= REPEATED_EVENTS for count in excess.values()), (where, excess)
