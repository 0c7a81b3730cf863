"""Registries that do not say of what type a referrer is: its manifest is asked, within bounds."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from immutablerelease.verification.discovery import MAX_ARTIFACTS
from tests.unit.verification import attesting, signing
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.simulated_registry import OCI_MANIFEST

EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with set_up() as made:
        yield made


def untyped(scene: Scene, artifact_type: str | None) -> None:
    """Have the registry tell of all referrers what go-containerregistry tells."""
    for item in list(scene.registry.referrers["team/app", scene.digest]):
        told = {name: item[name] for name in ("mediaType", "digest", "size")}
        if artifact_type is not None:
            told["artifactType"] = artifact_type
        scene.registry.refer("team/app", scene.digest, told)


def other_artifact(scene: Scene, number: int, **changes: Any) -> str:
    """Something that refers to the image and is no bundle."""
    config = scene.registry.put_blob(b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.scan",
        "config": {"mediaType": EMPTY, "digest": config, "size": 2},
        "layers": [],
        "subject": {"mediaType": OCI_MANIFEST, "digest": scene.digest, "size": 1},
        "annotations": {"number": str(number)},
        **changes,
    }
    return scene.registry.put_manifest("team/app", manifest)


@pytest.mark.parametrize("artifact_type", [EMPTY, "", None], ids=["the config's", "empty", "none"])
@pytest.mark.parametrize("api", [True, False], ids=["referrers API", "fallback tag"])
async def test_a_signature_is_found_by_its_manifest(
    scene: Scene, artifact_type: str | None, api: bool
) -> None:
    scene.registry.lies.referrers_api = api
    scene.bundle()
    untyped(scene, artifact_type)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed"), verdict.message
    # The referrers, perhaps by the tag, the manifest and the bundle: no more than elsewhere.
    assert len(scene.registry.requests) == (3 if api else 4)


async def test_what_is_no_bundle_is_not_read_any_further(scene: Scene) -> None:
    scene.bundle()
    others = [other_artifact(scene, number) for number in range(5)]
    untyped(scene, EMPTY)
    assert (await scene.verify()).verdict == "Verified"
    assert all(scene.registry.paths().count(f"/v2/team/app/manifests/{d}") == 1 for d in others)
    assert len(scene.registry.requests) == 1 + 1 + 1 + len(others)


async def test_only_other_things_are_no_signature(scene: Scene) -> None:
    other_artifact(scene, 1)
    untyped(scene, EMPTY)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")


async def test_an_attestation_is_still_no_signature(scene: Scene) -> None:
    attesting.attest(scene, attesting.SLSA, attesting.slsa())
    untyped(scene, EMPTY)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")
    wanted = scene.trust(signature="Ignored", attestations=[attesting.BUILT_HERE])
    assert (await scene.verify(wanted)).verdict == "Verified"


async def test_a_strangers_signature_is_refused_as_elsewhere(scene: Scene) -> None:
    scene.statement(signer=signing.key("mallory"))
    untyped(scene, EMPTY)
    assert (await scene.verify()).reason == "WrongKey"


async def test_more_than_are_read_are_refused_before_any_is(scene: Scene) -> None:
    scene.bundle()
    for number in range(MAX_ARTIFACTS):
        other_artifact(scene, number)
    untyped(scene, EMPTY)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "TooMuchData")
    assert "51 referrers of unknown type" in verdict.message
    assert len(scene.registry.requests) == 1


@pytest.mark.parametrize(
    "annotations", [None, {"dev.sigstore.bundle.predicateType": "https://example.com/lie"}]
)
async def test_a_hint_in_the_manifest_can_only_hide(
    scene: Scene, annotations: dict[str, str] | None
) -> None:
    scene.bundle(annotations=annotations)
    untyped(scene, EMPTY)
    assert (await scene.verify()).reason == ("Unsigned" if annotations else "Signed")


async def test_one_that_cannot_be_had_is_not_taken_for_nothing(scene: Scene) -> None:
    manifest = scene.bundle()
    untyped(scene, EMPTY)
    scene.registry.lies.status[manifest] = 503
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Unknown", "RegistryUnavailable")


async def test_an_altered_manifest_is_refused(scene: Scene) -> None:
    manifest = scene.bundle()
    untyped(scene, EMPTY)
    honest, media_type = scene.registry.manifests["team/app", manifest]
    altered = {**json.loads(honest), "artifactType": "application/vnd.example.scan"}
    scene.registry.manifests["team/app", manifest] = (json.dumps(altered).encode(), media_type)
    assert (await scene.verify()).reason == "DigestMismatch"
