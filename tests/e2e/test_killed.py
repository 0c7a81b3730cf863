"""The operator may be killed at any moment; started again it ends where it would have ended."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from demo.kube import KINDS, Kube
from demo.operator_process import OperatorProcess
from demo.releases import RevisionView
from devcluster import Cluster
from tests.e2e.audit import writes_of_operator
from tests.e2e.shop import PATIENCE, Shop

Moment = Callable[[Shop, RevisionView], object]

MOMENTS: dict[str, Moment] = {
    "as the revision is recorded": lambda shop, new: None,
    "while its Pods start": lambda shop, new: shop.release.await_begun(new.name),
    "while it is tested": lambda shop, new: shop.then(
        "it to be tested",
        lambda: shop.release.revision(new.name).phase in ("Testing", "Active") or None,
    ),
    "as traffic moves": lambda shop, new: shop.release.await_selected(new.name),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_promotion_is_finished_without_a_failed_request(
    shop: Shop, operator: OperatorProcess, moment: Moment
) -> None:
    shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    moment(shop, v2)
    operator.kill()
    operator.start()
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
    shop.release.await_good(v2.name)


def test_a_failure_while_the_operator_was_dead_is_reverted_when_it_is_back(
    shop: Shop, operator: OperatorProcess
) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.when_applied("v2", {"FAIL_AFTER": "8"})
    shop.then_serves(v2)
    operator.kill()
    users.await_failure()
    operator.start()
    shop.then_serves(v1)
    shop.then_fails(v2, "Reverted")
    users.await_calm("v1")


def test_killed_as_it_reverts_it_reverts_once(shop: Shop, operator: OperatorProcess) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.when_applied("v2", {"FAIL_AFTER": "3"})
    shop.release.await_selected(v2.name)
    shop.release.await_selected(v1.name)
    operator.kill()
    operator.start()
    shop.then_serves(v1)
    shop.then_fails(v2, "Reverted")
    users.await_calm("v1", calm=3.0)


def test_an_action_created_while_it_was_dead_is_carried_out_once(
    shop: Shop, operator: OperatorProcess
) -> None:
    v1 = shop.given_serving("v1")
    v2 = shop.given_serving("v2")
    operator.kill()
    asked = shop.ask("Rollback")
    operator.start()
    assert shop.answer_to(asked)["phase"] == "Succeeded"
    shop.then_serves(v1)
    shop.then_fails(v2, "RolledBack")


def test_started_again_with_nothing_to_do_it_writes_nothing(
    shop: Shop, operator: OperatorProcess, cluster: Cluster
) -> None:
    shop.given_serving("v1")
    v2 = shop.given_serving("v2")
    users = shop.given_users()
    users.await_calm("v2")
    before = _settled(shop)
    operator.stop()
    restarted = datetime.now(UTC)
    operator.start()
    # Long enough to probe everything several times over.
    users.await_calm("v2", calm=4.0)
    assert _versions(shop.kube, shop.namespace) == before
    assert [
        write for write in writes_of_operator(cluster, restarted) if shop.namespace in write
    ] == []
    assert shop.release.active() == v2.name


def _settled(shop: Shop) -> dict[str, str]:
    """Versions of all objects, once nobody has anything left to write of what happened so far."""
    last: dict[str, str] = {}

    def look() -> dict[str, str] | None:
        nonlocal last
        before, last = last, _versions(shop.kube, shop.namespace)
        return last if last == before else None

    return shop.release.await_that("nothing to change any more", look, PATIENCE, every=2.0)


def _versions(kube: Kube, namespace: str) -> dict[str, str]:
    """Name and resourceVersion of every object but Pods and Events, on which others report."""
    return {
        f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind, where in KINDS.items()
        if where.namespaced and kind not in ("Pod", "Event")
        for item in kube.list(kind, namespace)
    }
