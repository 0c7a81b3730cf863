"""What people do in the middle of a release, for each way in which traffic moves.

What is told of each in `docs/scenarios.md`.
"""

import time
from datetime import datetime

import pytest

from demo.kube import KINDS, KubeError, Object
from demo.manifests import RELEASE_LABEL, REVISION_LABEL
from demo.releases import RevisionView
from tests.e2e.each_way import in_each_way
from tests.e2e.shop import Shop, health
from tests.e2e.texts import greeting, serving_with_config, write_config
from tests.e2e.ways import BLUE_GREEN, Way

MISSING = {"name": "health", "http": {"path": "/nowhere", "port": "http"}, "interval": "1s"}


@in_each_way
def test_a_pause_longer_than_the_deadline_ends_with_a_word(shop: Shop, way: Way) -> None:
    deadline = 12.0
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    _awaits(shop, v2)
    # Of the pause alone: how long the machine takes for all before it is not the question.
    shop.when_changed("v2", health=health(progressDeadline=f"{deadline:g}s"))
    _pass_deadline(shop, v2, deadline)
    assert shop.release.status()["phase"] == "AwaitingPromotion"
    assert shop.release.active() == v1.name
    shop.when_changed("v2", health=health())
    shop.when_told("Promote", v2.name, full=True)
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
    assert len(shop.release.events("StepReached")) == (1 if way.shares else 0)


