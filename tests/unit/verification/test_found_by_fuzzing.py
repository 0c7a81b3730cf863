"""What the fuzzer found once, so that it stays found: see tests/fuzz."""

import base64

import pytest

from immutablerelease.verification.certificates import split_pem
from immutablerelease.verification.errors import MalformedSignature
from immutablerelease.verification.strict_json import InvalidJSON, parse_object
from tests.unit.verification import keyless, signing
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import key
from tests.unit.verification.simulated_sigstore import certificate_der


@pytest.mark.parametrize(
    "text", [rb'{"a": "\ud800"}', rb'{"\uDFFF": 1}', rb'{"a": ["\udc00\ud800"]}']
)
def test_half_of_a_surrogate_pair_is_no_json(text: bytes) -> None:
    with pytest.raises(InvalidJSON):
        parse_object(text)


@pytest.mark.parametrize(
    "text", [rb'{"a": "\ud83d\ude00"}', rb'{"a": "\\ud800"}', rb'{"a": "d800"}']
)
def test_what_only_looks_like_it_is_read(text: bytes) -> None:
    assert parse_object(text)


def test_a_certificate_of_a_version_to_come_is_malformed() -> None:
    certificate = keyless.Keyless().certificate
    assert certificate is not None
    der = certificate_der(certificate)
    # Version 3 is written as a 2, in a tag of its own.
    assert der.count(b"\xa0\x03\x02\x01\x02") == 1
    other = base64.encodebytes(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x12"))
    with pytest.raises(MalformedSignature):
        split_pem(f"-----BEGIN CERTIFICATE-----\n{other.decode()}-----END CERTIFICATE-----\n")


async def test_an_annotation_that_is_no_text_is_refused(scene: Scene) -> None:
    payload = signing.simple_payload(scene.digest)
    layer = signing.simple_layer(scene.registry, payload, key())
    layer["annotations"]["dev.sigstore.cosign/certificate"] = "\ud800"
    signing.attach_simple(scene.registry, scene.digest, layer)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "MalformedContent")
