"""What is refused, and why; cosign agrees."""

import base64
import json
from typing import Any

import pytest

from tests.sigstore.authorities import Authority, Keyed, Keyless
from tests.sigstore.signing import KEY, OTHER_KEY
from tests.sigstore.world import Image, World


async def _refused(world: World, image: Image, authority: Authority) -> tuple[str, str]:
    """Why the operator refuses the image, when cosign does as well."""
    said = world.cosigns(image, authority)
    assert not said.ok, said.output
    verdict = await world.verdict(image, authority)
    assert verdict.verdict == "Refused", verdict.message
    return verdict.reason, verdict.message


async def test_nobody_signed(world: World, alice: Keyless) -> None:
    reason, _ = await _refused(world, world.images["unsigned"], alice)
    assert reason == "Unsigned"


async def test_somebody_else_signed(world: World, alice: Keyless) -> None:
    reason, message = await _refused(world, world.images["mallory"], alice)
    assert reason == "WrongIdentity"
    assert "mallory@shop.example" in message


async def test_another_issuer_vouched(world: World, alice: Keyless) -> None:
    """Fulcio believes the issuer too; the policy does not."""
    image = world.images["other issuer"]
    reason, message = await _refused(world, image, alice)
    assert reason == "WrongIdentity"
    assert world.issuers[1] in message
    other = alice.but(issuer=world.issuers[1])
    assert (await world.verdict(image, other)).verdict == "Verified"


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        ("foreign", "NoTrustedTime"),
        ("foreign_fulcio", "UntrustedCertificate"),
        ("foreign_ctfe", "CertificateNotLogged"),
        ("foreign_rekor", "NotLogged"),
        ("foreign_tsa", "NoTrustedTime"),
    ],
)
@pytest.mark.parametrize("name", ["keyless", "keyless, no referrers"])
async def test_another_service_is_trusted(
    world: World, alice: Keyless, root: str, reason: str, name: str
) -> None:
    found, _ = await _refused(world, world.images[name], alice.but(root=f"{root}.json"))
    assert found == reason


@pytest.mark.parametrize("name", ["keyed", "keyed, cosign v2", "keyed, logged"])
async def test_another_key_signed(world: World, name: str) -> None:
    file = f"{OTHER_KEY}.pub"
    reason, _ = await _refused(world, world.images[name], Keyed(file, world.keys[file]))
    assert reason == "WrongKey"


async def test_a_key_is_no_identity(world: World, alice: Keyless) -> None:
    await _refused(world, world.images["keyed"], alice)
    key = Keyed(f"{KEY}.pub", world.keys[f"{KEY}.pub"])
    await _refused(world, world.images["keyless"], key)


async def test_a_layer_was_replaced_and_the_signature_kept(world: World, alice: Keyless) -> None:
    signed = world.images["keyless"]
    image = _with_layer(signed, b"something else")
    manifest, _ = _signature(signed)
    _attach(image, manifest)
    reason, _ = await _refused(world, image, alice)
    assert reason == "WrongSubject"


async def test_a_signature_was_made_to_speak_of_another_image(world: World, alice: Keyless) -> None:
    signed = world.images["keyless"]
    image = _with_layer(signed, b"something else again")
    manifest, bundle = _signature(signed)
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"]).decode()
    said, meant = (item.digest.removeprefix("sha256:") for item in (signed, image))
    envelope["payload"] = base64.b64encode(payload.replace(said, meant).encode()).decode()
    media_type = manifest["layers"][0]["mediaType"]
    content = json.dumps(bundle).encode()
    layer = image.registry.push_blob(image.repository, media_type, content)
    _attach(image, {**manifest, "layers": [layer]})
    reason, _ = await _refused(world, image, alice)
    assert reason == "WrongKey"


async def test_the_registry_altered_a_layer_of_the_signature(world: World, alice: Keyless) -> None:
    image = world.images["keyless, no referrers"]
    index = image.registry.manifest(image.repository, image.tag)
    digest = index["manifests"][0]["digest"]
    layer = image.registry.manifest(image.repository, digest)["layers"][0]["digest"]
    file = image.registry.blob_file(layer)
    honest = file.read_bytes()
    try:
        file.write_bytes(honest.replace(b'"payload"', b'"paylOad"'))
        reason, _ = await _refused(world, image, alice)
    finally:
        file.write_bytes(honest)
    assert reason == "DigestMismatch"
    assert (await world.verdict(image, alice)).verdict == "Verified"


def _with_layer(image: Image, content: bytes) -> Image:
    digest = image.registry.push_image(image.repository, content)
    return Image(image.registry, image.repository, digest)


def _signature(image: Image) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest of the signature, and the bundle that it is about."""
    (referrer,) = image.registry.referrers(image.repository, image.digest)
    manifest = image.registry.manifest(image.repository, referrer["digest"])
    layer = image.registry.blob(image.repository, manifest["layers"][0]["digest"])
    return manifest, json.loads(layer)


def _attach(image: Image, manifest: dict[str, Any]) -> None:
    """Refer to the image by a copy of the manifest."""
    subject = image.registry.manifest(image.repository, image.digest)
    described = {
        "mediaType": subject["mediaType"],
        "digest": image.digest,
        "size": len(json.dumps(subject).encode()),
    }
    image.registry.push_manifest(image.repository, {**manifest, "subject": described})