@in_each_way
def test_after_an_abort_a_newer_version_is_released(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    _awaits(shop, v2)
    if way.shares:
        users.await_answer_of("v2")
    shop.when_told("Abort", v2.name)
    shop.then_fails(v2, "Aborted")
    shop.then_serves(v1)
    users.await_calm("v1")
    v3 = shop.when_applied("v3", **way.automatic)
    shop.then_serves(v3)
    users.await_calm("v3")
    assert users.so_far().failed == 0
    assert ("v2" in users.so_far().versions) == way.shares


@in_each_way
def test_retry_asks_everything_again(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    _awaits(shop, v2)
    shop.when_told("Abort")
    shop.then_fails(v2, "Aborted")
    # What it passed before does not count: by now it is asked something else.
    shop.when_changed("v2", health=health(probes=[MISSING]))
    shop.when_told("Retry")
    shop.then_fails(v2, "ProbeFailed")
    assert shop.release.active() == shop.release.selected() == v1.name
    shop.when_changed("v2", health=health(), **way.automatic)
    shop.when_told("Retry")
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0


@in_each_way
def test_a_newer_version_takes_the_place_of_one_in_flight(shop: Shop, way: Way) -> None:
    shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    _awaits(shop, v2)
    v3 = shop.when_applied("v3", **way.automatic)
    shop.then_serves(v3)
    users.await_calm("v3")
    assert users.so_far().failed == 0
    assert shop.release.revision(v2.name).phase in ("Superseded", "Retired")


@in_each_way
def test_the_earlier_spec_ends_a_release_in_flight(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    _awaits(shop, v2)
    shop.kube.apply(shop.manifest("v1"))
    shop.then_phase("Active")
    shop.then_serves(v1)
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert shop.release.revision(v2.name).phase in ("Superseded", "Retired")
    assert [item.name for item in shop.release.revisions()] == [v1.name, v2.name]


@in_each_way
def test_rollback_to_what_is_warm_is_one_move(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    v2 = shop.given_serving("v2")
    users = shop.given_users()
    shop.when_told("Rollback")
    shop.then_serves(v1)
    shop.then_fails(v2, "RolledBack")
    users.await_calm("v1")
    assert users.so_far().failed == 0


@in_each_way
def test_rollback_by_name_to_what_is_cold_brings_its_configuration(shop: Shop, way: Way) -> None:
    shop.settings.update(keepWarm="1s", **way.automatic)
    write_config(shop, "hello")
    v1 = serving_with_config(shop, "v1")
    shop.release.await_good(v1.name)
    write_config(shop, "good bye")
    v2 = serving_with_config(shop, "v2")
    shop.release.await_good(v2.name)
    serving_with_config(shop, "v3")
    users = shop.given_users()
    shop.then(f"{v1.name} at zero", lambda: shop.replicas_of(v1) == 0 or None)
    shop.when_told("Rollback", v1.name)
    shop.then_serves(v1)
    assert greeting(shop, v1) == "hello"
    users.await_calm("v1")
    assert users.so_far().failed == 0


@in_each_way
def test_an_autoscaler_sees_what_serves_and_scales_both(shop: Shop, way: Way) -> None:
    v1 = shop.given_serving("v1", **way.automatic)
    users = shop.given_users()
    v2 = shop.when_applied("v2", **way.manual)
    _awaits(shop, v2)
    scale = _scale(shop)
    assert scale["status"]["selector"] == (f"{RELEASE_LABEL}=shop,{REVISION_LABEL}={v1.name}"), (
        "Pods that only prove themselves are no measure of the load"
    )
    assert scale["status"]["replicas"] == 2
    shop.then("the autoscaler to have its way", lambda: _autoscaled(shop, 3) or None)
    for revision, pods in ((v1, 3), (v2, way.waiting_of_three)):
        shop.then(
            f"{pods} Pods of {revision.name}",
            lambda at=revision, wanted=pods: shop.replicas_of(at) == wanted or None,  # type: ignore[misc]
        )
    shop.when_told("Promote", full=True)
    shop.then_serves(v2)
    assert shop.replicas_of(v2) == 3
    users.await_calm("v2")
    assert users.so_far().failed == 0
    shop.then(
        "the autoscaler to be shown the new Pods",
        lambda: v2.name in _scale(shop)["status"]["selector"] or None,
    )


@in_each_way
def test_a_release_that_is_deleted_in_flight_leaves_nothing(shop: Shop, way: Way) -> None:
    shop.given_serving("v1", **way.automatic)
    _awaits(shop, shop.when_applied("v2", **way.manual))
    shop.kube.delete("ImmutableRelease", "shop", shop.namespace)
    shop.then("everything to be gone", lambda: not _left(shop) or None, 60)
    v3 = shop.when_applied("v3", **way.automatic)
    shop.then_serves(v3)
    users = shop.given_users()
    users.await_calm("v3")
    assert users.so_far().failed == 0


@pytest.mark.alone
def test_abort_leads_away_from_what_has_died_altogether(shop: Shop) -> None:
    """The guard is told to do nothing, so that it is the Abort that moves the traffic."""
    v1 = shop.given_serving("v1", **BLUE_GREEN.automatic)
    users = shop.given_users()
    dying = {"CRASH_AFTER": "1", "STATE_DIR": "/state"}
    alert = {"onFailure": "Alert"}
    v2 = shop.when_applied("v2", dying, guard=alert, health=health(bake="10m"))
    users.await_failure()
    shop.then("all of its Pods to be dead", lambda: _none_serves(shop, v2) or None)
    asked = time.time()
    shop.when_told("Abort", v2.name)
    shop.then_serves(v1)
    users.await_calm("v1")
    late = [item for item in users.on_new_connections().failures if item.sent > asked]
    assert not late or late[-1].answered - asked < 2.0, "one write is all that it takes"


def _awaits(shop: Shop, revision: RevisionView) -> None:
    """It passed and waits for somebody's word."""

    def look() -> bool | None:
        status = shop.release.status()
        waits = status.get("phase") == "AwaitingPromotion"
        return (waits and status.get("candidateRevision") == revision.name) or None

    shop.then(f"{revision.name} to wait for a word", look, 60)


def _pass_deadline(shop: Shop, revision: RevisionView, deadline: float) -> None:
    started = shop.release.revision(revision.name).raw["status"]["startedAt"]
    over = datetime.fromisoformat(started).timestamp() + deadline + 1
    shop.then("the deadline to be over", lambda: time.time() > over or None, deadline + 5)


def _scale(shop: Shop) -> Object:
    return shop.kube.request("GET", _scale_path(shop))


def _autoscaled(shop: Shop, replicas: int) -> bool:
    """Write what was read with another number, as an autoscaler does: anew where it has changed."""
    scale = _scale(shop)
    scale["spec"]["replicas"] = replicas
    try:
        shop.kube.request("PUT", _scale_path(shop), scale)
    except KubeError as error:
        if error.reason == "Conflict":
            return False
        raise
    return True


def _scale_path(shop: Shop) -> str:
    return KINDS["ImmutableRelease"].path(shop.namespace, "shop") + "/scale"


def _none_serves(shop: Shop, revision: RevisionView) -> bool:
    return shop.release.status().get("readyReplicas") == 0 and shop.release.active() == (
        revision.name
    )


def _left(shop: Shop) -> list[str]:
    return [
        f"{kind}/{item['metadata']['name']}"
        for kind, where in KINDS.items()
        if where.namespaced and kind != "Event"
        for item in shop.kube.list(kind, shop.namespace)
        if RELEASE_LABEL in item["metadata"].get("labels", {}) or "Release" in kind
    ]
