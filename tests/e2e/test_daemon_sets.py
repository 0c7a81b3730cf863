"""Agents of nodes on a real node: one DaemonSet a revision, beside each other, then deleted."""

from collections.abc import Sequence

from demo.interference import Attempt, Target
from demo.releases import RevisionView
from tests.e2e.shop import Shop, health

BY_NODE = "DaemonSet"
PORT = 18093


def _set_image(target: Target) -> Sequence[str]:
    return ["set", "image", f"daemonset/{target.revision}", f"web={target.image}-evil"]


def _restart(target: Target) -> Sequence[str]:
    return ["rollout", "restart", f"daemonset/{target.revision}"]


def _delete(target: Target) -> Sequence[str]:
    return ["delete", f"daemonset/{target.revision}"]


def _gone(shop: Shop, revision: RevisionView) -> None:
    def look() -> bool | None:
        return shop.kube.find("DaemonSet", revision.name, shop.namespace) is None or None

    shop.then(f"no DaemonSet of {revision.name}", look, 60)


def test_versions_take_over_by_node_and_the_old_one_is_deleted(shop: Shop) -> None:
    v1 = shop.given_serving("v1", keepWarm="1s", workload=BY_NODE)
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    shop.then_serves(v2)
    users.await_calm("v2")
    _gone(shop, v1)
    shop.release.await_phase(v1.name, "Retired")
    nodes = shop.kube.get("DaemonSet", v2.name, shop.namespace)["status"]["desiredNumberScheduled"]
    assert shop.release.status()["readyReplicas"] == nodes > 0
    assert shop.release.deployments() == []
    assert users.so_far().failed == 0
    # What is gone comes back from its record.
    assert shop.when_asked("Rollback", v1.name)["phase"] == "Succeeded"
    shop.then_serves(v1)
    users.await_calm("v1")
    assert users.so_far().failed == 0


def test_a_bad_version_is_reverted_and_its_daemon_set_deleted(shop: Shop) -> None:
    v1 = shop.given_serving("v1", workload=BY_NODE)
    users = shop.given_users()
    v2 = shop.when_applied("v2", {"FAIL_AFTER": "8"})
    shop.then_serves(v2)
    shop.then_fails(v2, "Reverted")
    shop.then_serves(v1)
    users.await_calm("v1")
    shop.then_phase("Reverted")
    _gone(shop, v2)
    assert shop.kube.find("DaemonSet", v1.name, shop.namespace) is not None


def test_nobody_changes_a_daemon_set_by_hand(shop: Shop) -> None:
    v1 = shop.given_serving("v1", workload=BY_NODE)
    uid = shop.kube.get("DaemonSet", v1.name, shop.namespace)["metadata"]["uid"]
    image = shop.manifest("v1")["spec"]["template"]["spec"]["containers"][0]["image"]
    for title, arguments, told in (
        ("set the image of a DaemonSet", _set_image, "the Pod template of a revision is frozen"),
        ("restart a DaemonSet", _restart, "the Pod template of a revision is frozen"),
        ("delete a DaemonSet", _delete, "only the operator creates, changes and deletes"),
    ):
        assert told in Attempt(title, arguments).refusal(shop.release, v1.name, image)
    found = shop.kube.get("DaemonSet", v1.name, shop.namespace)["metadata"]
    assert (found["uid"], found["generation"]) == (uid, 1)


def test_an_agent_that_holds_a_port_of_its_node_leaves_no_place_for_the_next(shop: Shop) -> None:
    """Two cannot hold it: the next one is not proven, and what serves is not touched."""
    v1 = _apply_with_port(shop, "v1")
    shop.then_serves(v1)
    v2 = _apply_with_port(shop, "v2")
    shop.then("no place for its Pod", lambda: _unschedulable(shop, v2) or None)
    # Not before: the deadline tells of what it found.
    shop.settings["health"] = health(progressDeadline="5s")
    failed = shop.then_fails(_apply_with_port(shop, "v2"), "DeadlineExceeded")
    assert "free ports" in failed.message
    assert shop.release.active() == shop.release.selected() == v1.name
    _gone(shop, failed)


def _unschedulable(shop: Shop, revision: RevisionView) -> bool:
    return any(
        condition.get("reason") == "Unschedulable"
        for pod in shop.release.pods(revision.name)
        for condition in pod["status"].get("conditions", [])
    )


def _apply_with_port(shop: Shop, version: str) -> RevisionView:
    shop.settings["workload"] = BY_NODE
    manifest = shop.manifest(version)
    manifest["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] = PORT
    shop.kube.apply(manifest)
    return shop.await_version(version)
