"""What is done is done to the last Pod, and the budgets are ratios to bare Deployments."""

import dataclasses
from typing import Any

import pytest

from bench.scale import DEPLOYMENTS, RELEASES, Figures, Took, judge

GOOD = Figures(
    releases=500,
    ours=Took(15.0, 11.0),
    bare=Took(10.0, 10.0),
    resident_mib=250.0,
    idle_writes=0,
)


def test_at_its_limits_every_budget_is_kept() -> None:
    assert all(verdict.kept for verdict in judge(GOOD))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ours": Took(15.1, 11.0)}, id="created too slowly"),
        pytest.param({"ours": Took(15.0, 11.1)}, id="updated too slowly"),
        pytest.param({"resident_mib": 251.0}, id="too much memory"),
        pytest.param({"idle_writes": 1}, id="a write for nothing"),
    ],
)
def test_one_budget_is_missed(changes: dict[str, Any]) -> None:
    verdicts = judge(dataclasses.replace(GOOD, **changes))
    assert [verdict.kept for verdict in verdicts].count(False) == 1


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
