"""Of answered actions the newest are kept, and all that a file may hold."""

from datetime import datetime, timedelta
from typing import Any

from immutablerelease.core.phases.history import ANSWERED_KEPT
from immutablerelease.runtime.client import ACTIONS, RELEASES
from tests.unit.shell.fake_cluster import FakeCluster
from tests.unit.shell.harness import Instant, Operator, manifest


def answered(number: int, at: datetime, release: str = "shop", **metadata: Any) -> dict[str, Any]:
    """One that was answered so many minutes after a time."""
    return {
        "metadata": {"name": f"{release}-{number}", "namespace": "demo", **metadata},
        "spec": {"release": release, "action": "Retry"},
        "status": {
            "phase": "Failed",
            "message": "nothing to retry",
            "completedAt": (at + timedelta(minutes=number)).isoformat(),
        },
    }


async def test_the_newest_and_all_with_names_of_somebodys_choice_are_kept() -> None:
    cluster, outside = FakeCluster(), Instant()
    cluster.put(RELEASES, manifest())
    for number in range(ANSWERED_KEPT + 5):
        chosen = {} if number == 1 else {"generateName": "retry-"}
        cluster.put(ACTIONS, answered(number, outside.now, **chosen))
        cluster.put(ACTIONS, answered(number, outside.now, "cart", generateName="retry-"))
    await Operator(cluster, outside).run(5)
    left = {str(item["metadata"]["name"]) for item in cluster.of(ACTIONS)}
    gone = {f"shop-{number}" for number in (0, 2, 3, 4)}
    everything = {
        f"{release}-{number}" for release in ("shop", "cart") for number in range(ANSWERED_KEPT + 5)
    }
    assert left == everything - gone


async def test_with_no_more_than_are_kept_none_goes() -> None:
    cluster, outside = FakeCluster(), Instant()
    cluster.put(RELEASES, manifest())
    for number in range(ANSWERED_KEPT):
        cluster.put(ACTIONS, answered(number, outside.now, generateName="retry-"))
    await Operator(cluster, outside).run(5)
    assert len(cluster.of(ACTIONS)) == ANSWERED_KEPT
