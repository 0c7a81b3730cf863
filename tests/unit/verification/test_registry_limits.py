"""However much a registry has to offer, so much is read and no more."""

from collections.abc import Callable

import pytest

from immutablerelease.verification.registry import MAX_PAGES, MAX_REFERRERS
from tests.unit.verification import signing
from tests.unit.verification.scene import Scene
from tests.unit.verification.simulated_registry import OCI_MANIFEST


def _refer(scene: Scene, count: int) -> None:
    """So many referrers that are nothing to us, in a list of their own."""
    scene.registry.referrers["team/app", scene.digest] = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": f"sha256:{number:064x}",
            "size": 1,
            "artifactType": "application/example",
        }
        for number in range(count)
    ]


def _many_pages(scene: Scene) -> None:
    _refer(scene, MAX_PAGES + 1)
    scene.registry.lies.page_size = 1


def _many_on_one_page(scene: Scene) -> None:
    _refer(scene, MAX_REFERRERS + 1)


def _many_on_some_pages(scene: Scene) -> None:
    _refer(scene, MAX_REFERRERS + 1)
    scene.registry.lies.page_size = 600


def _many_at_the_fallback_tag(scene: Scene) -> None:
    scene.registry.lies.referrers_api = False
    _refer(scene, MAX_REFERRERS)
    last = {"mediaType": OCI_MANIFEST, "digest": scene.digest, "size": 1}
    scene.registry.refer("team/app", scene.digest, last)


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (_many_pages, "IntegrityError"),
        (_many_on_one_page, "TooMuchData"),
        (_many_on_some_pages, "TooMuchData"),
        (_many_at_the_fallback_tag, "TooMuchData"),
    ],
)
async def test_referrers_without_end_are_refused(
    scene: Scene, offer: Callable[[Scene], None], reason: str
) -> None:
    offer(scene)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert len(scene.registry.requests) <= MAX_PAGES + 1


async def test_as_many_pages_as_are_read_are_read(scene: Scene) -> None:
    scene.bundle()
    bundle = scene.registry.referrers["team/app", scene.digest][0]
    _refer(scene, MAX_PAGES - 1)
    scene.registry.referrers["team/app", scene.digest].append(bundle)
    scene.registry.lies.page_size = 1
    assert (await scene.verify()).verdict == "Verified"


async def test_signatures_without_end_are_not_read(scene: Scene) -> None:
    payload = signing.simple_payload(scene.digest)
    layer = signing.simple_layer(scene.registry, payload, signing.key())
    signing.attach_simple(scene.registry, scene.digest, *[layer] * 51)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "TooMuchData")
    assert not any("/blobs/" in path for path in scene.registry.paths())
