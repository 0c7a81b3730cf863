"""Sigstore bundles, versions 0.1 to 0.3, signed with a key or a certificate.

https://github.com/sigstore/protobuf-specs (`sigstore_bundle.proto`) and
https://github.com/secure-systems-lab/dsse (`protocol.md`). An image is signed by way of an in-toto
statement in a DSSE envelope; a bundle may sign a file directly instead, which is no image.
"""

from dataclasses import dataclass
from typing import Any

from .base64_text import decode_base64
from .certificates import SigningCertificate, load_certificate
from .errors import MalformedSignature, UnsupportedSignature, quote
from .log_entry import LogEntry, parse_entry
from .signature import Envelope, Message, Signature
from .strict_json import InvalidJSON, parse_object

# Both spellings of version 0.3 are in the specification.
_VERSIONS = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": "0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2": "0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3": "0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "0.3",
}
BUNDLE_TYPES = tuple(_VERSIONS)
BUNDLE_TYPE_PREFIX = "application/vnd.dev.sigstore.bundle"
IN_TOTO = "application/vnd.in-toto+json"
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
MAX_ENTRIES = 8


@dataclass(frozen=True)
class _Material:
    """What a bundle brings to prove by whom and when it was signed."""

    certificate: SigningCertificate | None
    entries: tuple[LogEntry, ...]
    timestamps: tuple[bytes, ...]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is made over: `PAE(type, body)` of the protocol."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_bundle(
    data: bytes, *, media_type: str | None = None, file: Message | None = None
) -> Signature:
    """The signature in a bundle.

    Args:
        data: the bundle's text.
        media_type: what carries the bundle says that it is of this type.
        file: what a bundle may sign directly, where that is wanted.

    Raises:
        MalformedSignature: it is not a bundle, or one of another version than it is said to be.
        UnsupportedSignature: it signs a file where none is wanted.
        UntrustedCertificate: it is signed with a certificate that is not for signing.
    """
    try:
        bundle = parse_object(data)
    except InvalidJSON as error:
        raise MalformedSignature(f"bundle: {error}") from error
    version = _version(bundle.get("mediaType"))
    if media_type is not None and _version(media_type) != version:
        raise MalformedSignature(f"bundle: version {version} in a manifest for {quote(media_type)}")
    material = _material(bundle.get("verificationMaterial"), version)
    if ("dsseEnvelope" in bundle) == ("messageSignature" in bundle):
        raise MalformedSignature("bundle: expected exactly one of an envelope and a signature")
    if "dsseEnvelope" in bundle:
        value, envelope = parse_envelope(bundle["dsseEnvelope"])
        message = Message.of(pre_authentication_encoding(envelope.payload_type, envelope.payload))
    elif file is None:
        raise UnsupportedSignature("bundle: signs a file, not an image")
    else:
        value, envelope, message = _file_signature(bundle["messageSignature"], file), None, file
    return Signature(
        value, message, envelope, material.certificate, material.entries, material.timestamps
    )


def parse_envelope(envelope: Any, text: bytes | None = None) -> tuple[bytes, Envelope]:
    """The one signature of a DSSE envelope and what it holds; raises MalformedSignature."""
    if not isinstance(envelope, dict):
        raise MalformedSignature("envelope: expected an object")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise MalformedSignature("envelope: expected exactly one signature")
    if not isinstance(signatures[0], dict):
        raise MalformedSignature("envelope: the signature is not an object")
    payload_type = envelope.get("payloadType")
    if payload_type != IN_TOTO:
        raise MalformedSignature(
            f"envelope: payload type {quote(payload_type)}, expected {quote(IN_TOTO)}"
        )
    value = decode_base64(signatures[0].get("sig"), "envelope signature")
    payload = decode_base64(envelope.get("payload"), "envelope payload")
    return value, Envelope(IN_TOTO, payload, text)


def _version(media_type: Any) -> str:
    version = _VERSIONS.get(media_type) if isinstance(media_type, str) else None
    if version is None:
        raise MalformedSignature(
            f"bundle: media type {quote(media_type)}, expected version 0.1, 0.2 or 0.3"
        )
    return version


def _material(material: Any, version: str) -> _Material:
    kinds = {"publicKey", "certificate", "x509CertificateChain"}
    if not isinstance(material, dict) or len(found := kinds & material.keys()) != 1:
        raise MalformedSignature("bundle: expected exactly one kind of verification material")
    (kind,) = found
    if not isinstance(material[kind], dict):
        raise MalformedSignature(f"bundle: {kind} is not an object")
    if kind != "publicKey" and (kind == "certificate") != (version == "0.3"):
        raise MalformedSignature(f"bundle: {kind} in a bundle of version {version}")
    return _Material(
        # The hint of a public key proves nothing: the policy says which keys are tried.
        certificate=None if kind == "publicKey" else _certificate(material[kind], kind),
        entries=_entries(material.get("tlogEntries", []), version),
        timestamps=_timestamps(material.get("timestampVerificationData")),
    )


def _certificate(value: dict[str, Any], kind: str) -> SigningCertificate:
    items = [value] if kind == "certificate" else value.get("certificates")
    if not isinstance(items, list) or not items or not all(isinstance(i, dict) for i in items):
        raise MalformedSignature("bundle: the certificate chain is empty, or none")
    leaf, *chain = (decode_base64(item.get("rawBytes"), "certificate") for item in items)
    return load_certificate(leaf, chain)


def _entries(items: Any, version: str) -> tuple[LogEntry, ...]:
    if not isinstance(items, list) or len(items) > MAX_ENTRIES:
        raise MalformedSignature(f"bundle: expected a list of at most {MAX_ENTRIES} log entries")
    entries = tuple(parse_entry(item, lenient=version == "0.1") for item in items)
    for entry in entries:
        if version == "0.1" and entry.promise is None:
            raise MalformedSignature("bundle: version 0.1 without the log's promise")
        if version != "0.1" and entry.proof is None:
            raise MalformedSignature(f"bundle: version {version} without an inclusion proof")
    return entries


def _timestamps(data: Any) -> tuple[bytes, ...]:
    if data is None:
        return ()
    items = data.get("rfc3161Timestamps") if isinstance(data, dict) else None
    # Protobuf writes an empty list as nothing, or as null.
    if items is None and isinstance(data, dict):
        return ()
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedSignature("bundle: timestamps are not a list of objects")
    return tuple(decode_base64(item.get("signedTimestamp"), "timestamp") for item in items)


def _file_signature(value: Any, file: Message) -> bytes:
    if not isinstance(value, dict):
        raise MalformedSignature("bundle: messageSignature is not an object")
    signed = value.get("messageDigest")
    if signed is not None:
        _require_digest(signed, file)
    return decode_base64(value.get("signature"), "bundle signature")


def _require_digest(signed: Any, file: Message) -> None:
    if not isinstance(signed, dict):
        raise MalformedSignature("bundle: messageDigest is not an object")
    algorithm = str(signed.get("algorithm")).replace("SHA2_", "sha")
    if file.digest(algorithm) != decode_base64(signed.get("digest"), "message digest"):
        raise MalformedSignature("bundle: messageDigest is that of another file")
