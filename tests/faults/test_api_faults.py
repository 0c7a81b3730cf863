"""Whatever the API server does to its calls, the operator ends where it would have ended.

All scenarios run at once, each in a namespace of its own with a process of its own behind a proxy
of its own; the tests then look at one each.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from demo.kube import Kube
from demo.operator_process import NAMESPACE, SERVICE_ACCOUNT, OperatorProcess, write_kubeconfig
from tests.faults.authority import authority
from tests.faults.background import Background
from tests.faults.conftest import LOGS
from tests.faults.proxy import Plan, Proxy, Seen
from tests.faults.scenarios import SCENARIOS
from tests.faults.stage import NAME, Stage
from tests.faults.tale import WHOLE, Tale
from tests.faults.telling import events_of, routes, told
from tests.waiting import comes_true

UNDISTURBED = "nothing"
# Calls of a scenario, at most, for one of the same life without faults. A loop without a pause
# makes thousands.
TIMES = 6
# A timer may be early by so much.
EARLY = 0.05
GONE_TIMEOUT = 60.0
# kopf ends on answers that make no sense, and the process with it; elsewhere none may end.
ENDING = {"half an answer", "watches too old", "watches that break", "everything"}
# A pause between two of them is the kubelet's business.
RESTARTS = 30


@dataclass
class Run:
    """What came of a scenario."""

    name: str
    tale: Tale
    proxy: Proxy
    operator: OperatorProcess
    end: Mapping[str, Any] = field(default_factory=dict)
    routes: list[str] = field(default_factory=list)
    events: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0
    gone: bool = False

    @property
    def seen(self) -> list[Seen]:
        """All calls."""
        return self.proxy.seen

    def tend(self) -> None:
        """Start the process again when it has ended, as the kubelet does."""
        if not self.operator.alive:
            self.restarts += 1
            self.operator.launch()


@pytest.fixture(scope="module")
def runs(
    kube: Kube,
    stage: Stage,
    background: Background,
    namespaces: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Run]]:
    """All scenarios, and one without any fault, from their beginning to the deletion."""
    plans: dict[str, Callable[[], Plan]] = {UNDISTURBED: lambda: lambda call: None, **SCENARIOS}
    scratch = tmp_path_factory.mktemp("operators")
    with ExitStack() as exits:
        runs = {}
        for name, plan in plans.items():
            namespace = namespaces()
            proxy = Proxy(background, kube.server, authority(), plan())
            exits.callback(proxy.close)
            operator = _operator(kube, namespace, scratch, proxy)
            exits.callback(operator.kill)
            runs[name] = Run(name, Tale(kube, namespace, WHOLE), proxy, operator)
        _play(kube, stage, list(runs.values()))
        yield runs


def _operator(kube: Kube, namespace: str, scratch: Path, proxy: Proxy) -> OperatorProcess:
    _grant_lease(kube, namespace)
    kubeconfig = write_kubeconfig(kube, scratch / namespace, proxy.url)
    settings = {"IRO_WATCH_NAMESPACES": namespace, "IRO_NAMESPACE": namespace}
    operator = OperatorProcess(kubeconfig, LOGS / f"{namespace}.log", settings)
    operator.launch()
    return operator


def _grant_lease(kube: Kube, namespace: str) -> None:
    """What the chart grants in the operator's own namespace."""
    api = "rbac.authorization.k8s.io"
    metadata = {"name": "lease", "namespace": namespace}
    verbs = ["create", "get", "update"]
    rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}]
    subject = {"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}
    path = f"/apis/{api}/v1/namespaces/{namespace}"
    role = {"apiGroup": api, "kind": "Role", "name": "lease"}
    kube.request("POST", f"{path}/roles", {"metadata": metadata, "rules": rules})
    binding = {"metadata": metadata, "roleRef": role, "subjects": [subject]}
    kube.request("POST", f"{path}/rolebindings", binding)


def _play(kube: Kube, stage: Stage, runs: list[Run]) -> None:
    tales = [run.tale for run in runs]

    def tend() -> None:
        for run in runs:
            run.tend()

    sights = told(stage, tales, tend=tend)
    for run in runs:
        namespace = run.tale.namespace
        run.end = sights[namespace].end()
        run.routes = routes(run.seen, namespace)
        run.events = events_of(kube, namespace)
        kube.delete("ImmutableRelease", NAME, namespace)

    def all_gone() -> bool:
        tend()
        left = stage.look()
        for run in runs:
            run.gone = run.tale.namespace not in left
        return all(run.gone for run in runs)

    comes_true(all_gone, GONE_TIMEOUT)


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_comes_to_the_same_end(runs: dict[str, Run], name: str) -> None:
    run, undisturbed = runs[name], runs[UNDISTURBED]
    assert run.restarts <= (RESTARTS if name in ENDING else 0), run.operator.log
    assert undisturbed.tale.ended
    assert run.end == undisturbed.end, run.operator.log
    # One revert, and no other detour.
    assert run.routes == undisturbed.routes
    assert run.gone, "the release was deleted"
    assert _befallen(run), "the scenario did nothing"


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_asks_within_bounds(runs: dict[str, Run], name: str) -> None:
    assert len(runs[name].seen) < TIMES * len(runs[UNDISTURBED].seen), runs[name].proxy.counts()


@pytest.mark.parametrize("name", [name for name in SCENARIOS if "Retry-After" in name])
def test_it_waits_as_long_as_it_was_told_to(runs: dict[str, Run], name: str) -> None:
    seen = runs[name].seen
    told_to_wait = [(at, item) for at, item in enumerate(seen) if "retry_after=" in item.fault]
    assert told_to_wait
    for at, item in told_to_wait:
        again = next((later for later in seen[at + 1 :] if _same(later, item)), None)
        if again is not None:
            assert again.at - item.at > _seconds(item) - EARLY, item


def _same(one: Seen, other: Seen) -> bool:
    return one.call == other.call and one.query == other.query


def _seconds(item: Seen) -> float:
    return float(item.fault.partition("retry_after=")[2].partition(")")[0])


def _befallen(run: Run) -> int:
    return sum(bool(item.fault) for item in run.seen)
