"""A candidate that cannot work fails before it serves, and what serves goes on."""

from collections.abc import Iterator

import pytest

from demo.images import ImageMaker, Key
from tests.e2e.broken_image import push_broken_image
from tests.e2e.shop import Shop, Users, health


@pytest.fixture
def users(shop: Shop) -> Iterator[Users]:
    """Users of v1 who must notice nothing of what is tried."""
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    yield users
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert shop.release.selected() == v1.name
    shop.then_phase("Failed")


def test_never_ready_ends_at_the_progress_deadline(shop: Shop, users: Users) -> None:
    v2 = shop.when_applied("v2", {"NOT_READY": "1"}, health=health(progressDeadline="5s"))
    failed = shop.then_fails(v2, "DeadlineExceeded")
    assert "0 of 2 Pods ready" in failed.message
    # The Deployment is kept for inspection; it shrinks once the status tells why.
    shop.then("its Deployment at zero", lambda: shop.replicas_of(v2) == 0 or None)
    shop.then("its Pods to be gone", lambda: not shop.release.pods(v2.name) or None)


def test_a_crash_loop_fails_long_before_the_deadline(shop: Shop, users: Users) -> None:
    v2 = shop.when_applied("v2", {"CRASH_ON_START": "1"}, health=health(progressDeadline="10m"))
    failed = shop.then_fails(v2, "CrashLoop")
    assert "container web" in failed.message


def test_an_image_that_cannot_be_pulled_fails_long_before_the_deadline(
    shop: Shop, users: Users, maker: ImageMaker, team: Key, registry: str
) -> None:
    image = push_broken_image(registry, "immutable-release/broken:1")
    maker.sign(image, team)
    v2 = shop.when_applied("v2", image=image.ref, health=health(progressDeadline="10m"))
    failed = shop.then_fails(v2, "ImagePullFailed")
    assert "container web" in failed.message


def test_a_probe_that_fails_fails_the_candidate_though_its_pods_are_ready(
    shop: Shop, users: Users
) -> None:
    v2 = shop.when_applied("v2", {"UNHEALTHY": "1"})
    failed = shop.then_fails(v2, "ProbeFailed")
    assert "500" in failed.message


def test_pods_that_the_api_server_refuses_fail_the_candidate(shop: Shop, users: Users) -> None:
    manifest = shop.manifest("v2")
    manifest["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = "Smoke"
    shop.kube.apply(manifest)
    shop.then_fails(shop.await_version("v2"), "DeploymentRefused")
