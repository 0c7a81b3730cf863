"""What a log recorded, against the signature it came with: one content, signature and signer.

Without this, any honest entry of the log would vouch for any signature. Kinds of entries:
https://github.com/sigstore/rekor/tree/main/pkg/types for version 1 of the log, and
https://github.com/sigstore/rekor-tiles, `rekor/v2/entry.proto`, for version 2.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import load_der_public_key

from .base64_text import decode_base64
from .certificates import split_pem
from .errors import MalformedSignature, UnusableKey, WrongLogEntry, quote
from .keys import VerificationKey, as_key, load_key
from .log_entry import LogEntry, parse_body
from .signature import Signature

_HASHES_V2 = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


def require_same(entry: LogEntry, signature: Signature, key: VerificationKey) -> None:
    """Raises unless the entry records this signature, by this signer, over this content."""
    compare = _KINDS.get(entry.kind)
    if compare is None:
        raise WrongLogEntry(f"a log entry of the kind {quote(entry.kind)} is of no use here")
    body = parse_body(entry.body)
    kind = f"{body.get('kind')}/{body.get('apiVersion')}"
    if kind != entry.kind:
        raise WrongLogEntry(f"a log entry is said to be {entry.kind}, but is {quote(kind)}")
    try:
        compare(_Recorded(body.get("spec")), signature, key)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise MalformedSignature(f"log entry: not of the form of {entry.kind}") from error


class _Recorded:
    """A part of the entry: members by path; what is not there raises KeyError or TypeError."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getitem__(self, path: str) -> "_Recorded":
        value = self.value
        for name in path.split("."):
            value = value[name]
        return _Recorded(value)

    def only(self) -> "_Recorded":
        if not isinstance(self.value, list) or len(self.value) != 1:
            raise WrongLogEntry("a log entry records more than one signature, or none")
        return _Recorded(self.value[0])

    def bytes(self) -> bytes:
        return decode_base64(self.value, "log entry")


def _hashedrekord_1(spec: _Recorded, signature: Signature, key: VerificationKey) -> None:
    # Of an envelope the log may hold what was signed: its encoding, not its payload.
    algorithm = spec["data.hash.algorithm"].value
    digest = signature.message.digest(algorithm)
    _same(digest and digest.hex(), spec["data.hash.value"].value, "content")
    _same(signature.value, spec["signature.content"].bytes(), "signature")
    _signer_pem(spec["signature.publicKey.content"].bytes(), signature, key)


def _hashedrekord_2(spec: _Recorded, signature: Signature, key: VerificationKey) -> None:
    record = spec["hashedRekordV002"]
    algorithm = _HASHES_V2.get(record["data.algorithm"].value, "")
    _same(signature.message.digest(algorithm), record["data.digest"].bytes(), "content")
    _same(signature.value, record["signature.content"].bytes(), "signature")
    verifier = record["signature.verifier"]
    if ("x509Certificate" in verifier.value) == ("publicKey" in verifier.value):
        raise WrongLogEntry("a log entry names a certificate and a key, or neither")
    if "x509Certificate" in verifier.value:
        _signer_certificate(verifier["x509Certificate.rawBytes"].bytes(), signature)
    else:
        _signer_key(verifier["publicKey.rawBytes"].bytes(), signature, key)


def _dsse_1(spec: _Recorded, signature: Signature, key: VerificationKey) -> None:
    # The log hashes the envelope's text as well; a bundle does not preserve that.
    _payload_hash(spec["payloadHash"], signature)
    recorded = spec["signatures"].only()
    _same(signature.value, recorded["signature"].bytes(), "signature")
    _signer_pem(recorded["verifier"].bytes(), signature, key)


def _intoto_1(spec: _Recorded, signature: Signature, key: VerificationKey) -> None:
    # This kind records no signature: the hash of the envelope's text is what binds it.
    text = signature.envelope.text if signature.envelope else None
    if text is None:
        raise WrongLogEntry("a log entry of the kind intoto/0.0.1 needs the envelope's own text")
    _algorithm(spec["content.hash"])
    _same(hashlib.sha256(text).hexdigest(), spec["content.hash.value"].value, "envelope")
    if "payloadHash" in spec["content"].value:
        _payload_hash(spec["content.payloadHash"], signature)
    _signer_pem(spec["publicKey"].bytes(), signature, key)


def _intoto_2(spec: _Recorded, signature: Signature, key: VerificationKey) -> None:
    content = spec["content"]
    _payload_hash(content["payloadHash"], signature)
    if signature.envelope is not None:
        _same(
            signature.envelope.payload_type, content["envelope.payloadType"].value, "payload type"
        )
    recorded = content["envelope.signatures"].only()
    # Encoded twice: the log took the text of the envelope for bytes.
    inner = recorded["sig"].bytes().decode("ascii", "replace")
    _same(signature.value, decode_base64(inner, "log entry"), "signature")
    _signer_pem(recorded["publicKey"].bytes(), signature, key)


_KINDS: Mapping[str, Callable[[_Recorded, Signature, VerificationKey], None]] = {
    "hashedrekord/0.0.1": _hashedrekord_1,
    "hashedrekord/0.0.2": _hashedrekord_2,
    "dsse/0.0.1": _dsse_1,
    "intoto/0.0.1": _intoto_1,
    "intoto/0.0.2": _intoto_2,
}


def _payload_hash(recorded: _Recorded, signature: Signature) -> None:
    if signature.envelope is None:
        raise WrongLogEntry("a log entry about an envelope came with a plain signature")
    _algorithm(recorded)
    payload = hashlib.sha256(signature.envelope.payload).hexdigest()
    _same(payload, recorded["value"].value, "payload")


def _algorithm(recorded: _Recorded) -> None:
    if recorded["algorithm"].value != "sha256":
        raise WrongLogEntry(f"a log entry hashes with {quote(recorded['algorithm'].value)}")


def _signer_pem(pem: bytes, signature: Signature, key: VerificationKey) -> None:
    text = pem.decode("utf-8", "replace")
    if "BEGIN CERTIFICATE" in text:
        # The whole path may be there, leaf first.
        _signer_certificate(split_pem(text)[0], signature)
        return
    if signature.certificate is not None:
        raise WrongLogEntry("a log entry records a bare key, the signature has a certificate")
    try:
        recorded = load_key(text)
    except UnusableKey as error:
        raise WrongLogEntry(f"a log entry records a key that is unusable: {error}") from error
    _same(key.fingerprint, recorded.fingerprint, "key")


def _signer_certificate(der: bytes, signature: Signature) -> None:
    if signature.certificate is None:
        raise WrongLogEntry("a log entry records a certificate, the signature has a bare key")
    _same(signature.certificate.der, der, "certificate")


def _signer_key(der: bytes, signature: Signature, key: VerificationKey) -> None:
    if signature.certificate is not None:
        raise WrongLogEntry("a log entry records a bare key, the signature has a certificate")
    try:
        recorded = as_key(load_der_public_key(der))
    except (UnusableKey, ValueError) as error:
        raise WrongLogEntry("a log entry records a key that is unusable") from error
    _same(key.fingerprint, recorded.fingerprint, "key")


def _same(ours: object, theirs: object, what: str) -> None:
    if ours is None or ours != theirs:
        raise WrongLogEntry(f"a log entry is about another {what} than the signature's")
