"""A new version takes over: only once it is proven, and without a failed request."""

from demo import manifests
from tests.e2e.shop import Shop, health

NEVER_READY = {"NOT_READY": "1"}
MANUAL = {"blueGreen": {"promotion": "Manual"}}


def test_a_new_version_takes_over_without_a_failed_request(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.when_applied("v2")
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0
    assert users.so_far().versions == ["v1", "v2"]
    assert shop.release.revision(v1.name).phase == "Superseded"
    assert shop.replicas_of(v1) == 2, "what was left stays warm"
    shop.then_phase("Active")


def test_a_template_may_be_written_in_another_way_than_it_is_kept(shop: Shop) -> None:
    written = shop.manifest("v1")
    resources = {"requests": {"cpu": "0.005", "memory": "16384Ki"}, "limits": {"cpu": "1000m"}}
    written["spec"]["template"]["spec"]["containers"][0] |= {"args": [], "resources": resources}
    shop.kube.apply(written)
    v1 = shop.await_version("v1")
    shop.then_serves(v1)
    shop.release.await_good(v1.name)


def test_manual_promotion_waits_for_somebodys_word(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    v2 = shop.when_applied("v2", strategy=MANUAL)
    shop.then_phase("AwaitingPromotion")
    assert shop.release.selected() == v1.name
    assert users.so_far().versions == ["v1"]
    shop.when_told("Promote")
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0


def test_the_first_version_of_a_manual_release_waits_too(shop: Shop) -> None:
    v1 = shop.when_applied("v1", strategy=MANUAL)
    shop.then_phase("AwaitingPromotion")
    assert shop.release.active() is None
    assert shop.when_asked("Promote")["phase"] == "Succeeded"
    shop.then_serves(v1)


def test_a_preview_is_small_until_it_is_promoted(shop: Shop) -> None:
    preview = {"blueGreen": {"promotion": "Manual", "previewReplicas": 1}}
    shop.given_serving("v1")
    v2 = shop.when_applied("v2", strategy=preview)
    shop.then_phase("AwaitingPromotion")
    assert shop.replicas_of(v2) == 1
    users = shop.given_users()
    shop.when_asked("Promote")
    shop.then_serves(v2)
    assert shop.replicas_of(v2) == 2
    users.await_calm("v2")
    assert users.so_far().failed == 0


def test_a_newer_spec_supersedes_a_candidate_that_has_not_served(shop: Shop) -> None:
    shop.given_serving("v1")
    v2 = shop.when_applied("v2", NEVER_READY)
    shop.release.await_phase(v2.name, "Starting")
    v3 = shop.when_applied("v3")
    shop.then_serves(v3)
    left = shop.release.revision(v2.name)
    assert left.phase in ("Superseded", "Retired")
    assert "activeSince" not in left.raw["status"]


def test_a_spec_that_goes_back_gets_its_earlier_revision_back(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    v2 = shop.given_serving("v2")
    shop.kube.apply(shop.manifest("v1"))
    shop.then_serves(v1)
    assert [item.name for item in shop.release.revisions()] == [v1.name, v2.name]


def test_nothing_new_starts_while_paused(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    shop.settings["paused"] = True
    applied = shop.kube.apply(shop.manifest("v2"))
    shop.then_phase("Paused")
    shop.then(
        "the paused spec to be observed",
        lambda: (
            (shop.release.status().get("observedGeneration") == applied["metadata"]["generation"])
            or None
        ),
    )
    assert shop.release.active() == shop.release.selected() == v1.name
    assert len(shop.release.deployments()) == 1
    v2 = shop.when_applied("v2", paused=False)
    shop.then_serves(v2)


def test_scaling_makes_no_revision_and_loses_no_request(shop: Shop) -> None:
    # It serves on for as long as nodes may take to look elsewhere.
    v1 = shop.given_serving("v1", {"DRAIN": "3"})
    users = shop.given_users()
    for replicas in (3, 1):
        scale = {"spec": {"replicas": replicas}}
        shop.kube.patch("ImmutableRelease", "shop", scale, shop.namespace, "/scale")
        shop.then(
            f"{replicas} ready Pods of {v1.name}",
            lambda wanted=replicas: (
                (  # type: ignore[misc]
                    shop.release.status().get("readyReplicas") == wanted
                    and len(shop.release.pods(v1.name)) == wanted
                )
                or None
            ),
        )
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert [item.name for item in shop.release.revisions()] == [v1.name]


def test_applying_the_same_manifest_again_changes_nothing(shop: Shop) -> None:
    shop.given_serving("v1")
    before = shop.release.read()
    assert shop.kube.apply(shop.manifest("v1"))["metadata"]["generation"] == 1
    assert (
        shop.release.read()["metadata"]["resourceVersion"]
        == (before["metadata"]["resourceVersion"])
    )


def test_a_tcp_probe_is_enough(shop: Shop) -> None:
    tcp = {"name": "open", "tcp": {"port": "http"}, "interval": "1s"}
    shop.given_serving("v1", health=health(probes=[tcp]))


def test_a_service_of_that_name_that_is_not_ours_is_left_alone(shop: Shop) -> None:
    shop.kube.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "shop", "namespace": shop.namespace},
            "spec": {"ports": [{"port": 80}], "selector": {"app": "other"}},
        }
    )
    shop.kube.apply(shop.manifest("v1"))
    shop.then(
        "condition NameConflict",
        lambda: shop.release.condition("Ready").get("reason") == "NameConflict" or None,
    )
    service = shop.kube.get("Service", "shop", shop.namespace)
    assert service["spec"]["selector"] == {"app": "other"}
    assert manifests.RELEASE_LABEL not in service["metadata"].get("labels", {})
