"""A canary on real Pods: shares of a Service, and all traffic back when the candidate fails."""

import json
import urllib.request
from typing import Any

import pytest

from demo.releases import RevisionView
from tests.e2e.shop import Shop

TIMEOUT = 5.0

# With four Pods that serve one of the candidate is a fifth of the traffic, four are half of it.
STEPS = [{"weight": 20, "hold": "3s"}, {"weight": 50, "hold": "3s"}]
PAUSES = [{"weight": 20, "pause": True}, {"weight": 50, "pause": True}]


def _strategy(steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"strategy": {"canary": {"steps": steps}}}


def test_traffic_moves_in_steps_without_a_failed_request(shop: Shop) -> None:
    v1 = shop.given_serving("v1", replicas=4, **_strategy(STEPS))
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
    shop.event("Promoted", v2)
    assert len(shop.release.events("StepReached")) == 2
    assert shop.release.revision(v1.name).phase == "Superseded"
    shop.then_phase("Active")


def test_shares_are_those_of_the_pods_and_the_status_says_so(shop: Shop) -> None:
    v1 = shop.given_serving("v1", replicas=4, **_strategy(PAUSES))
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    for index, share in ((1, 20), (2, 50)):
        shop.step_in_effect(v2, index)
        shop.then_phase("AwaitingPromotion")
        told = {item["revision"]: item["weight"] for item in shop.release.status()["traffic"]}
        assert told == {v1.name: 100 - share, v2.name: share}
        _await_all_met(shop, v1, v2)
        # Five standard deviations of three hundred draws.
        assert abs(users.share("v2", 300) - share / 100) < 0.15
        assert shop.when_asked("Promote")["phase"] == "Succeeded"
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0


def _await_all_met(shop: Shop, *revisions: RevisionView) -> None:
    """Their Pods are all met at the Service: nodes follow its endpoints, and no status tells."""
    pods = {
        _who_answers(f"{pod['status']['podIP']}:8080")
        for revision in revisions
        for pod in shop.release.pods(revision.name)
    }
    address, met = shop.release.address(), set[str]()

    def look() -> bool | None:
        met.update(_who_answers(address) for _ in range(3 * len(pods)))
        return met >= pods or None

    shop.then("all Pods to be met", look)


def _who_answers(address: str) -> str:
    """The Pod that answers a new connection."""
    with urllib.request.urlopen(f"http://{address}/", timeout=TIMEOUT) as answer:
        return str(json.load(answer)["pod"])


@pytest.mark.alone
@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"FAIL_AFTER": "8"}, id="its probe fails"),
        pytest.param({"CRASH_AFTER": "8", "STATE_DIR": "/state"}, id="its Pod crashes"),
    ],
)
def test_a_candidate_that_fails_at_its_step_loses_its_share(
    shop: Shop, how: dict[str, str]
) -> None:
    v1 = shop.given_serving("v1", replicas=4, **_strategy(PAUSES))
    users = shop.given_users()
    v2 = shop.when_applied("v2", how)
    shop.step_in_effect(v2, 1)
    failed = shop.then_fails(v2, "Reverted")
    shop.then_phase("Reverted")
    assert shop.release.active() == shop.release.selected() == v1.name
    users.await_calm("v1")
    seen = users.so_far()
    assert seen.failed < seen.requests / 4, f"{failed.message}: what serves goes on serving"
    assert users.on_new_connections().outage < 5.0


def test_nobody_is_failed_by_an_abort_or_by_a_newer_version(shop: Shop) -> None:
    v1 = shop.given_serving("v1", replicas=4, **_strategy(PAUSES))
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    shop.step_in_effect(v2, 1)
    users.await_answer_of("v2")
    v3 = shop.when_applied("v3")
    shop.step_in_effect(v3, 1)
    users.await_answer_of("v3")
    assert shop.when_asked("Abort", v3.name)["phase"] == "Succeeded"
    shop.then_serves(v1)
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert users.so_far().versions == ["v1", "v2", "v3"]


def test_all_pods_of_what_serves_may_be_lost_at_a_step(shop: Shop) -> None:
    """The candidate takes over when nothing else answers; no request waits for a person."""
    v1 = shop.given_serving(
        "v1", {"CRASH_AFTER": "3", "STATE_DIR": "/state"}, replicas=2, **_strategy(PAUSES)
    )
    v2 = shop.when_applied("v2")
    shop.step_in_effect(v2, 1)
    # It crashes so many seconds after the first request.
    shop.given_users()
    shop.then_serves(v2)
    assert shop.release.revision(v1.name).phase == "Failed"


def test_it_scales_in_the_middle_of_a_step(shop: Shop) -> None:
    shop.given_serving("v1", replicas=2, **_strategy(PAUSES))
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    shop.step_in_effect(v2, 1)
    shop.when_asked("Promote")
    shop.step_in_effect(v2, 2)
    shop.kube.patch("ImmutableRelease", "shop", {"spec": {"replicas": 4}}, shop.namespace, "/scale")
    shop.then("four Pods of the candidate", lambda: shop.replicas_of(v2) == 4 or None)
    shop.when_asked("Promote")
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
