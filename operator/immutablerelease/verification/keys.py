"""Public keys of authorities: exactly one per PEM text, strong enough, of a kind we know.

Hash functions follow the key, as Sigstore's algorithm registry pairs them; cosign signs with
SHA-256 whatever the curve in its older layout, so that is accepted as well. With an Ed25519 key
cosign v2 signs purely, v3 prehashed: both count.
https://github.com/sigstore/architecture-docs/blob/main/algorithm-registry.md
"""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from .ed25519ph import verify_prehashed
from .errors import UnusableKey

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
_HEADER = "-----BEGIN PUBLIC KEY-----"
_FOOTER = "-----END PUBLIC KEY-----"
_CURVE_HASHES: dict[str, tuple[hashes.HashAlgorithm, ...]] = {
    "secp256r1": (hashes.SHA256(),),
    "secp384r1": (hashes.SHA384(), hashes.SHA256()),
    "secp521r1": (hashes.SHA512(), hashes.SHA256()),
}

_Supported = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True)
class VerificationKey:
    """A key that signatures are checked with, and the fingerprint that it is known by."""

    # `sha256:` and the hash of the DER SubjectPublicKeyInfo: the same key has one fingerprint.
    fingerprint: str
    _key: _Supported

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature over the data."""
        try:
            self._check(signature, data)
        except InvalidSignature:
            return False
        return True

    def verifies_sha256(self, signature: bytes, digest: bytes) -> bool:
        """Whether this key made the signature over what has this SHA-256."""
        prehashed = Prehashed(hashes.SHA256())
        try:
            match self._key:
                case ed25519.Ed25519PublicKey():
                    # Both variants hash the message with SHA-512, so its bytes are needed.
                    return False
                case rsa.RSAPublicKey() as key:
                    key.verify(signature, digest, padding.PKCS1v15(), prehashed)
                case key:
                    key.verify(signature, digest, ec.ECDSA(prehashed))
        except InvalidSignature:
            return False
        return True

    def _check(self, signature: bytes, data: bytes) -> None:
        match self._key:
            case ed25519.Ed25519PublicKey() as key:
                _check_ed25519(key, signature, data)
            case rsa.RSAPublicKey() as key:
                key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            case key:
                _check_ecdsa(key, signature, data)


def _check_ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, data: bytes) -> None:
    try:
        key.verify(signature, data)
    except InvalidSignature:
        if not verify_prehashed(key.public_bytes_raw(), signature, data):
            raise


def _check_ecdsa(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    first, *others = _CURVE_HASHES[key.curve.name]
    try:
        key.verify(signature, data, ec.ECDSA(first))
    except InvalidSignature:
        if not others:
            raise
        key.verify(signature, data, ec.ECDSA(others[0]))


def load_key(pem: str) -> VerificationKey:
    """The one public key in the text; raises UnusableKey."""
    text = pem.strip()
    if "PRIVATE KEY" in text:
        raise UnusableKey("a private key stands where a public one belongs; it must be replaced")
    if text.count("-----BEGIN ") != 1 or not text.startswith(_HEADER) or not text.endswith(_FOOTER):
        raise UnusableKey("expected exactly one PEM block BEGIN PUBLIC KEY and nothing around it")
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey("the PEM block holds no public key that can be read") from error
    return as_key(key)


def as_key(key: object) -> VerificationKey:
    """The key, if it is of a kind that we know and strong enough; raises UnusableKey."""
    match key:
        case ed25519.Ed25519PublicKey():
            pass
        case rsa.RSAPublicKey():
            _check_rsa(key)
        case ec.EllipticCurvePublicKey():
            if key.curve.name not in _CURVE_HASHES:
                raise UnusableKey(
                    f"the key is on the curve {key.curve.name}, expected P-256, P-384 or P-521"
                )
        case _:
            raise UnusableKey(f"a {type(key).__name__} is none of ECDSA, Ed25519 and RSA")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return VerificationKey(f"sha256:{hashlib.sha256(der).hexdigest()}", key)


def _check_rsa(key: rsa.RSAPublicKey) -> None:
    # Very long keys cost seconds a signature; exponents below 65537 invite forgeries.
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise UnusableKey(
            f"the RSA key has {key.key_size} bits, expected {MIN_RSA_BITS} to {MAX_RSA_BITS}"
        )
    if key.public_numbers().e < 65537:
        raise UnusableKey(f"the RSA exponent is {key.public_numbers().e}, expected 65537 or more")
