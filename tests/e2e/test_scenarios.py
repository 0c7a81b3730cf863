"""Versions good and bad, in every order, for each way in which traffic moves.

What is told of each in `docs/scenarios.md`. Users come on new and on kept connections all the
time; where a proven version serves, none of them is ever failed.
"""

from datetime import datetime

import pytest

from demo.kube import KubeError, Object
from demo.operator_process import OperatorProcess
from demo.releases import RevisionView
from tests.e2e.each_way import in_each_way
from tests.e2e.gate import Gate
from tests.e2e.shop import Shop, health
from tests.e2e.ways import CANARY, Way

# Seconds from the first failed response to the last; probes every second, threshold 3.
PROBE_LIMIT = 3.0
UNHEALTHY = {"UNHEALTHY": "1"}
NEVER_READY = {"NOT_READY": "1"}


@in_each_way
def test_the_first_version_serves_once_it_is_proven(shop: Shop, way: Way) -> None:
    v1 = shop.when_applied("v1", {"SLOW_START": "2"}, **way.automatic)
    shop.then_serves(v1)
    users = shop.given_users()
    told = shop.release.revision(v1.name).raw["status"]
    assert told["testedAt"] <= told["activeSince"]
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert shop.release.events("StepReached") == [], "there is nothing to share with"


