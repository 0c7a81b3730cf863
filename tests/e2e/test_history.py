"""What is kept, what is removed, and that nothing is left of a release that was deleted."""

from demo.kube import KINDS
from demo.manifests import RELEASE_LABEL
from tests.e2e.shop import Shop


def test_history_is_kept_up_to_its_limit_and_never_less_than_is_needed(shop: Shop) -> None:
    shop.settings.update(historyLimit=1, keepWarm="0s")
    served = [shop.given_serving(version) for version in ("v1", "v2", "v3", "v4")]
    names = [revision.name for revision in served]
    # v4 serves, v3 is where a revert would go, v2 is the history of one.
    kept = names[1:]
    shop.then(
        f"only {', '.join(kept)} to be left",
        lambda: [item.name for item in shop.release.revisions()] == kept or None,
    )
    shop.then(
        "the Deployment of v1 to be gone",
        lambda: shop.kube.find("Deployment", names[0], shop.namespace) is None or None,
    )
    assert shop.release.status()["knownGoodRevision"] == names[2]


def test_what_was_left_is_scaled_down_when_it_is_no_longer_kept_warm(shop: Shop) -> None:
    v1 = shop.given_serving("v1", keepWarm="1s")
    users = shop.given_users()
    v2 = shop.given_serving("v2")
    shop.then(f"{v1.name} at zero", lambda: shop.replicas_of(v1) == 0 or None)
    shop.then("its Pods to be gone", lambda: not shop.release.pods(v1.name) or None)
    shop.release.await_phase(v1.name, "Retired", 10)
    users.await_calm("v2")
    assert users.so_far().failed == 0
    assert shop.replicas_of(v2) == 2


def test_nothing_is_left_of_a_release_that_was_deleted(shop: Shop) -> None:
    shop.given_serving("v1")
    shop.given_serving("v2")
    metadata = shop.release.read()["metadata"]
    assert "finalizers" not in metadata
    assert not [key for key in metadata.get("annotations", {}) if "kopf" in key]
    shop.kube.delete("ImmutableRelease", "shop", shop.namespace)
    shop.then("everything to be gone", lambda: not _left(shop) or None, 60)


def _left(shop: Shop) -> list[str]:
    return [
        f"{kind}/{item['metadata']['name']}"
        for kind, where in KINDS.items()
        if where.namespaced and kind != "Event"
        for item in shop.kube.list(kind, shop.namespace)
        if RELEASE_LABEL in item["metadata"].get("labels", {}) or "Release" in kind
    ]
