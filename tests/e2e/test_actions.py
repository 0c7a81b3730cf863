"""What people may ask of a release, each request answered and kept."""

import pytest

from demo import manifests
from demo.kube import KubeError
from tests.e2e.shop import Shop


def test_abort_ends_a_candidate_and_what_serves_goes_on(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    v2 = shop.when_applied("v2", {"NOT_READY": "1"})
    shop.release.await_phase(v2.name, "Starting")
    answer = shop.when_asked("Abort")
    assert answer["phase"] == "Succeeded", answer
    shop.then_fails(v2, "Aborted")
    assert shop.release.active() == shop.release.selected() == v1.name
    shop.then_phase("Failed")


@pytest.mark.parametrize("what", ["Promote", "Abort", "Rollback", "Retry"])
def test_what_cannot_be_done_is_answered_with_why(shop: Shop, what: str) -> None:
    shop.given_serving("v1")
    answer = shop.when_asked(what)
    assert answer["phase"] == "Failed"
    assert answer["message"]


def test_an_action_never_changes(shop: Shop) -> None:
    shop.given_serving("v1")
    action = shop.kube.create(manifests.action("shop", shop.namespace, "Retry", None, "first"))
    with pytest.raises(KubeError, match="an action never changes"):
        shop.kube.patch(
            "ReleaseAction",
            action["metadata"]["name"],
            {"spec": {"action": "Rollback"}},
            shop.namespace,
        )
