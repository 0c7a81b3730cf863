"""An operator that is asked to end, as every rollout of it does, ends in order."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.child import tail
from demo.kube import Kube, wait_for
from demo.operator_process import NAMESPACE, OperatorProcess, write_kubeconfig
from tests.faults.conftest import LOGS

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/immutable-release-operator"
# Far less than a lease lasts: whoever stands by does not wait for its end.
SOON = 6.0
PATIENCE = 30.0


@pytest.fixture
def start(kube: Kube, tmp_path: Path) -> Iterator[Callable[[str], OperatorProcess]]:
    """Starts operators by name; none outlives the test."""
    kubeconfig = write_kubeconfig(kube, tmp_path / "kubeconfig")
    with ExitStack() as exits:

        def one(name: str) -> OperatorProcess:
            log = LOGS / f"stopping-{name}.log"
            operator = OperatorProcess(kubeconfig, log, {"IRO_IDENTITY": name})
            exits.callback(operator.kill)
            operator.start()
            return operator

        yield one


def holder(kube: Kube) -> str:
    """Who holds the lease."""
    return str(kube.request("GET", LEASE)["spec"].get("holderIdentity") or "")


def _watches(operator: OperatorProcess) -> bool:
    return "watching" in operator.log.read_text(encoding="utf-8")


def test_it_gives_its_lease_back_and_says_nothing_of_a_failure(
    kube: Kube, start: Callable[[str], OperatorProcess]
) -> None:
    operator = start("alone")
    # It is ready when it stands by, and only one that watches has something to end.
    wait_for("it to watch", lambda: (_watches(operator) or None, tail(operator.log)), PATIENCE)
    assert holder(kube) == "alone"
    assert operator.stop() == 0
    assert holder(kube) == ""
    log = operator.log.read_text(encoding="utf-8")
    assert "stopping" in log
    assert "CRITICAL" not in log
    assert "Traceback" not in log


def test_whoever_stands_by_takes_over_at_once(
    kube: Kube, start: Callable[[str], OperatorProcess]
) -> None:
    first, second = start("first"), start("second")
    assert holder(kube) == "first"
    asked = time.monotonic()
    assert first.stop() == 0
    wait_for(
        "the second one to lead",
        lambda: (holder(kube) == "second" or None, f"{holder(kube) or 'nobody'} leads"),
        SOON,
    )
    assert time.monotonic() - asked < SOON
    assert second.stop() == 0
