"""Simple signing: the payload that cosign v2 signs and keeps at the tag `sha256-<hex>.sig`.

https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md. `docker-reference` is not
compared, as that specification says: a signature may be copied along with its image. Names of
members are exact: Go's JSON ignores case, so a second spelling would be a second meaning.
"""

from dataclasses import replace
from typing import Any

from .base64_text import decode_base64
from .bundle import parse_envelope, pre_authentication_encoding
from .certificates import SigningCertificate, load_certificate, split_pem
from .errors import MalformedSignature, WrongPredicateType, WrongSubject, quote
from .log_entry import parse_promise
from .manifest import Descriptor
from .reference import is_digest
from .signature import Message, Signature
from .strict_json import InvalidJSON, parse_object

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
CERTIFICATE_ANNOTATION = "dev.sigstore.cosign/certificate"
PROMISE_ANNOTATION = "dev.sigstore.cosign/bundle"
TIMESTAMP_ANNOTATION = "dev.sigstore.cosign/rfc3161timestamp"
SIGNATURE_TYPE = "cosign container image signature"


def parse_layer(layer: Descriptor, payload: bytes) -> Signature:
    """The signature that a layer of the signature manifest carries.

    Raises:
        MalformedSignature: what the annotations hold is not of its form.
        UntrustedCertificate: they hold a certificate that is not for signing.
    """
    value = decode_base64(layer.annotations.get(SIGNATURE_ANNOTATION), "signature annotation")
    return _with_annotations(Signature(value, Message.of(payload)), layer)


def parse_attestation_layer(layer: Descriptor, text: bytes) -> Signature:
    """The signature of an attestation: an envelope, with the annotations of a simple signature.

    Raises:
        MalformedSignature: it is no envelope, or what the annotations hold is not of its form.
        UntrustedCertificate: they hold a certificate that is not for signing.
    """
    try:
        document = parse_object(text)
    except InvalidJSON as error:
        raise MalformedSignature(f"envelope: {error}") from error
    value, envelope = parse_envelope(document, text)
    signed = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    return _with_annotations(Signature(value, Message.of(signed), envelope), layer)


def _with_annotations(signature: Signature, layer: Descriptor) -> Signature:
    certificate = layer.annotations.get(CERTIFICATE_ANNOTATION)
    promise = layer.annotations.get(PROMISE_ANNOTATION)
    timestamp = layer.annotations.get(TIMESTAMP_ANNOTATION)
    return replace(
        signature,
        certificate=None if certificate is None else _certificate(certificate),
        entries=() if promise is None else (parse_promise(promise),),
        timestamps=() if timestamp is None else (_timestamp(timestamp),),
    )


def require_image(payload: bytes, digest: str) -> None:
    """Raises unless the payload names the image with that digest, and nothing else."""
    try:
        document = parse_object(payload)
    except InvalidJSON as error:
        raise MalformedSignature(f"payload: {error}") from error
    if not {"critical"} <= document.keys() <= {"critical", "optional"}:
        raise MalformedSignature("payload: expected the members critical and optional")
    critical = _members(document["critical"], {"identity", "image", "type"}, "critical")
    if critical["type"] != SIGNATURE_TYPE:
        raise WrongPredicateType(
            f"payload of type {quote(critical['type'])}, expected {quote(SIGNATURE_TYPE)}"
        )
    identity = _members(critical["identity"], {"docker-reference"}, "identity")
    if not isinstance(identity["docker-reference"], str):
        raise MalformedSignature("payload: docker-reference is not text")
    found = _members(critical["image"], {"docker-manifest-digest"}, "image")[
        "docker-manifest-digest"
    ]
    if not is_digest(found):
        raise MalformedSignature(f"payload: {quote(found)} is not a sha256 digest")
    if found != digest:
        raise WrongSubject(f"payload about {found}, expected {digest}")


def _certificate(pem: str) -> SigningCertificate:
    found = split_pem(pem)
    if len(found) != 1:
        raise MalformedSignature(f"certificate annotation: {len(found)} certificates, expected one")
    return load_certificate(found[0])


def _timestamp(text: str) -> bytes:
    try:
        document = parse_object(text.encode())
    except InvalidJSON as error:
        raise MalformedSignature(f"timestamp annotation: {error}") from error
    return decode_base64(document.get("SignedRFC3161Timestamp"), "timestamp annotation")


def _members(value: Any, names: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise MalformedSignature(f"payload: {what} has not exactly the members {sorted(names)}")
    return value
