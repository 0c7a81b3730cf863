"""Killed before and after every single write, the operator ends where it would have ended."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from demo.kube import Kube
from demo.operator_process import OperatorProcess, write_kubeconfig
from tests.faults.authority import authority
from tests.faults.background import Background
from tests.faults.conftest import LOGS
from tests.faults.crashes import Cuts, Point
from tests.faults.proxy import Proxy
from tests.faults.stage import Stage
from tests.faults.tale import TALES, Tale
from tests.faults.telling import events_of, routes, told, writes_in

# The load is spread: a part of the tales goes on while the next one is being cut off.
GROUPS = 3
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


@dataclass(frozen=True)
class Disturbed:
    """A tale that was cut off at a point and went on with another process."""

    point: Point
    tale: Tale
    end: Mapping[str, Any]
    routes: list[str]
    events: Counter[str]
    # The write at which it was cut off, if it came to that.
    cut: str | None


@dataclass(frozen=True)
class Told:
    """What came of all tales, by name."""

    undisturbed: Mapping[str, Undisturbed]
    disturbed: Mapping[str, Sequence[Disturbed]]


@pytest.fixture(scope="module")
def all_told(
    kube: Kube,
    stage: Stage,
    background: Background,
    namespaces: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Told]:
    """Every tale undisturbed, and then at once all of them with one kill at each point."""
    proxy = Proxy(background, kube.server, authority())
    kubeconfig = write_kubeconfig(
        kube, tmp_path_factory.mktemp("operator") / "kubeconfig", proxy.url
    )
    operator = OperatorProcess(kubeconfig, LOGS / "crashes.log")
    try:
        operator.start()
        undisturbed = tell_undisturbed(kube, stage, proxy, namespaces)
        yield Told(undisturbed, tell(kube, stage, proxy, namespaces, operator, undisturbed))
    finally:
        operator.kill()
        proxy.close()


def tell_undisturbed(
    kube: Kube, stage: Stage, proxy: Proxy, namespaces: Callable[[], str]
) -> dict[str, Undisturbed]:
    """Each tale told once, to learn of its writes and of its end."""
    begun: dict[str, int] = {}

    def begin(namespace: str) -> None:
        begun[namespace] = len(proxy.seen)

    tales = {name: Tale(kube, namespaces(), tale, begin) for name, tale in TALES.items()}
    sights = told(stage, list(tales.values()))
    assert [name for name, tale in tales.items() if not tale.ended] == []
    return {
        name: Undisturbed(
            writes_in(proxy.seen[begun[tale.namespace] :], tale.namespace),
            sights[tale.namespace].end(),
            routes(proxy.seen, tale.namespace),
            events_of(kube, tale.namespace),
        )
        for name, tale in tales.items()
    }


def tell(
    kube: Kube,
    stage: Stage,
    proxy: Proxy,
    namespaces: Callable[[], str],
    operator: OperatorProcess,
    undisturbed: Mapping[str, Undisturbed],
) -> dict[str, list[Disturbed]]:
    """Tales that are cut off, one for each point, and go on beside the next ones that are."""
    points = [
        (name, point) for name, tale in undisturbed.items() for point in points_of(tale.writes)
    ]
    cuts = Cuts()
    proxy.plan = cuts
    disturbed: dict[str, list[Disturbed]] = {}
    going_on: list[tuple[str, Point, Tale]] = []
    for group in (*(points[start::GROUPS] for start in range(GROUPS)), []):
        begun = []
        for name, point in group:
            cut_off = partial(cuts.cut_off, point=point)
            begun.append((name, point, Tale(kube, namespaces(), TALES[name], cut_off)))
        # How often a status is written depends on what is seen at once: some points never come.
        sights = told(
            stage,
            [tale for _, _, tale in (*going_on, *begun)],
            lambda tale: tale.ended or cuts.holds(tale.namespace),
            partial(start_again, operator),
        )
        for name, point, tale in going_on:
            found = Disturbed(
                point,
                tale,
                sights[tale.namespace].end(),
                routes(proxy.seen, tale.namespace),
                events_of(kube, tale.namespace),
                cuts.off.get(tale.namespace),
            )
            disturbed.setdefault(name, []).append(found)
        if begun:
            operator.kill()
            cuts.heal()
            operator.start()
        going_on = begun
    return disturbed


def start_again(operator: OperatorProcess) -> None:
    """Play the kubelet: a process that loses its lease, because all is too slow, ends."""
    if not operator.alive:
        operator.launch()


def points_of(writes: Sequence[str]) -> list[Point]:
    """Before the first write and after each; after one is, for the cluster, before the next."""
    times: Counter[str] = Counter()
    points = [Point(writes[0], 1, done=False)]
    for write in writes:
        times[write] += 1
        points.append(Point(write, times[write], done=True))
    return points


@pytest.mark.parametrize("name", TALES)
def test_killed_at_any_write_it_comes_to_the_same_end(all_told: Told, name: str) -> None:
    """Nothing of the crash is left: not in what there is, and not in how it came about."""
    wanted = all_told.undisturbed[name]
    for found in all_told.disturbed[name]:
        where = f"{found.point}, in {found.tale.namespace}"
        assert found.end == wanted.end, where
        # One revert, and no other detour.
        assert found.routes == wanted.routes, where
        excess = found.events - wanted.events
        assert all(count <= REPEATED_EVENTS for count in excess.values()), (where, excess)


@pytest.mark.parametrize("name", TALES)
def test_each_kind_of_write_was_cut_off(all_told: Told, name: str) -> None:
    cut = {found.cut for found in all_told.disturbed[name]}
    assert cut >= set(all_told.undisturbed[name].writes)