@in_each_way
def test_a_bad_version_between_good_ones_is_met_by_nobody(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", UNHEALTHY)
    shop.then_fails(v2, "ProbeFailed")
    assert shop.release.active() == shop.release.selected() == v1.name
    v3 = shop.when_applied("v3")
    shop.then_serves(v3)
    users.await_calm("v3")
    assert users.so_far().failed == 0
    assert users.so_far().versions == ["v1", "v3"]


@in_each_way
def test_bad_versions_before_the_first_good_one_never_serve(shop: Shop, way: Way) -> None:
    for version in ("v1", "v2"):
        shop.then_fails(shop.when_applied(version, UNHEALTHY, **way.automatic), "ProbeFailed")
        assert shop.release.active() is None
        assert shop.release.selected() is None
    v3 = shop.when_applied("v3")
    shop.then_serves(v3)
    users = shop.given_users()
    users.await_calm("v3")
    assert users.so_far().failed == 0


@in_each_way
def test_two_bad_versions_in_a_row_leave_what_serves_alone(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", NEVER_READY)
    shop.release.await_phase(v2.name, "Starting")
    v3 = shop.when_applied("v3", NEVER_READY, health=health(progressDeadline="4s"))
    shop.then_fails(v3, "DeadlineExceeded")
    assert shop.release.active() == shop.release.selected() == v1.name
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert users.so_far().versions == ["v1"]
    shop.then_phase("Failed")


@pytest.mark.alone
@in_each_way
def test_two_versions_in_a_row_that_fail_their_users_are_both_left(shop: Shop, way: Way) -> None:
    steps = {"strategy": {"canary": {"steps": [{"weight": 50, "hold": "30s"}]}}}
    v1 = shop.given_serving("v1", **(steps if way.shares else way.automatic))
    users = shop.given_users()
    for version in ("v2", "v3"):
        failed = shop.then_fails(shop.when_applied(version, {"FAIL_AFTER": "4"}), "Reverted")
        assert "500" in failed.message
        shop.then_serves(v1)
        users.await_calm("v1")
    shop.event("Reverted", failed)
    seen = users.on_new_connections()
    assert 0 < seen.failed <= 2 * PROBE_LIMIT * shop.rate, f"{dict(seen.outcomes)}"
    assert seen.versions == ["v1", "v2", "v3"]
    assert len(shop.release.events("Reverted")) == 2


@in_each_way
def test_an_invalid_spec_changes_nothing_and_a_fixed_one_is_released(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    shop.then_phase("AwaitingPromotion")
    invalid = shop.manifest("v3")
    invalid["spec"]["service"]["ports"][0]["targetPort"] = "nowhere"
    with pytest.raises(KubeError, match="targetPort by name"):
        shop.kube.apply(invalid)
    assert shop.release.status()["candidateRevision"] == v2.name
    # One that only the API server's look at the Deployment finds out.
    shop.kube.apply(_refused(shop.manifest("v3")))
    shop.then_fails(shop.await_version("v3"), "DeploymentRefused")
    assert shop.release.active() == v1.name
    v4 = shop.when_applied("v4", **way.automatic)
    shop.then_serves(v4)
    users.await_calm("v4")
    assert users.so_far().failed == 0


def _refused(manifest: Object) -> Object:
    manifest["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = "Smoke"
    return manifest


@in_each_way
def test_pods_that_come_and_go_while_they_are_asked_prove_nothing(shop: Shop, way: Way) -> None:
    # So many that a Pod is seen to be ready, and deleted, long before it has proven itself.
    interval, successes = 0.5, 16
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    probe = {
        "name": "health",
        "http": {"path": "/healthz", "port": "http"},
        "interval": "500ms",
        "timeout": "500ms",
        "successThreshold": successes,
    }
    # Three Pods start one after another before one is left to prove itself.
    v2 = shop.when_applied("v2", health=health(probes=[probe], progressDeadline="3m"))
    for _ in range(3):
        lost = _asked_pod(shop, v2)
        shop.kube.delete("Pod", lost["metadata"]["name"], shop.namespace)
        told = shop.release.revision(v2.name).raw["status"]
        assert "testedAt" not in told
        assert shop.release.selected() == v1.name
    youngest = shop.then("it to be tested", lambda: _age_when_tested(shop, v2))
    assert youngest >= (successes - 1) * interval, "no Pod counts before all its probes passed"
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0


def _age_when_tested(shop: Shop, revision: RevisionView) -> float | None:
    """Age in seconds of its youngest Pod when it passed; None before that."""
    pods = shop.release.pods(revision.name)
    told = shop.release.revision(revision.name).raw["status"].get("testedAt")
    if told is None:
        return None
    tested = datetime.fromisoformat(told)
    created = [datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in pods]
    # Those that come afterwards, as it grows, were not asked.
    return (tested - max(at for at in created if at <= tested)).total_seconds()


def _asked_pod(shop: Shop, revision: RevisionView) -> Object:
    """A ready Pod of a revision that is being tested."""

    def look() -> Object | None:
        if shop.release.revision(revision.name).phase not in ("Starting", "Testing"):
            return None
        return next((pod for pod in shop.release.pods(revision.name) if _ready(pod)), None)

    return shop.then(f"a ready Pod of {revision.name} in test", look)


def _ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


@pytest.mark.usefixtures("cluster")
def test_where_nobody_answers_for_the_metrics_it_holds(shop: Shop, way: Way, metrics: Gate) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    query = {"query": "vector(1)", "threshold": {"min": 1}}
    probe = {"name": "metrics", "prometheus": query, "interval": "1s"}
    metrics.shut()
    try:
        v2 = shop.when_applied("v2", health=health(probes=[probe]))
        # All else must be there by the time at which the deadline tells what is missing.
        shop.release.await_phase(v2.name, "Testing")
        shop.when_changed("v2", health=health(probes=[probe], progressDeadline="12s"))
        failed = shop.then_fails(v2, "DeadlineExceeded")
    finally:
        metrics.open()
    assert "metrics" in failed.message
    assert shop.release.active() == shop.release.selected() == v1.name
    shop.when_changed("v2", health=health(probes=[probe]))
    shop.when_told("Retry")
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
    assert users.so_far().versions == ["v1", "v2"]


@pytest.mark.parametrize("way", [CANARY], ids=str)
def test_the_operator_may_be_killed_in_every_step(
    shop: Shop, operator: OperatorProcess, way: Way
) -> None:
    assert way.shares
    steps = [{"weight": 30, "hold": "4s"}, {"weight": 50, "hold": "4s"}]
    shop.given_serving("v1", strategy={"canary": {"steps": steps}})
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    for index in (1, 2):
        before = shop.step_in_effect(v2, index)
        operator.kill()
        operator.start()
        after = shop.release.status().get("step") or before
        assert after["index"] > index or after == before, "a step goes on where it was"
    shop.release.await_selected(v2.name)
    operator.kill()
    operator.start()
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
