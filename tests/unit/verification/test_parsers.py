"""Whatever bytes come in, a parser gives data or its typed error, and nothing unsigned passes."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from immutablerelease.api.authorities import SignatureFormat
from immutablerelease.verification.artifact import Artifact
from immutablerelease.verification.authorities import load_authorities
from immutablerelease.verification.authorization import parse_token
from immutablerelease.verification.bundle import parse_bundle
from immutablerelease.verification.challenge import Challenge, parse_challenges, token_url
from immutablerelease.verification.credentials import find_credential
from immutablerelease.verification.errors import (
    IntegrityError,
    InvalidReference,
    SignatureError,
    UnusableKey,
    VerificationError,
    quote,
)
from immutablerelease.verification.evaluation import evaluate
from immutablerelease.verification.keys import load_key
from immutablerelease.verification.manifest import (
    Descriptor,
    check_image,
    parse_index,
    parse_manifest,
)
from immutablerelease.verification.matching import matches_glob
from immutablerelease.verification.reference import parse_reference
from immutablerelease.verification.simplesigning import require_image
from immutablerelease.verification.statement import parse_statement, require_signature
from immutablerelease.verification.strict_json import InvalidJSON, parse_object
from immutablerelease.verification.trust import NO_TRUST
from tests.unit.verification import signing

DIGEST = "sha256:" + "a" * 64
KEY = signing.key()

# Members and values that the formats know, so that generated documents come close to real ones.
_NAMES = st.sampled_from(
    [
        "mediaType", "schemaVersion", "config", "layers", "manifests", "subject", "digest", "size",
        "annotations", "artifactType", "verificationMaterial", "publicKey", "certificate", "hint",
        "dsseEnvelope", "messageSignature", "payload", "payloadType", "signatures", "sig", "_type",
        "predicateType", "predicate", "sha256", "critical", "optional", "identity", "image", "type",
        "docker-reference", "docker-manifest-digest", "token", "expires_in", "auths", "auth",
        "username", "password", "registry.example",
    ]
)  # fmt: skip
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(
        [
            DIGEST, "a" * 64, 2, "e30=", signing.BUNDLE, signing.SIGN, signing.SIMPLE,
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.oci.image.index.v1+json", "application/vnd.in-toto+json",
            "https://in-toto.io/Statement/v1", "cosign container image signature",
        ]
    )
)  # fmt: skip
_DOCUMENTS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_NAMES | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
_BYTES = st.binary(max_size=200) | _DOCUMENTS.map(lambda value: json.dumps(value).encode())


def _mutations(document: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """The document with some bytes cut out or put in."""
    data = json.dumps(document).encode()
    return st.builds(
        lambda start, length, new: data[:start] + new + data[start + length :],
        st.integers(0, len(data)),
        st.integers(0, 8),
        st.binary(max_size=8),
    ).filter(lambda changed: changed != data)


PARSERS: dict[str, tuple[Callable[[bytes], object], type[Exception]]] = {
    "strict JSON": (parse_object, InvalidJSON),
    "manifest": (parse_manifest, IntegrityError),
    "index": (parse_index, IntegrityError),
    "image": (
        lambda data: check_image(data, "application/vnd.oci.image.index.v1+json"),
        IntegrityError,
    ),
    "bundle": (parse_bundle, SignatureError),
    "statement": (parse_statement, SignatureError),
    "simple-signing payload": (lambda data: require_image(data, DIGEST), SignatureError),
    "token": (parse_token, IntegrityError),
}


@pytest.mark.parametrize(("parse", "error"), PARSERS.values(), ids=PARSERS)
@settings(max_examples=80, deadline=None)
@given(data=_BYTES)
def test_a_parser_raises_its_typed_error_and_no_other(
    parse: Callable[[bytes], object], error: type[Exception], data: bytes
) -> None:
    with suppress(error):
        parse(data)


@given(st.text(max_size=80) | st.from_regex(r"[a-z.:/@\[\]A-Z0-9-]{1,40}", fullmatch=True))
def test_references_are_read_or_refused(image: str) -> None:
    with suppress(InvalidReference):
        reference = parse_reference(image)
        again = parse_reference(reference.by_digest(DIGEST))
        assert again.name == reference.name
        assert URL(f"https://{reference.registry}/").host
        assert reference.name == reference.name.lower()


@given(st.lists(st.text(max_size=60) | st.from_regex(r'[A-Za-z]+ [a-z]+="[^"]*",?.*'), max_size=3))
def test_challenges_are_read_or_refused(headers: list[str]) -> None:
    with suppress(VerificationError):
        for challenge in parse_challenges(headers):
            url = token_url(challenge, URL("https://registry.example"), "app", ())
            assert url.host == "registry.example"


@given(st.text(max_size=40), st.sampled_from(["https://", "http://", "//", "", "https://a@"]))
def test_a_token_is_only_ever_asked_of_the_registry(rest: str, start: str) -> None:
    with suppress(VerificationError):
        challenge = Challenge("bearer", f"{start}{rest}", "")
        url = token_url(challenge, URL("https://registry.example"), "app", ())
        assert (url.scheme, url.host, url.port) == ("https", "registry.example", 443)


@given(st.dictionaries(_NAMES | st.text(max_size=20), _DOCUMENTS, max_size=4))
def test_credentials_are_found_or_not(config: dict[str, Any]) -> None:
    reference = parse_reference("registry.example/app")
    find_credential([config, {"auths": config}], reference)


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.binary(max_size=60).map(
        lambda data: f"-----BEGIN PUBLIC KEY-----\n{data.hex()}\n-----END PUBLIC KEY-----"
    )
)
def test_keys_are_read_or_refused(text: str) -> None:
    with pytest.raises(UnusableKey):
        load_key(text)


@given(st.text("ab*/", max_size=12), st.text("ab/", max_size=12))
def test_globs_agree_with_their_definition(pattern: str, text: str) -> None:
    def by_definition(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern.startswith("**"):
            rest = pattern.lstrip("*")
            return any(by_definition(rest, text[n:]) for n in range(len(text) + 1))
        if pattern[0] == "*":
            stretch = text.partition("/")[0]
            return any(by_definition(pattern[1:], text[n:]) for n in range(len(stretch) + 1))
        return bool(text) and text[0] == pattern[0] and by_definition(pattern[1:], text[1:])

    assert matches_glob(pattern, text) == by_definition(pattern, text)


@given(st.text())
def test_quoted_text_is_short_and_plain(text: str) -> None:
    assert len(quote(text)) <= 120
    assert quote(text).isascii()
    assert quote(text).isprintable()


# Nothing that was not signed as it stands passes


def _passes(format_: SignatureFormat, data: bytes, annotations: dict[str, str]) -> bool:
    layer = Descriptor(signing.BUNDLE, DIGEST, len(data), "", annotations)
    authorities = load_authorities(signing.policy(KEY), NO_TRUST)
    found = evaluate([Artifact(format_, DIGEST, layer, data)], authorities, DIGEST)
    assert len(found.signers) + len(found.problems) == 1
    return bool(found.signers)


_GOOD = signing.bundle_for(DIGEST, KEY)


def test_the_honest_bundle_passes() -> None:
    assert _passes(SignatureFormat.BUNDLE, json.dumps(_GOOD).encode(), {})


@settings(max_examples=150, deadline=None)
@given(_mutations(_GOOD))
def test_a_bundle_with_changed_bytes_says_the_same_or_does_not_pass(data: bytes) -> None:
    if _passes(SignatureFormat.BUNDLE, data, {}):
        # Only what is not signed, such as white space or the hint, may differ.
        changed = json.loads(data)["dsseEnvelope"]
        for member in ("payload", "payloadType", "signatures"):
            assert _without_keyid(changed[member]) == _GOOD["dsseEnvelope"][member]


def _without_keyid(value: Any) -> Any:
    if isinstance(value, list):
        return [{"sig": item["sig"]} for item in value]
    return value


@settings(max_examples=100, deadline=None)
@given(_BYTES | _mutations(signing.simple_payload(DIGEST)))
def test_a_payload_that_the_signature_is_not_over_does_not_pass(data: bytes) -> None:
    honest = json.dumps(signing.simple_payload(DIGEST)).encode()
    signature = base64.b64encode(KEY.sign(honest)).decode()
    annotations = {"dev.cosignproject.cosign/signature": signature}
    assert _passes(SignatureFormat.SIMPLE_SIGNING, honest, annotations)
    assert not _passes(SignatureFormat.SIMPLE_SIGNING, data, annotations)


@settings(max_examples=100, deadline=None)
@given(_mutations(signing.statement(DIGEST)))
def test_a_signed_statement_with_changed_bytes_is_about_this_image_or_does_not_pass(
    payload: bytes,
) -> None:
    made = json.dumps(signing.bundle(signing.envelope(payload, KEY))).encode()
    if _passes(SignatureFormat.BUNDLE, made, {}):
        statement = parse_statement(payload)
        require_signature(statement, DIGEST)
        assert json.loads(payload)["subject"][0]["digest"] == {"sha256": "a" * 64}
