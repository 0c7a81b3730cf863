"""An operator that is asked to end, as every rollout of it does, ends in order."""

import time
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
def kubeconfig(kube: Kube, tmp_path: Path) -> Path:
    return write_kubeconfig(kube, tmp_path / "kubeconfig")


def holder(kube: Kube) -> str:
    """Who holds the lease."""
    return str(kube.request("GET", LEASE)["spec"].get("holderIdentity") or "")


def _watches(operator: OperatorProcess) -> bool:
    return "watching" in operator.log.read_text(encoding="utf-8")


def test_it_gives_its_lease_back_and_says_nothing_of_a_failure(
    kube: Kube, kubeconfig: Path
) -> None:
    operator = OperatorProcess(kubeconfig, LOGS / "stopping.log")
    operator.start()
    # It is ready when it stands by, and only one that watches has something to end.
    wait_for("it to watch", lambda: (_watches(operator) or None, tail(operator.log)), PATIENCE)
    assert holder(kube) == "demo"
    assert operator.stop() == 0
    assert holder(kube) == ""
    log = operator.log.read_text(encoding="utf-8")
    assert "stopping" in log
    assert "CRITICAL" not in log
    assert "Traceback" not in log


def test_whoever_stands_by_takes_over_at_once(kube: Kube, kubeconfig: Path) -> None:
    first = OperatorProcess(kubeconfig, LOGS / "first.log", {"IRO_IDENTITY": "first"})
    second = OperatorProcess(kubeconfig, LOGS / "second.log", {"IRO_IDENTITY": "second"})
    first.start()
    try:
        second.start()
        assert holder(kube) == "first"
        asked = time.monotonic()
        assert first.stop() == 0
        wait_for(
            "the second one to lead",
            lambda: (holder(kube) == "second" or None, f"{holder(kube) or 'nobody'} leads"),
            SOON,
        )
        assert time.monotonic() - asked < SOON
    finally:
        assert second.stop() == 0
