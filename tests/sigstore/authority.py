"""The certificate authority that Fulcio issues by: a root, and an intermediate whose key it has."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.unit.verification.simulated_sigstore import builder, usage


@dataclass(frozen=True)
class CertificateAuthority:
    """The key that issues, and the certificates from it up to the root, PEM."""

    key: ec.EllipticCurvePrivateKey
    chain: bytes


def new_authority() -> CertificateAuthority:
    """An authority for a day."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("root", root_key, root_key)
    intermediate = _certificate("intermediate", key, root_key)
    made = (certificate.public_bytes(Encoding.PEM) for certificate in (intermediate, root))
    return CertificateAuthority(key, b"".join(made))


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.now(UTC)
    start, end = now - timedelta(minutes=2), now + timedelta(days=1)
    return (
        builder(key.public_key(), start, end, signer.public_key())
        .subject_name(_name(name))
        .issuer_name(_name("root"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(usage(issues=True), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
        .sign(signer, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
