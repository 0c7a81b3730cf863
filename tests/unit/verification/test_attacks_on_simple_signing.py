"""Keyless signatures in the older layout: what its annotations can be made to say."""

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.unit.verification import keyless, signing
from tests.unit.verification.keyless import (
    Attack,
    Case,
    Keyless,
    attach_simple,
    changed,
)
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import key
from tests.unit.verification.simulated_sigstore import (
    CA,
    MINUTE,
    T0,
    b64,
    foreign,
    impostor,
    trusted,
)

LATE = T0 + 60 * MINUTE
_OTHER_HASH = hashlib.sha256(b"something else").digest()


def _pem() -> str:
    return b64(Keyless().pem)


def _promise(path: str, value: Any) -> Attack:
    return lambda scene: attach_simple(scene, Keyless(stamped_at=[], entry=changed(path, value)))


def _simple(**annotations: Any) -> Attack:
    return lambda scene: attach_simple(
        scene,
        Keyless(stamped_at=[]),
        **{f"dev.sigstore.cosign/{name}": value for name, value in annotations.items()},
    )


def _forged_promise(scene: Scene) -> str | None:
    """Everything right but that the log never signed it."""

    def forged(made: dict[str, Any]) -> dict[str, Any]:
        payload = made["Payload"]
        body = json.dumps(payload["body"]).encode()
        promise = impostor(1).promise(body, payload["integratedTime"], payload["logIndex"])
        return made | {"SignedEntryTimestamp": b64(promise)}

    return attach_simple(scene, Keyless(stamped_at=[], entry=forged))


def _timestamp(made: bytes) -> str:
    return json.dumps({"SignedRFC3161Timestamp": b64(made)})


ON_SIMPLE_SIGNING: dict[str, Case] = {
    "no entry of a log": (_simple(bundle=None), "NotLogged", "0 log entries"),
    "an entry that the log never promised": (_forged_promise, "NotLogged", "promise of the log"),
    "an entry of a log that nobody trusts": (
        _promise("Payload.logID", foreign().log1.id.hex()),
        "NotLogged",
        "does not name",
    ),
    "a log that is not named in hex digits": (
        _promise("Payload.logID", "log1"),
        "MalformedSignature",
        "not hex",
    ),
    "a time that the log did not promise": (
        _promise("Payload.integratedTime", int((T0 + 2 * MINUTE).timestamp())),
        "NotLogged",
        "promise of the log",
    ),
    "a time that is a truth value": (
        _promise("Payload.integratedTime", True),
        "MalformedSignature",
        "not natural numbers",
    ),
    "a place below zero": (
        _promise("Payload.logIndex", -1),
        "MalformedSignature",
        "not natural numbers",
    ),
    "an entry without a body": (_promise("Payload.body", ""), "MalformedSignature", "body"),
    "an entry that is no JSON": (_simple(bundle="{"), "MalformedSignature", "not JSON"),
    "a promise after the certificate expired": (
        lambda s: attach_simple(s, Keyless(stamped_at=[], logged_at=LATE)),
        "UntrustedCertificate",
        "as of 2026-03-01T13:00:00Z",
    ),
    "the entry of another payload": (
        lambda s: attach_simple(
            s, Keyless(stamped_at=[], body=changed("spec.data.hash.value", _OTHER_HASH.hex()))
        ),
        "WrongLogEntry",
        "another content",
    ),
    "the entry of another signature": (
        lambda s: attach_simple(
            s,
            Keyless(
                stamped_at=[], body=changed("spec.signature.content", b64(b"another signature"))
            ),
        ),
        "WrongLogEntry",
        "another signature",
    ),
    "the entry of another certificate": (
        lambda s: attach_simple(
            s, Keyless(stamped_at=[], body=changed("spec.signature.publicKey.content", _pem()))
        ),
        "WrongLogEntry",
        "another certificate",
    ),
    "the entry of a bare key": (
        lambda s: attach_simple(
            s,
            Keyless(
                stamped_at=[],
                body=changed("spec.signature.publicKey.content", b64(key().pem.encode())),
            ),
        ),
        "WrongLogEntry",
        "records a bare key",
    ),
    "two certificates": (
        _simple(certificate=(Keyless().pem * 2).decode()),
        "MalformedSignature",
        "2 certificates",
    ),
    "the raw key in the place of the certificate": (
        _simple(certificate=key().pem),
        "MalformedSignature",
        "not PEM",
    ),
    "the certificate of another signature": (
        _simple(certificate=Keyless().pem.decode()),
        "WrongKey",
        "not by the key of its certificate",
    ),
    "another authority, whose chain comes along": (
        lambda s: attach_simple(
            s,
            Keyless(stamped_at=[], ca=foreign().ca),
            **{"dev.sigstore.cosign/chain": _chain_pem(foreign().ca)},
        ),
        "UntrustedCertificate",
        "does not lead to an authority",
    ),
    "a timestamp of a clock that nobody trusts": (
        lambda s: attach_simple(s, Keyless(clock=foreign().clock)),
        "NoTrustedTime",
        "timestamp:",
    ),
    "a timestamp that is no JSON": (
        _simple(rfc3161timestamp="x"),
        "MalformedSignature",
        "timestamp annotation",
    ),
    "a timestamp of something else": (
        _simple(rfc3161timestamp=_timestamp(trusted().clock.stamp(b"x", T0 + MINUTE))),
        "NoTrustedTime",
        "Mismatch between messages",
    ),
    "a payload about another image": (
        lambda s: attach_simple(
            s, Keyless(stamped_at=[]), signing.simple_payload("sha256:" + "ab" * 32)
        ),
        "WrongSubject",
        "expected sha256:",
    ),
    "a payload that calls itself something else": (
        lambda s: attach_simple(
            s, Keyless(stamped_at=[]), signing.simple_payload(s.digest, type="attestation")
        ),
        "WrongPredicateType",
        "attestation",
    ),
}


def _chain_pem(ca: CA) -> str:
    return "".join(item.public_bytes(Encoding.PEM).decode() for item in ca.chain)


@pytest.mark.parametrize(
    ("attack", "reason", "told"), ON_SIMPLE_SIGNING.values(), ids=ON_SIMPLE_SIGNING
)
async def test_simple_signing_is_refused_for(
    scene: Scene, attack: Attack, reason: str, told: str
) -> None:
    root = attack(scene)
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert told in verdict.message
