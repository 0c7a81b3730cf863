"""What is made of the containers of a Pod."""

from typing import Any

import pytest

from immutablerelease.core.snapshot import ContainerView
from immutablerelease.runtime.pods import pod_view

BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting app"}}


def view(kind: str = "containerStatuses", **status: Any) -> ContainerView:
    """The container of a Pod with one."""
    pod = {
        "metadata": {"name": "a", "uid": "a"},
        "status": {kind: [{"name": "app", **status}]},
    }
    return pod_view(pod).containers[0]


def ended(**how: Any) -> Any:
    return {"state": BACK_OFF, "lastState": {"terminated": how}}


def test_a_crash_is_told_by_how_it_ended_not_by_when_it_is_tried_again() -> None:
    seen = view(**ended(exitCode=3, reason="Error", message="cannot reach\n  the database\n"))
    assert (seen.waiting, seen.terminated) == ("CrashLoopBackOff", "exit code 3")
    assert seen.message == "cannot reach the database"


def test_memory_that_ran_out_is_named() -> None:
    assert view(**ended(exitCode=137, reason="OOMKilled")).terminated == "OOMKilled, exit code 137"


def test_the_last_words_are_kept_not_the_first() -> None:
    seen = view(**ended(exitCode=1, message="x" * 400 + " the cause"))
    assert seen.message.startswith("...x") and seen.message.endswith("x the cause")
    assert len(seen.message) == 300


@pytest.mark.parametrize(
    ("kind", "status", "unready"),
    [
        ("containerStatuses", {"state": {"running": {}}, "ready": False}, True),
        ("containerStatuses", {"state": {"running": {}}, "ready": True}, False),
        ("containerStatuses", {"state": {"waiting": {"reason": "Slow"}}, "ready": False}, False),
        ("initContainerStatuses", {"state": {"running": {}}, "ready": False}, False),
    ],
    ids=["its probes have not passed", "ready", "it does not run", "it does its work"],
)
def test_what_runs_without_being_ready(kind: str, status: Any, unready: bool) -> None:
    assert view(kind, **status).unready is unready
