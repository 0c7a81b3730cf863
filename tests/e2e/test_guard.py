"""What serves is watched as long as it serves; when it fails, traffic goes back by itself."""

import pytest

from tests.e2e.shop import Shop

FAILS = {"FAIL_AFTER": "3"}
CRASHES = {"CRASH_AFTER": "2", "STATE_DIR": "/state"}
# Seconds from the first failed response to the last; probes every second, threshold 3.
PROBE_LIMIT = 3.0
CRASH_LIMIT = 5.0


@pytest.mark.alone
@pytest.mark.parametrize(
    ("env", "limit"),
    [
        pytest.param(FAILS, PROBE_LIMIT, id="its probe fails while its Pods are ready"),
        pytest.param(CRASHES, CRASH_LIMIT, id="all of its Pods crash"),
    ],
)
def test_traffic_goes_back_to_a_warm_revision_and_stays_there(
    shop: Shop, env: dict[str, str], limit: float
) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.when_applied("v2", env)
    users.await_failure()
    shop.then_serves(v1)
    shop.then_fails(v2, "Reverted")
    users.await_calm("v1", calm=4.0)
    seen = users.on_new_connections()
    assert 0 < seen.outage <= limit, f"{seen.outage:.2f} s, {dict(seen.outcomes)}"
    assert seen.versions == ["v1", "v2"]
    assert v1.name in shop.event("Reverted")
    shop.then_phase("Reverted")
    assert len(shop.release.events("Reverted")) == 1, "one failure is one revert"


def test_a_revision_that_is_cold_is_started_and_proven_first(shop: Shop) -> None:
    v1 = shop.given_serving("v1", keepWarm="1s")
    users = shop.given_users()
    v2 = shop.when_applied("v2", {"FAIL_AFTER": "30"})
    shop.then_serves(v2)
    shop.release.await_good(v2.name)
    shop.then(f"{v1.name} to be scaled down", lambda: shop.replicas_of(v1) == 0 or None)
    users.await_failure()
    assert shop.event("RevertStarting")
    shop.then_serves(v1)
    users.await_calm("v1")
    shop.then_fails(v2, "Reverted")


def test_alert_changes_nothing_but_says_so(shop: Shop) -> None:
    shop.given_serving("v1", guard={"onFailure": "Alert"})
    users = shop.given_users()
    v2 = shop.when_applied("v2", FAILS)
    users.await_failure()
    shop.then(
        "Healthy to be False",
        lambda: shop.release.condition("Healthy").get("status") == "False" or None,
    )
    assert shop.release.selected() == v2.name
    assert shop.release.events("Reverted") == []


def test_with_nothing_to_go_back_to_the_guard_says_so(shop: Shop) -> None:
    # Not before users of every kind have come.
    v1 = shop.when_applied("v1", {"FAIL_AFTER": "8"})
    shop.then_serves(v1)
    users = shop.given_users()
    users.await_failure()
    assert shop.event("NothingToRevertTo")
    assert shop.release.selected() == v1.name
    assert shop.release.condition("Ready")["status"] == "False"


def test_a_reverted_spec_is_not_tried_again_but_a_fixed_one_is(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.when_applied("v2", FAILS)
    users.await_failure()
    shop.then_serves(v1)
    shop.then_fails(v2, "Reverted")
    shop.kube.apply(shop.manifest("v2", FAILS))
    users.await_calm("v1", calm=3.0)
    assert shop.release.revision(v2.name).phase == "Failed"
    v3 = shop.when_applied("v3")
    shop.then_serves(v3)
    shop.then_phase("Active")
