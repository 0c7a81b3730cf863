"""What is done is done to the last Pod, and the budgets are ratios to bare Deployments."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.crowd import DEPLOYMENTS, RELEASES
from bench.gauges import Cost, Gauges
from bench.scale import Figures, Memory, Took, judge
from devcluster import Cluster
from tests.e2e.audit import OPERATOR, writes_of_operator

COST = Cost(cpu_ms=1.0, reads=1.0, writes=1.0, reconciles=1.0)
GOOD = Figures(
    releases=500,
    ours=Took(15.0, 11.0),
    bare=Took(10.0, 10.0),
    create_cost=COST,
    update_cost=COST,
    memory=Memory(empty=100.0, worked=160.0, restarted=110.0),
    idle_writes=0,
)
METRICS = """# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
process_cpu_seconds_total 12.5
process_resident_memory_bytes 1.048576e+08
rest_client_requests_total{code="200",verb="get"} 3.0
rest_client_requests_total{code="200",verb="list"} 2.0
rest_client_requests_total{code="200",verb="apply"} 7.0
rest_client_requests_total{code="201",verb="create"} 1.0
rest_client_requests_created{code="201",verb="create"} 1.7e+09
controller_runtime_reconcile_total{controller="release",result="changed"} 4.0
controller_runtime_reconcile_total{controller="release",result="unchanged"} 5.0
"""


def test_at_its_limits_every_budget_is_kept() -> None:
    assert all(verdict.kept for verdict in judge(GOOD))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ours": Took(15.1, 11.0)}, id="created too slowly"),
        pytest.param({"ours": Took(15.0, 11.1)}, id="updated too slowly"),
        pytest.param({"memory": Memory(100.0, 160.1, 110.0)}, id="too much memory"),
        pytest.param({"idle_writes": 1}, id="a write for nothing"),
    ],
)
def test_one_budget_is_missed(changes: dict[str, Any]) -> None:
    verdicts = judge(dataclasses.replace(GOOD, **changes))
    assert [verdict.kept for verdict in verdicts].count(False) == 1


def test_figures_are_read_off_the_metrics_of_the_operator() -> None:
    assert Gauges.read(METRICS) == Gauges(
        cpu_seconds=12.5, resident_mib=100.0, reads=5, writes=8, reconciles=9
    )


def test_a_cost_is_the_share_of_one_release_in_what_was_used() -> None:
    before = Gauges(cpu_seconds=1.0, resident_mib=90.0, reads=10, writes=5, reconciles=3)
    after = Gauges(cpu_seconds=2.5, resident_mib=95.0, reads=40, writes=105, reconciles=43)
    assert Cost.between(before, after, 10) == Cost(
        cpu_ms=150.0, reads=3.0, writes=10.0, reconciles=4.0
    )


def deployment(**status: int) -> dict[str, Any]:
    full = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    return {"metadata": {"generation": 2}, "status": full | status}


@pytest.mark.parametrize(
    ("obj", "done"),
    [
        pytest.param(deployment(), True, id="rolled out"),
        pytest.param(deployment(replicas=2), False, id="the old Pod is still there"),
        pytest.param(deployment(availableReplicas=0), False, id="its Pod is not available"),
        pytest.param(deployment(observedGeneration=1), False, id="not looked at yet"),
        pytest.param({"metadata": {"generation": 1}}, False, id="without a status"),
    ],
)
def test_a_deployment_is_done(obj: dict[str, Any], done: bool) -> None:
    assert DEPLOYMENTS.is_done(obj) is done


def release(status: str = "True", generation: int = 2) -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "observedGeneration": generation}
    return {"metadata": {"generation": 2}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("obj", "done"),
    [
        pytest.param(release(), True, id="Ready"),
        pytest.param(release(status="False"), False, id="not Ready"),
        pytest.param(release(generation=1), False, id="Ready as it was before the change"),
        pytest.param({"metadata": {"generation": 1}}, False, id="without a status"),
    ],
)
def test_a_release_is_done(obj: dict[str, Any], done: bool) -> None:
    assert RELEASES.is_done(obj) is done


def test_the_audit_log_is_read_from_an_offset_and_not_what_is_being_written(tmp_path: Path) -> None:
    line = json.dumps(
        {
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
            "user": {"username": OPERATOR},
            "verb": "create",
            "objectRef": {"resource": "services", "name": "shop"},
        }
    )
    (tmp_path / "logs").mkdir()
    cluster = Cluster("test", "api", tmp_path, 0)
    cluster.audit_log.write_text(f"{line}\n{line}\n{line[:40]}")
    since = datetime(2026, 1, 1, tzinfo=UTC)
    seen = [
        len(writes_of_operator(cluster, since, offset))
        for offset in (0, 5, len(line) + 1, 2 * len(line) + 2)
    ]
    assert seen == [2, 1, 1, 0]
