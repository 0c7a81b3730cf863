"""Sigstore bundles that hold a DSSE envelope signed with a key.

https://github.com/sigstore/protobuf-specs (`sigstore_bundle.proto`, version 0.3) and
https://github.com/secure-systems-lab/dsse (`protocol.md`). The payload comes out only together with
a key that verified it.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .errors import MalformedSignature, UnsupportedSignature, quote
from .keys import VerificationKey
from .strict_json import InvalidJSON, parse_object

# Both spellings of version 0.3 are in the specification.
BUNDLE_TYPES = (
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
)
BUNDLE_TYPE_PREFIX = "application/vnd.dev.sigstore.bundle"
IN_TOTO = "application/vnd.in-toto+json"
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"


@dataclass(frozen=True)
class Envelope:
    """A DSSE envelope with its one signature; the payload is not yet trusted."""

    payload_type: str
    signature: bytes
    _payload: bytes

    def verify(self, keys: Iterable[VerificationKey]) -> tuple[VerificationKey, bytes] | None:
        """The first key that made the signature, with the payload that it signed."""
        signed = pre_authentication_encoding(self.payload_type, self._payload)
        for key in keys:
            if key.verifies(self.signature, signed):
                return key, self._payload
        return None


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is made over: `PAE(type, body)` of the protocol."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def parse_keyed_bundle(data: bytes) -> Envelope:
    """The envelope of a bundle signed with a key.

    Raises:
        MalformedSignature: it is not a bundle of version 0.3.
        UnsupportedSignature: it is one, but signed with a certificate, or not an in-toto envelope.
    """
    try:
        bundle = parse_object(data)
    except InvalidJSON as error:
        raise MalformedSignature(f"bundle: {error}") from error
    if bundle.get("mediaType") not in BUNDLE_TYPES:
        raise MalformedSignature(
            f"bundle: media type {quote(bundle.get('mediaType'))}, expected version 0.3"
        )
    _check_material(bundle.get("verificationMaterial"))
    if ("dsseEnvelope" in bundle) == ("messageSignature" in bundle):
        raise MalformedSignature("bundle: expected exactly one of an envelope and a signature")
    if "messageSignature" in bundle:
        raise UnsupportedSignature("bundle: signs a file, not an image")
    return _parse_envelope(bundle["dsseEnvelope"])


def _check_material(material: Any) -> None:
    kinds = {"publicKey", "certificate", "x509CertificateChain"}
    if not isinstance(material, dict) or len(found := kinds & material.keys()) != 1:
        raise MalformedSignature("bundle: expected exactly one kind of verification material")
    if found != {"publicKey"}:
        raise UnsupportedSignature("bundle: signed with a certificate, expected a key")
    # The hint names a key but proves nothing: the policy says which keys are tried.
    if not isinstance(material["publicKey"], dict):
        raise MalformedSignature("bundle: publicKey is not an object")


def parse_envelope(data: bytes) -> Envelope:
    """An envelope without a bundle around it: cosign v2's attestations at the tag `.att`."""
    try:
        return _parse_envelope(parse_object(data))
    except InvalidJSON as error:
        raise MalformedSignature(f"envelope: {error}") from error


def _parse_envelope(envelope: Any) -> Envelope:
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
    return Envelope(
        payload_type=IN_TOTO,
        signature=decode_base64(signatures[0].get("sig"), "envelope signature"),
        _payload=decode_base64(envelope.get("payload"), "envelope payload"),
    )


def decode_base64(value: Any, what: str) -> bytes:
    """Bytes from standard base64 in its one canonical form; raises MalformedSignature."""
    if not isinstance(value, str) or not value:
        raise MalformedSignature(f"{what}: absent or empty")
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedSignature(f"{what}: not base64") from error
    if base64.b64encode(decoded).decode() != value:
        raise MalformedSignature(f"{what}: not canonical base64")
    return decoded
