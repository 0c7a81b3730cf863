"""An operator that is asked to end, as every rollout of it does, ends in order."""

from pathlib import Path

import pytest

from demo.kube import Kube, wait_for
from demo.operator_process import NAMESPACE, OperatorProcess, write_kubeconfig
from tests.faults.conftest import LOGS

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/immutable-release-operator"
# Far less than a lease lasts: whoever stands by does not wait for its end.
SOON = 6.0


@pytest.fixture
def kubeconfig(kube: Kube, tmp_path: Path) -> Path:
    return write_kubeconfig(kube, tmp_path / "kubeconfig")


def holder(kube: Kube) -> str:
    """Who holds the lease."""
    return str(kube.request("GET", LEASE)["spec"].get("holderIdentity") or "")


def test_it_gives_its_lease_back_and_says_nothing_of_a_failure(
    kube: Kube, kubeconfig: Path
) -> None:
    operator = OperatorProcess(kubeconfig, LOGS / "stopping.log")
    operator.start()
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
        assert first.stop() == 0
        wait_for(
            "the second one to lead",
            lambda: (holder(kube) == "second" or None, f"{holder(kube) or 'nobody'} leads"),
            SOON,
        )
    finally:
        assert second.stop() == 0
