"""Only what the team signed is ever started; what cannot be established is neither yes nor no."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from demo import manifests
from demo.images import Image, ImageMaker, Key, Layout
from demo.releases import RevisionView
from devcluster import tool
from devcluster.layout import REGISTRY, REGISTRY_WITH_REFERRERS
from tests.e2e.gate import Gate
from tests.e2e.shop import Shop


@dataclass(frozen=True)
class Workshop:
    """What a test makes its images with."""

    maker: ImageMaker
    team: Key
    stranger: Key
    registry: str


@pytest.fixture
def workshop(maker: ImageMaker, team: Key, stranger: Key, registry: str) -> Workshop:
    """Keys and a maker of images."""
    return Workshop(maker, team, stranger, registry)


def _bundle_by_tag(workshop: Workshop) -> Image:
    image = workshop.maker.build("bundle-by-tag", {})
    workshop.maker.sign(image, workshop.team)
    return image


def _bundle_by_referrers(workshop: Workshop) -> Image:
    if workshop.registry != REGISTRY:
        pytest.skip("only the local cluster has a registry with the referrers API")
    image = workshop.maker.build("bundle-by-referrers", {}, REGISTRY_WITH_REFERRERS)
    workshop.maker.sign(image, workshop.team)
    return image


def _simple_signing(workshop: Workshop) -> Image:
    image = workshop.maker.build("simple-signing", {})
    workshop.maker.sign(image, workshop.team, Layout.SIMPLE)
    return image


def _signed_by_both(workshop: Workshop) -> Image:
    image = workshop.maker.build("signed-by-both", {})
    workshop.maker.sign(image, workshop.stranger)
    workshop.maker.sign(image, workshop.team)
    return image


@pytest.mark.parametrize(
    ("make", "format_"),
    [
        pytest.param(_bundle_by_tag, "Bundle", id="cosign v3, found by the fallback tag"),
        pytest.param(_bundle_by_referrers, "Bundle", id="cosign v3, found by the referrers API"),
        pytest.param(_simple_signing, "SimpleSigning", id="cosign v2"),
        pytest.param(_signed_by_both, "Bundle", id="a stranger's signature beside the team's"),
    ],
)
def test_what_the_team_signed_is_released(
    shop: Shop, workshop: Workshop, make: Callable[[Workshop], Image], format_: str
) -> None:
    image = make(workshop)
    revision = shop.when_applied("v1", image=image.ref)
    served = shop.then_serves(revision)
    assert served.images == [image.pinned], "a tag is resolved to its digest"
    verification = served.raw["status"]["verification"]
    assert verification["verdict"] == "Verified"
    (evidence,) = verification["evidence"]
    assert (evidence["container"], evidence["authority"], evidence["format"]) == (
        "web",
        "team",
        format_,
    )
    (pod, *_) = shop.release.pods(revision.name)
    assert pod["spec"]["containers"][0]["image"] == image.pinned


def _unsigned(workshop: Workshop) -> Image:
    return workshop.maker.build("unsigned", {})


def _foreign(workshop: Workshop) -> Image:
    image = workshop.maker.build("foreign", {})
    workshop.maker.sign(image, workshop.stranger)
    return image


def _signature_of_another(workshop: Workshop) -> Image:
    """The team's signature, moved to an image that they never signed."""
    signed = _simple_signing(workshop)
    image = workshop.maker.build("borrowed", {})
    _copy(f"{signed.repository}:{_tag(signed)}.sig", f"{image.repository}:{_tag(image)}.sig")
    return image


def _bundle_of_another(workshop: Workshop) -> Image:
    signed = _bundle_by_tag(workshop)
    image = workshop.maker.build("borrowed-bundle", {})
    _copy(f"{signed.repository}:{_tag(signed)}", f"{image.repository}:{_tag(image)}")
    return image


def _tag(image: Image) -> str:
    return image.digest.replace(":", "-")


def _copy(source: str, target: str) -> None:
    command = [str(tool("crane")), "copy", "--insecure", source, target]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(_unsigned, id="nobody signed it"),
        pytest.param(_foreign, id="a stranger signed it"),
        pytest.param(_signature_of_another, id="cosign v2 signature of another digest"),
        pytest.param(_bundle_of_another, id="cosign v3 bundle of another digest"),
    ],
)
def test_anything_else_is_rejected_and_never_started(
    shop: Shop, workshop: Workshop, make: Callable[[Workshop], Image]
) -> None:
    v1 = shop.given_serving("v1")
    revision = shop.when_applied("v2", image=make(workshop).ref)
    _rejected(shop, revision, "web")
    assert shop.release.active() == shop.release.selected() == v1.name


def test_an_unsigned_init_container_is_rejected_too(
    shop: Shop, workshop: Workshop, image: Image
) -> None:
    manifest = shop.manifest("v1")
    init: dict[str, Any] = {
        **manifests.container(_unsigned(workshop).ref),
        "name": "prepare",
    }
    for field in ("ports", "readinessProbe"):
        del init[field]
    manifest["spec"]["template"]["spec"]["initContainers"] = [init]
    shop.kube.apply(manifest)
    _rejected(shop, shop.await_version("v1"), "prepare")


def test_a_rejected_revision_is_tried_again_only_on_request(shop: Shop, workshop: Workshop) -> None:
    image = workshop.maker.build("signed-too-late", {})
    revision = shop.when_applied("v1", image=image.ref)
    _rejected(shop, revision, "web")
    workshop.maker.sign(image, workshop.team)
    answer = shop.when_asked("Retry")
    assert answer["phase"] == "Succeeded", answer
    shop.then_serves(revision)


def test_an_unreachable_registry_is_neither_a_pass_nor_a_refusal(
    shop: Shop, image: Image, gate: Gate
) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    gate.shut()
    try:
        # By digest: a tag could not even be resolved.
        pinned = f"{gate.address}/{image.pinned.partition('/')[2]}"
        v2 = shop.when_applied("v2", image=pinned)
        assert shop.then("Verified to be Unknown", lambda: _why_unknown(shop)) != "Unsigned"
        assert shop.release.revision(v2.name).phase == "Pending"
        assert shop.replicas_of(v2) is None
        assert shop.release.selected() == v1.name
    finally:
        gate.open()
    shop.then_serves(v2)
    users.await_calm("v2")
    assert users.so_far().failed == 0


def _why_unknown(shop: Shop) -> str | None:
    """Why nothing is known after somebody asked; before that it is so of every revision."""
    verified = shop.release.condition("Verified")
    if verified.get("status") != "Unknown" or verified["reason"] == "Pending":
        return None
    return str(verified["reason"])


def _rejected(shop: Shop, revision: RevisionView, container: str) -> None:
    rejected = shop.release.await_phase(revision.name, "Rejected", 30)
    assert container in rejected.message
    shop.then_phase("Rejected")
    verified = shop.release.condition("Verified")
    assert verified["status"] == "False"
    assert container in verified["message"]
    assert container in shop.event("Rejected")
    assert shop.replicas_of(revision) is None, "no Deployment was made"
