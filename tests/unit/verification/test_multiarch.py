"""One platform of an index passes through the index, if the policy names it, and not otherwise."""

from collections.abc import Callable
from typing import Any

import pytest

from immutablerelease.verification.verdict import ImageUse, Verdict
from tests.unit.verification import attesting, signing
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import Key, key
from tests.unit.verification.simulated_registry import OCI_INDEX, OCI_MANIFEST

DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OTHER = "sha256:" + "ab" * 32


def _index(scene: Scene, *digests: str, media_type: str = OCI_INDEX, **changes: Any) -> str:
    listed = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": 1} for digest in digests]
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed, **changes}
    return scene.registry.put_manifest("team/app", document)


def _sign(scene: Scene, digest: str, signer: Key | None = None) -> None:
    signing.attach_bundle(scene.registry, digest, signing.bundle_for(digest, signer or key()))


async def _verify(scene: Scene, *parents: str, digest: str = "", **spec: Any) -> Verdict:
    image = f"{scene.registry.host}/team/app@{digest or scene.digest}"
    return await scene.verify(
        scene.trust(parents=list(parents), **spec), images=[ImageUse("app", False, image)]
    )


async def test_an_index_that_is_signed_verifies(scene: Scene) -> None:
    index = _index(scene, scene.digest)
    _sign(scene, index)
    assert (await _verify(scene, digest=index)).verdict == "Verified"


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
async def test_a_platform_passes_through_the_index_that_the_policy_names(
    scene: Scene, media_type: str
) -> None:
    index = _index(scene, OTHER, scene.digest, media_type=media_type)
    _sign(scene, index)
    verdict = await _verify(scene, OTHER, index)
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed"), verdict.message
    assert f"through the index {index}" in verdict.message
    assert (verdict.evidence[0].parent, verdict.evidence[0].image) == (index, scene.image)


async def test_attestations_of_the_index_are_those_of_its_platforms(scene: Scene) -> None:
    index = _index(scene, scene.digest)
    payload = attesting.statement(index, attesting.SLSA, attesting.slsa())
    made = signing.bundle(signing.envelope(payload, key()))
    signing.attach_bundle(scene.registry, index, made, predicate_hint=attesting.SLSA)
    verdict = await _verify(scene, index, attestations=[attesting.BUILT_HERE], signature="Ignored")
    assert verdict.verdict == "Verified", verdict.message
    assert verdict.source is not None


async def test_a_platform_that_is_signed_itself_needs_no_index(scene: Scene) -> None:
    _sign(scene, scene.digest)
    verdict = await _verify(scene, OTHER)
    assert (verdict.verdict, verdict.evidence[0].parent) == ("Verified", None)
    assert not any(OTHER in path for path in scene.registry.paths())


Attack = Callable[[Scene], str]


def _signed(scene: Scene, index: str, signer: Key | None = None) -> str:
    _sign(scene, index, signer)
    return index


def _nested(scene: Scene) -> str:
    inner = _index(scene, scene.digest)
    listed = [{"mediaType": OCI_INDEX, "digest": inner, "size": 1}]
    return _signed(scene, _index(scene, manifests=listed))


def _as_an_index(scene: Scene) -> str:
    listed = [{"mediaType": OCI_INDEX, "digest": scene.digest, "size": 1}]
    return _signed(scene, _index(scene, manifests=listed))


def _an_image(scene: Scene) -> str:
    return _signed(scene, signing.push_image(scene.registry, tag="other"))


def _swapped(scene: Scene) -> str:
    """A signed index whose bytes the registry replaces by those of one that lists the image."""
    index, lie = _signed(scene, _index(scene, OTHER)), _index(scene, scene.digest)
    scene.registry.manifests["team/app", index] = scene.registry.manifests["team/app", lie]
    return index


def _elsewhere(scene: Scene) -> str:
    """Signed, lists the image, but lies in another repository."""
    index = _signed(scene, _index(scene, scene.digest))
    scene.registry.manifests["team/base", index] = scene.registry.manifests.pop(("team/app", index))
    return index


def _two_kinds(scene: Scene) -> str:
    return _signed(scene, _index(scene, scene.digest, config={}, layers=[]))


ATTACKS: dict[str, tuple[Attack, str]] = {
    "an index that nobody signed": (lambda s: _index(s, s.digest), "Unsigned"),
    "an index by a key that nobody trusts": (
        lambda s: _signed(s, _index(s, s.digest), key("mallory")),
        "WrongKey",
    ),
    "a signed index that does not list the image": (
        lambda s: _signed(s, _index(s, OTHER)),
        "Unsigned",
    ),
    "a signed index of no image": (lambda s: _signed(s, _index(s)), "Unsigned"),
    "an index within a signed index": (_nested, "Unsigned"),
    "an image that is listed as an index": (_as_an_index, "Unsigned"),
    "a signed image in place of an index": (_an_image, "MalformedContent"),
    "an index whose bytes are another's": (_swapped, "DigestMismatch"),
    "an index of another repository": (_elsewhere, "Unsigned"),
    "an index that is an image as well": (_two_kinds, "MalformedContent"),
    "an index of more images than anything honest": (
        lambda s: _signed(s, _index(s, *[s.digest] * 1001)),
        "TooMuchData",
    ),
}


@pytest.mark.parametrize(("attack", "reason"), ATTACKS.values(), ids=ATTACKS)
async def test_a_platform_does_not_pass_through(scene: Scene, attack: Attack, reason: str) -> None:
    verdict = await _verify(scene, attack(scene))
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message


async def test_an_index_is_not_searched_for(scene: Scene) -> None:
    index = _signed(scene, _index(scene, scene.digest))
    scene.registry.put_manifest(
        "team/app", scene.registry.manifests["team/app", index][0], tag="latest"
    )
    verdict = await _verify(scene)
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")


async def test_an_index_that_cannot_be_asked_for_is_not_an_answer(scene: Scene) -> None:
    index = _signed(scene, _index(scene, scene.digest))
    scene.registry.lies.status[f"/manifests/{index}"] = 503
    assert (await _verify(scene, index)).verdict == "Unknown"
