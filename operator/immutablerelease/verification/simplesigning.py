"""Simple signing: the payload that cosign v2 signs and keeps at the tag `sha256-<hex>.sig`.

https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md. `docker-reference` is not
compared, as that specification says: a signature may be copied along with its image. Names of
members are exact: Go's JSON ignores case, so a second spelling would be a second meaning.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .bundle import decode_base64
from .errors import MalformedSignature, WrongPredicateType, WrongSubject, quote
from .keys import VerificationKey
from .manifest import Descriptor
from .reference import is_digest
from .strict_json import InvalidJSON, parse_object

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
SIGNATURE_TYPE = "cosign container image signature"


@dataclass(frozen=True)
class SignedPayload:
    """A payload with its signature; the payload is not yet trusted."""

    signature: bytes
    _payload: bytes

    def verify(self, keys: Iterable[VerificationKey]) -> tuple[VerificationKey, bytes] | None:
        """The first key that made the signature, with the payload that it signed."""
        for key in keys:
            if key.verifies(self.signature, self._payload):
                return key, self._payload
        return None


def parse_layer(layer: Descriptor, payload: bytes) -> SignedPayload:
    """The signature that a layer of the signature manifest carries; raises MalformedSignature."""
    signature = layer.annotations.get(SIGNATURE_ANNOTATION)
    return SignedPayload(decode_base64(signature, "signature annotation"), payload)


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


def _members(value: Any, names: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise MalformedSignature(f"payload: {what} has not exactly the members {sorted(names)}")
    return value
