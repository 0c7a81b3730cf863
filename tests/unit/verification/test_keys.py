"""Keys: the kinds that count, in one PEM block, and everything else refused."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    padding,
    rsa,
    x25519,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from immutablerelease.verification.errors import UnusableKey
from immutablerelease.verification.keys import load_key
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import Key, key

KINDS = ["p256", "p384", "p521", "rsa", "ed25519"]


def _pem(public: object) -> str:
    made: bytes = public.public_bytes(  # type: ignore[attr-defined]
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return made.decode()


def _certificate() -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1)
    now = datetime.datetime.now(datetime.UTC)
    made = builder.not_valid_before(now).not_valid_after(now).sign(private, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", ["bundle", "simple signing"])
async def test_each_kind_of_key_verifies_in_each_layout(
    scene: Scene, kind: str, layout: str
) -> None:
    signer = key("alice", kind)
    if layout == "bundle":
        scene.statement(signer=signer)
    else:
        scene.simple(signer=signer)
    verdict = await scene.verify(scene.trust(signer))
    assert verdict.verdict == "Verified", verdict.message
    assert verdict.evidence[0].signer == load_key(signer.pem).fingerprint


@pytest.mark.parametrize("kind", ["p384", "p521"])
def test_larger_curves_may_sign_with_sha256_as_older_cosign_does(kind: str) -> None:
    private = key("alice", kind).private
    signature = Key(private, hashes.SHA256()).sign(b"data")
    assert load_key(key("alice", kind).pem).verifies(signature, b"data")


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_byte_or_another_key_does_not_verify(kind: str) -> None:
    loaded, signature = load_key(key("alice", kind).pem), key("alice", kind).sign(b"data")
    assert loaded.verifies(signature, b"data")
    assert not loaded.verifies(signature, b"Data")
    assert not loaded.verifies(signature[:-1], b"data")
    assert not loaded.verifies(b"", b"data")
    assert not loaded.verifies(key("mallory", kind).sign(b"data"), b"data")


def test_weaker_hashes_and_other_paddings_do_not_verify() -> None:
    weak = Key(key().private, hashes.SHA1()).sign(b"data")  # noqa: S303
    assert not load_key(key().pem).verifies(weak, b"data")
    private = key("alice", "rsa").private
    assert isinstance(private, rsa.RSAPrivateKey)
    pss = private.sign(b"data", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    assert not load_key(key("alice", "rsa").pem).verifies(pss, b"data")


def test_the_fingerprint_is_of_the_key_not_of_its_text() -> None:
    pem = key().pem
    assert load_key(pem).fingerprint == load_key(f"\n\n{pem}  \n").fingerprint
    assert load_key(pem).fingerprint != load_key(key("bob").pem).fingerprint


def _private_pem() -> str:
    return key().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


UNUSABLE = {
    "nothing": lambda: "",
    "words": lambda: "trust me",
    "a private key": _private_pem,
    "a public key with its private key": lambda: key().pem + _private_pem(),
    "two public keys": lambda: key().pem + key("bob").pem,
    "words before the key": lambda: "comment\n" + key().pem,
    "words after the key": lambda: key().pem + "comment",
    "a certificate": _certificate,
    "a header without a key": lambda: "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
    "a key that is cut short": lambda: key().pem[:60] + "\n-----END PUBLIC KEY-----",
    "RSA of 1024 bits": lambda: _pem(rsa.generate_private_key(65537, 1024).public_key()),  # noqa: S505
    "RSA of exponent 3": lambda: _pem(rsa.generate_private_key(3, 2048).public_key()),
    "P-224": lambda: _pem(ec.generate_private_key(ec.SECP224R1()).public_key()),
    "secp256k1": lambda: _pem(ec.generate_private_key(ec.SECP256K1()).public_key()),
    "brainpool": lambda: _pem(ec.generate_private_key(ec.BrainpoolP256R1()).public_key()),
    "X25519": lambda: _pem(x25519.X25519PrivateKey.generate().public_key()),
    "Ed448": lambda: _pem(ed448.Ed448PrivateKey.generate().public_key()),
    "PKCS#1": lambda: (
        key("alice", "rsa").private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    ).decode(),
}


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_key_to_trust(text: object) -> None:
    assert callable(text)
    with pytest.raises(UnusableKey):
        load_key(text())
