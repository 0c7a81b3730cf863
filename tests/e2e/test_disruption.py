"""A drain of nodes takes what the release lets it take, and waits for nothing that is no use."""

import pytest

from demo.kube import KINDS, KubeError, Object
from tests.e2e.shop import Shop


def test_a_second_pod_of_what_serves_is_kept_while_one_is_away(shop: Shop) -> None:
    # So slow that the first one is still away while the second is asked for; and it serves on for
    # as long as nodes may take to look elsewhere.
    v1 = shop.given_serving("v1", {"SLOW_START": "5", "DRAIN": "3"})
    users = shop.given_users()
    first, second = shop.release.pods(v1.name)
    _disruptions(shop, v1.name, 1)
    _evict(shop, first)
    with pytest.raises(KubeError, match="disruption budget"):
        _evict(shop, second)
    _disruptions(shop, v1.name, 1)
    _evict(shop, second)
    _disruptions(shop, v1.name, 1)
    users.await_calm("v1")
    assert users.so_far().failed == 0


def test_the_budget_follows_the_release_and_nobody_else(shop: Shop) -> None:
    v1 = shop.given_serving("v1", replicas=1)
    _disruptions(shop, v1.name, 1)
    shop.when_applied("v1", disruption={"maxUnavailable": "50%"}, replicas=4)
    shop.then("the budget to say so", lambda: _budget_says(shop, v1.name, "50%"))
    _disruptions(shop, v1.name, 2)
    evil = {"spec": {"maxUnavailable": "100%"}}
    with pytest.raises(KubeError, match="only the operator"):
        shop.kube.patch("PodDisruptionBudget", v1.name, evil, shop.namespace)
    with pytest.raises(KubeError, match="only the operator"):
        shop.kube.request("DELETE", KINDS["PodDisruptionBudget"].path(shop.namespace, v1.name))


def test_what_does_not_work_or_does_not_serve_keeps_no_node(shop: Shop) -> None:
    shop.given_serving("v1", keepWarm="1s")
    v2 = shop.given_serving("v2")
    v3 = shop.when_applied("v3", {"NOT_READY": "1"})
    shop.then("two Pods that never get ready", lambda: len(shop.release.pods(v3.name)) == 2 or None)
    for pod in shop.release.pods(v3.name):
        shop.then("it to be evicted", lambda gone=pod: _drained(shop, gone) or None)  # type: ignore[misc]
    (v1, _, _) = shop.release.revisions()
    shop.then("nothing to be left to drain of v1", lambda: not shop.release.pods(v1.name) or None)
    assert shop.release.active() == v2.name


def _evict(shop: Shop, pod: Object) -> None:
    name = pod["metadata"]["name"]
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": shop.namespace},
    }
    shop.kube.request("POST", KINDS["Pod"].path(shop.namespace, name) + "/eviction", body)


def _drained(shop: Shop, pod: Object) -> bool:
    """As `kubectl drain` does it, which asks again where a Pod changed while it was asked for."""
    try:
        _evict(shop, pod)
    except KubeError as error:
        if error.status == 429:
            return False
        raise
    return True


def _disruptions(shop: Shop, revision: str, allowed: int) -> None:
    """Wait until so many Pods may be taken."""

    def look() -> bool | None:
        found = shop.kube.find("PodDisruptionBudget", revision, shop.namespace) or {}
        return found.get("status", {}).get("disruptionsAllowed") == allowed or None

    shop.then(f"{allowed} Pods of {revision} that may be taken", look)


def _budget_says(shop: Shop, revision: str, value: str) -> bool | None:
    found = shop.kube.get("PodDisruptionBudget", revision, shop.namespace)
    return found["spec"]["maxUnavailable"] == value or None
