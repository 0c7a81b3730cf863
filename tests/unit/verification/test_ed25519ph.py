"""Ed25519ph against the vector of RFC 8032 and, without its domain, against `cryptography`."""

from contextlib import suppress

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from immutablerelease.verification.ed25519ph import verify, verify_prehashed

# RFC 8032, section 7.3.
PUBLIC = bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
SIGNATURE = bytes.fromhex(
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def test_the_vector_of_the_specification_verifies() -> None:
    assert verify_prehashed(PUBLIC, SIGNATURE, b"abc")


@pytest.mark.parametrize("index", range(0, 64, 7))
def test_a_changed_bit_does_not_verify(index: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[index] ^= 1
    assert not verify_prehashed(PUBLIC, bytes(changed), b"abc")
    assert not verify_prehashed(PUBLIC, SIGNATURE, b"abd")


def test_the_same_signature_with_a_larger_scalar_does_not_verify() -> None:
    scalar = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    malleated = SIGNATURE[:32] + scalar.to_bytes(32, "little")
    assert not verify_prehashed(PUBLIC, malleated, b"abc")


def test_a_pure_signature_is_no_prehashed_one() -> None:
    public = PRIVATE.public_key().public_bytes_raw()
    assert not verify_prehashed(public, PRIVATE.sign(b"abc"), b"abc")


@pytest.mark.parametrize(
    "public",
    [
        b"",
        PUBLIC[:31],
        PUBLIC + b"\0",
        bytes([2]) + bytes(31),
        (2**255 - 18).to_bytes(32, "little"),
        (1 + 2**255).to_bytes(32, "little"),
        b"\xff" * 32,
    ],
    ids=bytes.hex,
)
def test_what_is_no_point_verifies_nothing(public: bytes) -> None:
    assert not verify_prehashed(public, SIGNATURE, b"abc")
    assert not verify_prehashed(public, bytes(64), b"abc")


@settings(max_examples=40, deadline=None)
@given(
    message=st.binary(max_size=64),
    seed=st.binary(min_size=32, max_size=32),
    flip=st.none() | st.integers(0, 511),
)
def test_without_its_domain_it_agrees_with_the_library(
    message: bytes, seed: bytes, flip: int | None
) -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    signature = bytearray(private.sign(message))
    if flip is not None:
        signature[flip // 8] ^= 1 << flip % 8
    expected = False
    with suppress(InvalidSignature):
        private.public_key().verify(bytes(signature), message)
        expected = True
    public = private.public_key().public_bytes_raw()
    assert verify(public, bytes(signature), message, domain=b"") is expected
    assert expected is (flip is None)
