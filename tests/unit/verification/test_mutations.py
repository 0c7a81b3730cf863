"""Whatever is changed in an honest keyless signature, it says the same or does not pass."""

import base64
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from immutablerelease.api.attestations import AttestationFormat
from immutablerelease.api.authorities import SignatureFormat
from immutablerelease.verification.artifact import Artifact
from immutablerelease.verification.authorities import Authorities, load_authorities
from immutablerelease.verification.evaluation import evaluate, signed_by
from immutablerelease.verification.manifest import Descriptor
from tests.unit.verification import keyless, signing
from tests.unit.verification.keyless import SUBJECT, Keyless, canonical
from tests.unit.verification.simulated_registry import SimulatedRegistry
from tests.unit.verification.simulated_sigstore import MINUTE, T0, b64, trusted

DIGEST = "sha256:" + "ab" * 32
# Signed in part, or by nobody because something else says it: a timestamp has a version and a list
# of algorithms outside its signature, and the place in the log is the one that the proof proves.
_FREE = {"logIndex", "signedTimestamp"}
_JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 2**70, "", "x", "AA==", "\0", [], {}, [{}], [[]]]
)

Path = tuple[str | int, ...]


@cache
def _authorities() -> Authorities:
    registry = SimulatedRegistry()
    registry.host = "registry.example"
    return load_authorities(keyless.policy(registry), keyless.trust())


@cache
def _honest(kind: str) -> str:
    log = trusted().log2 if kind == "hashedrekord/0.0.2" else trusted().log1
    return json.dumps(Keyless(log=log, kind=kind).bundle(signing.statement(DIGEST)))


def _passes(data: bytes) -> bool:
    """Whether the bundle does; if so, it says what the honest one says."""
    layer = Descriptor(signing.BUNDLE, DIGEST, len(data), "", {})
    artifact = Artifact(SignatureFormat.BUNDLE, DIGEST, layer, data)
    found = evaluate([artifact], _authorities(), DIGEST)
    assert len(found.signers) + len(found.problems) == 1
    for signer in found.signers:
        assert signer.identity is not None and signer.identity.subject == SUBJECT
        assert (signer.log_index, signer.time) == (1, T0 + MINUTE)
    return bool(found.signers)


def _paths(value: Any, before: Path = ()) -> Iterator[Path]:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        yield (*before, name)
        if isinstance(member, dict | list):
            yield from _paths(member, (*before, name))


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        return b""


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["hashedrekord/0.0.2", "dsse/0.0.1", "intoto/0.0.2"]),
    data=st.data(),
)
def test_a_bundle_with_one_member_changed(kind: str, data: st.DataObject) -> None:
    bundle = json.loads(_honest(kind))
    *way, last = path = data.draw(st.sampled_from(list(_paths(bundle))))
    target: Any = bundle
    for name in way:
        target = target[name]
    honest, raw = target[last], _decoded(target[last])
    if raw:
        # One bit of a certificate, a signature, a timestamp, an entry, a hash.
        bit = data.draw(st.integers(0, len(raw) * 8 - 1))
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        target[last] = b64(bytes(changed))
    else:
        target[last] = data.draw(_JUNK)
    if _passes(json.dumps(bundle).encode()):
        empty = "timestampVerificationData" in path and not raw
        assert empty or last in _FREE or target[last] == honest


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["hashedrekord/0.0.1", "hashedrekord/0.0.2", "dsse/0.0.1"]),
    data=st.data(),
)
def test_an_entry_with_one_member_changed_is_judged(kind: str, data: st.DataObject) -> None:
    def change(body: Any) -> Any:
        *way, last = data.draw(st.sampled_from(list(_paths(body))))
        target = body
        for name in way:
            target = target[name]
        target[last] = data.draw(_JUNK)
        return body

    log = trusted().log2 if kind == "hashedrekord/0.0.2" else trusted().log1
    made = Keyless(log=log, kind=kind, body=change).bundle(signing.statement(DIGEST))
    # What nobody compares may change: the hash of an envelope's lost text, the kind of a key.
    _passes(json.dumps(made).encode())


def _attestation(kind: str, **changes: Any) -> Artifact:
    """An envelope with annotations, as cosign v2 attaches it."""
    made = Keyless(log=trusted().log1, kind=kind, stamped_at=[])
    statement = json.dumps(signing.statement(DIGEST)).encode()
    text = canonical(signing.envelope(statement, made.key))
    signature = _decoded(json.loads(text)["signatures"][0]["sig"])
    body = keyless.recorded(kind, statement, signature, made.pem)
    if kind == "intoto/0.0.1":
        body = keyless.intoto1(text, made.pem)
    annotations = {
        "dev.sigstore.cosign/certificate": made.pem.decode(),
        "dev.sigstore.cosign/bundle": json.dumps(made.promised(canonical(body))),
        **changes,
    }
    layer = Descriptor("application/vnd.dsse.envelope.v1+json", DIGEST, 1, "", annotations)
    return Artifact(AttestationFormat.ENVELOPE, DIGEST, layer, text)


def test_attestations_of_the_older_layout_prove_who_made_them() -> None:
    for kind in ("intoto/0.0.1", "intoto/0.0.2", "dsse/0.0.1"):
        signer, payload = signed_by(_attestation(kind), _authorities())
        assert signer.identity is not None and signer.identity.subject == SUBJECT
        assert json.loads(payload) == signing.statement(DIGEST)
        assert signer.log_index == 7


def test_an_attestation_with_the_certificate_of_another_does_not() -> None:
    other = Keyless(names=[x509.UniformResourceIdentifier(SUBJECT)]).pem.decode()
    artifact = _attestation("dsse/0.0.1", **{"dev.sigstore.cosign/certificate": other})
    found = evaluate([artifact], _authorities(), DIGEST)
    assert [problem.reason for problem in found.problems] == ["WrongKey"]
