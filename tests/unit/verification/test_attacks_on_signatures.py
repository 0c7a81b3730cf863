"""Forged, confused and broken signatures: each must be refused, and for the right reason."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.verification import signing
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import key
from tests.unit.verification.simulated_registry import OCI_INDEX, OCI_MANIFEST

Attack = Callable[[Scene], object]
OTHER = "sha256:" + "ab" * 32
V1_DSSE = "application/vnd.dsse.envelope.v1+json"


def _bundle(scene: Scene, **changes: Any) -> str:
    """A bundle that is right but for top-level members."""
    return scene.bundle({**signing.bundle_for(scene.digest, key()), **changes})


def _envelope(scene: Scene, **changes: Any) -> str:
    """A bundle whose envelope was changed after signing."""
    made = signing.bundle_for(scene.digest, key())
    made["dsseEnvelope"].update(changes)
    return scene.bundle(made)


def _payload(scene: Scene, payload: bytes, **envelope: Any) -> str:
    """A bundle over a payload of any bytes, signed by the trusted key."""
    return scene.bundle(signing.bundle(signing.envelope(payload, key(), **envelope)))


def _text(scene: Scene, old: str, new: str) -> bytes:
    """The honest statement with a piece of its text replaced."""
    text = json.dumps(signing.statement(scene.digest))
    assert old in text
    return text.replace(old, new).encode()


def _hex(scene: Scene) -> str:
    return scene.digest.removeprefix("sha256:")


def _subject(scene: Scene, *digests: object) -> list[dict[str, object]]:
    return [{"digest": digest} for digest in digests]


def _swapped_payload(scene: Scene) -> str:
    """The signature of one statement under the payload of another."""
    made = signing.bundle_for(OTHER, key())
    payload = json.dumps(signing.statement(scene.digest)).encode()
    made["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    return scene.bundle(made)


def _signature_over_bare_payload(scene: Scene) -> str:
    payload = json.dumps(signing.statement(scene.digest)).encode()
    content = signing.envelope(payload, key())
    content["signatures"] = [{"sig": base64.b64encode(key().sign(payload)).decode()}]
    return scene.bundle(signing.bundle(content))


def _simple_payload_as_statement(scene: Scene) -> str:
    return _payload(scene, json.dumps(signing.simple_payload(scene.digest)).encode())


ON_BUNDLES: dict[str, tuple[Attack, str]] = {
    "a statement about another image": (
        lambda s: s.bundle(signing.bundle_for(OTHER, key())),
        "WrongSubject",
    ),
    "a payload swapped under the signature of another": (_swapped_payload, "WrongKey"),
    "a signature over the payload without its type": (_signature_over_bare_payload, "WrongKey"),
    "a signature by a key that nobody trusts": (
        lambda s: s.statement(signer=key("mallory")),
        "WrongKey",
    ),
    "a signature of another algorithm under the hint of the trusted key": (
        lambda s: s.statement(signer=key("mallory", "ed25519")),
        "WrongKey",
    ),
    "an attestation of a scan in place of a signature": (
        lambda s: s.statement(
            predicateType="https://cosign.sigstore.dev/attestation/vuln/v1",
        ),
        "WrongPredicateType",
    ),
    "a provenance whose annotation calls it a signature": (
        lambda s: s.statement(predicateType="https://slsa.dev/provenance/v1"),
        "WrongPredicateType",
    ),
    "an attestation without a hint at what it is": (
        lambda s: s.bundle(
            signing.bundle_for(s.digest, key(), predicateType="https://spdx.dev/Document"),
            predicate_hint=None,
        ),
        "WrongPredicateType",
    ),
    "a predicate type with a trailing slash": (
        lambda s: s.statement(predicateType=f"{signing.SIGN}/"),
        "WrongPredicateType",
    ),
    "no predicate type": (lambda s: s.statement(predicateType=None), "MalformedSignature"),
    "an older type of statement": (
        lambda s: s.statement(_type="https://in-toto.io/Statement/v0.1"),
        "MalformedSignature",
    ),
    "no type of statement": (
        lambda s: _payload(s, _text(s, '"_type"', '"type"')),
        "MalformedSignature",
    ),
    "a payload type that is not in-toto, signed": (
        lambda s: _payload(
            s, json.dumps(signing.statement(s.digest)).encode(), payload_type="text/plain"
        ),
        "MalformedSignature",
    ),
    "a payload type that was changed after signing": (
        lambda s: _envelope(s, payloadType="application/json"),
        "MalformedSignature",
    ),
    "a simple-signing payload in an envelope": (
        _simple_payload_as_statement,
        "MalformedSignature",
    ),
    "no subject": (lambda s: s.statement(subject=[]), "MalformedSignature"),
    "the image as one of two subjects": (
        lambda s: s.statement(subject=_subject(s, {"sha256": "ab" * 32}, {"sha256": _hex(s)})),
        "MalformedSignature",
    ),
    "the image among two thousand subjects": (
        lambda s: s.statement(subject=_subject(s, {"sha256": _hex(s)}) * 2000),
        "MalformedSignature",
    ),
    "a subject that is null": (lambda s: s.statement(subject=[None]), "MalformedSignature"),
    "a subject known by sha512 alone": (
        lambda s: s.statement(subject=_subject(s, {"sha512": "ab" * 64})),
        "MalformedSignature",
    ),
    "a subject with a second digest": (
        lambda s: s.statement(subject=_subject(s, {"sha256": _hex(s), "gitCommit": "ab" * 20})),
        "MalformedSignature",
    ),
    "a subject whose digest is in upper case": (
        lambda s: s.statement(subject=_subject(s, {"sha256": _hex(s).upper()})),
        "MalformedSignature",
    ),
    "a subject whose digest is a list": (
        lambda s: s.statement(subject=_subject(s, {"sha256": [_hex(s)]})),
        "MalformedSignature",
    ),
    "a subject named twice": (
        lambda s: _payload(s, _text(s, '"subject":', '"subject": [], "subject":')),
        "MalformedSignature",
    ),
    "a digest named twice in the subject": (
        lambda s: _payload(s, _text(s, '"sha256":', f'"sha256": "{"ab" * 32}", "sha256":')),
        "MalformedSignature",
    ),
    "bytes after the statement": (
        lambda s: _payload(s, json.dumps(signing.statement(s.digest)).encode() + b"{}"),
        "MalformedSignature",
    ),
    "a statement that is not UTF-8": (
        lambda s: _payload(s, json.dumps(signing.statement(s.digest)).encode("utf-16")),
        "MalformedSignature",
    ),
    "a statement behind a byte order mark": (
        lambda s: _payload(s, b"\xef\xbb\xbf" + json.dumps(signing.statement(s.digest)).encode()),
        "MalformedSignature",
    ),
    "an integer beyond 64 bits": (
        lambda s: _payload(
            s, _text(s, '"predicate": {}', '"predicate": {"n": 9223372036854775808}')
        ),
        "MalformedSignature",
    ),
    "a number that is not one": (
        lambda s: _payload(s, _text(s, '"predicate": {}', '"predicate": {"n": NaN}')),
        "MalformedSignature",
    ),
    "nesting ten thousand deep": (
        lambda s: _payload(
            s, _text(s, '"predicate": {}', '"predicate": ' + "[" * 10000 + "]" * 10000)
        ),
        "MalformedSignature",
    ),
    "a payload that is no JSON": (lambda s: _payload(s, b"trust me"), "MalformedSignature"),
    "a payload that is a list": (lambda s: _payload(s, b"[]"), "MalformedSignature"),
    "an empty payload": (lambda s: _envelope(s, payload=""), "MalformedSignature"),
    "a payload in base64 with rubbish in it": (
        lambda s: _envelope(s, payload="e30\n!="),
        "MalformedSignature",
    ),
    "no signature in the envelope": (
        lambda s: _envelope(s, signatures=[]),
        "MalformedSignature",
    ),
    "an empty signature": (
        lambda s: _envelope(s, signatures=[{"sig": ""}]),
        "MalformedSignature",
    ),
    "a signature of zeros": (
        lambda s: _envelope(s, signatures=[{"sig": base64.b64encode(bytes(64)).decode()}]),
        "WrongKey",
    ),
    "an ECDSA signature of r = s = 0": (
        lambda s: _envelope(s, signatures=[{"sig": base64.b64encode(b"0\6\2\1\0\2\1\0").decode()}]),
        "WrongKey",
    ),
    "two signatures in the envelope": (
        lambda s: _envelope(
            s, signatures=[*signing.bundle_for(s.digest, key())["dsseEnvelope"]["signatures"]] * 2
        ),
        "MalformedSignature",
    ),
    "a bundle of version 0.2 in the place of 0.3": (
        lambda s: _bundle(s, mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        "MalformedSignature",
    ),
    "a bundle whose media type is a list": (
        lambda s: _bundle(s, mediaType=[signing.BUNDLE]),
        "MalformedSignature",
    ),
    "a bundle without a media type": (lambda s: _bundle(s, mediaType=None), "MalformedSignature"),
    "a bundle with a certificate that is none": (
        lambda s: _bundle(s, verificationMaterial={"certificate": {"rawBytes": "AA=="}}),
        "MalformedSignature",
    ),
    "the raw key in the slot of the certificate": (
        lambda s: _bundle(
            s,
            verificationMaterial={
                "certificate": {"rawBytes": base64.b64encode(key().pem.encode()).decode()}
            },
        ),
        "MalformedSignature",
    ),
    "a key and a certificate at once": (
        lambda s: _bundle(
            s,
            verificationMaterial={"publicKey": {"hint": "x"}, "certificate": {"rawBytes": "AA=="}},
        ),
        "MalformedSignature",
    ),
    "no verification material": (
        lambda s: _bundle(s, verificationMaterial={}),
        "MalformedSignature",
    ),
    "an envelope and a message signature at once": (
        lambda s: _bundle(s, messageSignature={"signature": "AA=="}),
        "MalformedSignature",
    ),
    "a signature of a file": (
        lambda s: s.bundle(
            signing.bundle(
                {},
                dsseEnvelope=None,
                messageSignature={
                    "messageDigest": {"algorithm": "SHA2_256", "digest": _hex(s)},
                    "signature": "AA==",
                },
            )
        ),
        "UnsupportedSignature",
    ),
    "a bundle that is an envelope alone": (
        lambda s: s.bundle(signing.bundle_for(s.digest, key())["dsseEnvelope"]),
        "MalformedSignature",
    ),
    "a bundle that is no JSON": (lambda s: s.bundle(b"\x00\x01"), "MalformedSignature"),
    "a media type named twice": (
        lambda s: s.bundle(
            json.dumps(signing.bundle_for(s.digest, key()))
            .replace('"mediaType"', '"mediaType": "x", "mediaType"', 1)
            .encode()
        ),
        "MalformedSignature",
    ),
    "a bundle of two layers": (lambda s: s.bundle(layer_count=2), "MalformedSignature"),
    "a bundle of no layer": (lambda s: s.bundle(layers=[]), "MalformedSignature"),
    "a layer of a type other than the artifact's": (
        lambda s: s.bundle(layer_type=V1_DSSE),
        "MalformedSignature",
    ),
    "a manifest whose artifact is not a bundle": (
        lambda s: _listed_as_bundle(s, artifactType=V1_DSSE),
        "UnsupportedSignature",
    ),
    "a referrer of another image": (
        lambda s: s.bundle(subject={"mediaType": OCI_MANIFEST, "digest": OTHER, "size": 1}),
        "MalformedSignature",
    ),
    "a referrer without a subject": (lambda s: s.bundle(subject=None), "MalformedSignature"),
    "an index where a bundle's manifest should be": (
        lambda s: _listed_as_bundle(s, mediaType=OCI_INDEX, manifests=[]),
        "MalformedContent",
    ),
    "a layer whose size is a lie": (
        lambda s: s.bundle(layer_changes={"size": 5000}),
        "IntegrityError",
    ),
    "a layer shorter than its content": (
        lambda s: s.bundle(layer_changes={"size": 10}),
        "TooMuchData",
    ),
    "a layer of a negative size": (
        lambda s: s.bundle(layer_changes={"size": -1}),
        "MalformedContent",
    ),
    "a bundle of a megabyte": (
        lambda s: _bundle(s, comment="x" * 1024 * 1024),
        "TooMuchData",
    ),
    "fifty-one bundles": (
        lambda s: [s.statement(signer=key("mallory"), n=number) for number in range(51)],
        "TooMuchData",
    ),
    "a listed bundle that is not there": (
        lambda s: s.registry.refer(
            "team/app",
            s.digest,
            {
                "mediaType": OCI_MANIFEST,
                "digest": OTHER,
                "size": 1,
                "artifactType": signing.BUNDLE,
            },
        ),
        "IntegrityError",
    ),
    "only an attestation that says so": (
        lambda s: s.bundle(
            signing.bundle_for(s.digest, key(), predicateType="https://spdx.dev/Document"),
            predicate_hint="https://spdx.dev/Document",
        ),
        "Unsigned",
    ),
}


def _listed_as_bundle(scene: Scene, **changes: Any) -> None:
    """A referrer that the registry calls a bundle, whatever its manifest says."""
    digest = scene.bundle(**changes)
    listed = scene.registry.referrers["team/app", scene.digest]
    for descriptor in listed:
        if descriptor["digest"] == digest:
            descriptor["artifactType"] = signing.BUNDLE
    scene.registry.refer("team/app", scene.digest, listed[-1])


def _layers(scene: Scene, *layers: dict[str, Any]) -> str:
    return signing.attach_simple(scene.registry, scene.digest, *layers)


def _simple_text(scene: Scene, old: str, new: str) -> str:
    text = json.dumps(signing.simple_payload(scene.digest))
    assert old in text
    return scene.simple(text.replace(old, new).encode())


def _simple(scene: Scene, **critical: Any) -> str:
    return scene.simple(signing.simple_payload(scene.digest, **critical))


ON_SIMPLE_SIGNING: dict[str, tuple[Attack, str]] = {
    "a payload about another image": (
        lambda s: s.simple(signing.simple_payload(OTHER)),
        "WrongSubject",
    ),
    "a payload by a key that nobody trusts": (
        lambda s: s.simple(signer=key("mallory")),
        "WrongKey",
    ),
    "the signature of another payload": (
        lambda s: s.simple(signature=base64.b64encode(key().sign(b"other")).decode()),
        "WrongKey",
    ),
    "a payload of another type": (
        lambda s: _simple(s, type="atomic container signature"),
        "WrongPredicateType",
    ),
    "no type": (lambda s: _simple_text(s, '"type"', '"kind"'), "MalformedSignature"),
    "a digest whose name is in another case": (
        lambda s: _simple_text(s, "docker-manifest-digest", "Docker-manifest-digest"),
        "MalformedSignature",
    ),
    "a second digest whose name is in another case": (
        lambda s: _simple(
            s,
            image={"docker-manifest-digest": s.digest, "Docker-Manifest-Digest": OTHER},
        ),
        "MalformedSignature",
    ),
    "a digest named twice": (
        lambda s: _simple_text(
            s,
            '"docker-manifest-digest"',
            f'"docker-manifest-digest": "{OTHER}", "docker-manifest-digest"',
        ),
        "MalformedSignature",
    ),
    "critical named twice": (
        lambda s: _simple_text(s, '"critical"', '"critical": {}, "critical"'),
        "MalformedSignature",
    ),
    "a digest in upper case": (
        lambda s: _simple(s, image={"docker-manifest-digest": s.digest.upper()}),
        "MalformedSignature",
    ),
    "a digest that is a list": (
        lambda s: _simple(s, image={"docker-manifest-digest": [s.digest]}),
        "MalformedSignature",
    ),
    "a digest with a newline behind it": (
        lambda s: _simple(s, image={"docker-manifest-digest": f"{s.digest}\n"}),
        "MalformedSignature",
    ),
    "an image that is null": (lambda s: _simple(s, image=None), "MalformedSignature"),
    "a reference that is not text": (
        lambda s: _simple(s, identity={"docker-reference": 1}),
        "MalformedSignature",
    ),
    "members that nobody knows": (
        lambda s: s.simple({**signing.simple_payload(s.digest), "also": 1}),
        "MalformedSignature",
    ),
    "bytes after the payload": (
        lambda s: s.simple(json.dumps(signing.simple_payload(s.digest)).encode() + b"\n{}"),
        "MalformedSignature",
    ),
    "a payload that is not UTF-8": (
        lambda s: s.simple(json.dumps(signing.simple_payload(s.digest)).encode() + b"\xff"),
        "MalformedSignature",
    ),
    "a statement in the place of a payload": (
        lambda s: s.simple(signing.statement(s.digest)),
        "MalformedSignature",
    ),
    "an envelope in the place of a payload": (
        lambda s: s.simple(media_type=V1_DSSE),
        "UnsupportedSignature",
    ),
    "no signature beside the payload": (
        lambda s: _layers(
            s,
            {
                **signing.simple_layer(s.registry, signing.simple_payload(s.digest), key()),
                "annotations": {},
            },
        ),
        "MalformedSignature",
    ),
    "a signature that is not base64": (
        lambda s: s.simple(signature="no base64"),
        "MalformedSignature",
    ),
    "an annotation that is not text": (
        lambda s: _layers(
            s,
            {
                **signing.simple_layer(s.registry, signing.simple_payload(s.digest), key()),
                "annotations": {"dev.cosignproject.cosign/signature": 1},
            },
        ),
        "MalformedContent",
    ),
    "a signature manifest without layers": (_layers, "Unsigned"),
    "fifty-one layers": (
        lambda s: _layers(
            s,
            *[signing.simple_layer(s.registry, signing.simple_payload(s.digest), key())] * 51,
        ),
        "TooMuchData",
    ),
    "a payload of a megabyte": (
        lambda s: s.simple({**signing.simple_payload(s.digest), "optional": "x" * 1024 * 1024}),
        "TooMuchData",
    ),
    "an index at the signature's tag": (
        lambda s: s.registry.put_manifest(
            "team/app",
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []},
            tag=f"{s.digest.replace(':', '-')}.sig",
        ),
        "MalformedContent",
    ),
    "a bundle in the place of simple signing": (
        lambda s: _layers(
            s,
            signing.simple_layer(
                s.registry,
                json.dumps(signing.bundle_for(s.digest, key())).encode(),
                key(),
            ),
        ),
        "MalformedSignature",
    ),
}


@pytest.mark.parametrize(("attack", "reason"), ON_BUNDLES.values(), ids=ON_BUNDLES)
async def test_a_bundle_is_refused_for(scene: Scene, attack: Attack, reason: str) -> None:
    attack(scene)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert not verdict.retry
    assert not verdict.evidence


@pytest.mark.parametrize(("attack", "reason"), ON_SIMPLE_SIGNING.values(), ids=ON_SIMPLE_SIGNING)
async def test_simple_signing_is_refused_for(scene: Scene, attack: Attack, reason: str) -> None:
    attack(scene)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert not verdict.retry
    assert not verdict.evidence


@pytest.mark.parametrize("name", sorted(ON_BUNDLES.keys() - {"fifty-one bundles"}))
async def test_a_bad_bundle_cannot_take_away_a_good_one(scene: Scene, name: str) -> None:
    ON_BUNDLES[name][0](scene)
    good = signing.bundle_for(scene.digest, key("bob"))
    scene.bundle(good)
    verdict = await scene.verify(scene.trust(key("bob")))
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed"), verdict.message


async def test_the_signature_of_one_image_copied_to_another_does_not_count(scene: Scene) -> None:
    other = signing.push_image(scene.registry, tag="2.0")
    assert other != scene.digest
    scene.bundle(signing.bundle_for(other, key()))
    signing.attach_simple(
        scene.registry,
        scene.digest,
        signing.simple_layer(scene.registry, signing.simple_payload(other), key()),
    )
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongSubject")


async def test_the_message_names_container_image_policy_and_what_to_do(scene: Scene) -> None:
    scene.statement(signer=key("mallory"))
    verdict = await scene.verify()
    for part in ("container app", scene.image, "policy trust", "key-0", "sign the image"):
        assert part in verdict.message
