"""Killed before and after every single write, the operator ends where it would have ended."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from demo.kube import Kube, Object
from demo.operator_process import OperatorProcess
from tests.faults.conftest import LOGS
from tests.faults.crashes import Cuts, Point
from tests.faults.proxy import Proxy
from tests.faults.stage import Stage
from tests.faults.tale import BLUE_GREEN, Tale
from tests.faults.telling import events_of, routes, told, writes_in

STRATEGIES: Mapping[str, Object] = {"blue-green": BLUE_GREEN}
# An Event may be told once more by whoever does not know that it was told.
REPEATED_EVENTS = 1


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
        undisturbed = Tale(kube, namespaces(), strategy)
        operator.start()
        ends = told(stage, [undisturbed], lambda: undisturbed.ended)
        wanted = ends[undisturbed.namespace].end()
        writes = writes_in(proxy.seen, undisturbed.namespace)
        events = events_of(kube, undisturbed.namespace)
        path = routes(proxy.seen, undisturbed.namespace)
        points = {namespaces(): point for point in points_of(len(writes))}
        cuts = Cuts(points)
        proxy.plan = cuts
        tales = [Tale(kube, namespace, strategy) for namespace in points]
        told(stage, tales, lambda: all(t.ended or t.namespace in cuts.off for t in tales))
        assert set(cuts.off) == set(points), "each release was cut off at its point"
        operator.kill()
        proxy.plan = lambda call: None
        operator.start()
        ends = told(stage, tales, lambda: all(t.ended for t in tales))
    finally:
        operator.kill()
    for namespace, point in points.items():
        where = f"{'after' if point.done else 'before'} write {point.write}, {cuts.off[namespace]}"
        assert ends[namespace].end() == wanted, where
        assert routes(proxy.seen, namespace) == path, where
        excess = events_of(kube, namespace) - events
        assert all(count <= REPEATED_EVENTS for count in excess.values()), (where, excess)
    assert set(cuts.off.values()) == set(writes)


def points_of(writes: int) -> list[Point]:
    """Before the first write and after each; after one is, for the cluster, before the next."""
    return [Point(1, done=False), *(Point(number + 1, done=True) for number in range(writes))]
