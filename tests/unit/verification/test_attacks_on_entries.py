"""Entries that a trusted log does hold, but of something else than the signature they came with."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.verification import keyless
from tests.unit.verification.keyless import (
    Attack,
    Case,
    Keyless,
    attach,
    changed,
    hashedrekord1,
)
from tests.unit.verification.scene import Scene
from tests.unit.verification.simulated_sigstore import (
    b64,
    certificate_der,
    new_key,
    spki,
    trusted,
)


def _v1(**changes: Any) -> Attack:
    return lambda scene: attach(scene, Keyless(log=trusted().log1, **changes))


def _v2(**changes: Any) -> Attack:
    return lambda scene: attach(scene, Keyless(**changes))


_OTHER_HASH = hashlib.sha256(b"something else").digest()
_OTHER = {"sha256": _OTHER_HASH.hex(), "signature": b64(b"another signature")}
_RECORD = "spec.hashedRekordV002"
_CONTENT = "spec.content"


def _pem() -> str:
    return b64(Keyless().pem)


def _recorded(kind: str, path: str, value: Any) -> Attack:
    log = trusted().log2 if kind == "hashedrekord/0.0.2" else trusted().log1
    return lambda scene: attach(scene, Keyless(log=log, kind=kind, body=changed(path, value)))


def _entries_for_others() -> Iterator[tuple[str, Case]]:
    """Each kind of entry, honest but for one thing that it records."""
    v2, dsse, intoto = "hashedrekord/0.0.2", "dsse/0.0.1", "intoto/0.0.2"
    cases = [
        (v2, f"{_RECORD}.data.digest", b64(_OTHER_HASH), "another content"),
        (v2, f"{_RECORD}.data.algorithm", "SHA2_512", "another content"),
        (v2, f"{_RECORD}.data.algorithm", "MD5", "another content"),
        (v2, f"{_RECORD}.signature.content", _OTHER["signature"], "another signature"),
        (
            v2,
            f"{_RECORD}.signature.verifier.x509Certificate.rawBytes",
            b64(certificate_der(trusted().ca.chain[0])),
            "another certificate",
        ),
        (
            v2,
            f"{_RECORD}.signature.verifier",
            {"publicKey": {"rawBytes": b64(spki(new_key().public_key()))}},
            "records a bare key",
        ),
        (
            v2,
            f"{_RECORD}.signature.verifier.publicKey",
            {"rawBytes": b64(b"x")},
            "a certificate and a key",
        ),
        (dsse, "spec.payloadHash.value", _OTHER["sha256"], "another payload"),
        (dsse, "spec.payloadHash.algorithm", "sha1", "hashes with"),
        (dsse, "spec.signatures.0.signature", _OTHER["signature"], "another signature"),
        (dsse, "spec.signatures.0.verifier", _pem(), "another certificate"),
        (dsse, "spec.signatures", [], "more than one signature, or none"),
        (dsse, "spec.signatures", [{}, {}], "more than one signature, or none"),
        (intoto, f"{_CONTENT}.payloadHash.value", _OTHER["sha256"], "another payload"),
        (
            intoto,
            f"{_CONTENT}.envelope.signatures.0.sig",
            b64(str(_OTHER["signature"]).encode()),
            "another signature",
        ),
        (intoto, f"{_CONTENT}.envelope.signatures.0.publicKey", _pem(), "another certificate"),
        (intoto, f"{_CONTENT}.envelope.payloadType", "text/plain", "another payload type"),
        (intoto, "apiVersion", "0.0.1", "is said to be intoto/0.0.2"),
        (v2, "kind", "dsse", "is said to be hashedrekord/0.0.2"),
    ]
    for kind, path, value, told in cases:
        name = f"an entry {kind} with another {path.removeprefix('spec.')} ({told})"
        yield name, (_recorded(kind, path, value), "WrongLogEntry", told)


ON_ENTRIES: dict[str, Case] = dict(_entries_for_others()) | {
    "an entry of a kind of no use": (
        _v1(kind="rekord/0.0.1"),
        "WrongLogEntry",
        "of no use",
    ),
    "an entry that does not record the signature": (
        _v1(kind="intoto/0.0.1"),
        "WrongLogEntry",
        "needs the envelope's own text",
    ),
    "an entry about a file of another content": (
        lambda s: attach(
            s,
            Keyless(
                log=trusted().log1,
                kind="hashedrekord/0.0.1",
                body=lambda _: hashedrekord1(b"x", b"y", b"z"),
            ),
        ),
        "WrongLogEntry",
        "another content",
    ),
    "an entry without what it should record": (
        _v2(body=changed("spec", {})),
        "MalformedSignature",
        "not of the form",
    ),
    "an entry that is no JSON": (
        _v2(body=lambda _: b"\xff"),
        "MalformedSignature",
        "log entry: body",
    ),
    "an entry that says things twice": (
        _v2(body=lambda made: b'{"kind":"x",' + json.dumps(made).encode()[1:]),
        "MalformedSignature",
        "twice",
    ),
}


@pytest.mark.parametrize(("attack", "reason", "told"), ON_ENTRIES.values(), ids=ON_ENTRIES)
async def test_an_entry_for_something_else_is_refused_for(
    scene: Scene, attack: Attack, reason: str, told: str
) -> None:
    root = attack(scene)
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert told in verdict.message
