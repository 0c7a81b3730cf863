"""What is fuzzed: one target for each parser of bytes that a registry, or who fills it, chooses.

A target returns for bytes that are fine, and for those that end in the typed error of the parser.
Any other exception is a finding, and so is a signature that holds over what nobody signed: the
three targets named `signed-...` prove each input by the authorities that made the seeds, and accept
only payloads that a seed carries.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from yarl import URL

from immutablerelease.api.attestations import AttestationFormat
from immutablerelease.api.authorities import SignatureFormat
from immutablerelease.api.policy import Policy
from immutablerelease.verification import provenance
from immutablerelease.verification.artifact import Artifact, ArtifactFormat
from immutablerelease.verification.attestation import parse_attestation
from immutablerelease.verification.authorities import Authorities, load_authorities
from immutablerelease.verification.authorization import parse_token
from immutablerelease.verification.bundle import parse_bundle
from immutablerelease.verification.certificates import load_certificate, split_pem
from immutablerelease.verification.challenge import parse_challenges, token_url
from immutablerelease.verification.errors import (
    IntegrityError,
    InvalidReference,
    RegistryError,
    SignatureError,
    WrongProvenance,
    WrongSbom,
)
from immutablerelease.verification.evaluation import signed_by
from immutablerelease.verification.log_entry import parse_body, parse_promise
from immutablerelease.verification.manifest import (
    OCI_INDEX,
    Descriptor,
    check_image,
    parse_index,
    parse_manifest,
    parse_platforms,
)
from immutablerelease.verification.reference import parse_reference
from immutablerelease.verification.sbom import require_sbom
from immutablerelease.verification.simplesigning import require_image
from immutablerelease.verification.statement import parse_statement, require_signature
from immutablerelease.verification.strict_json import InvalidJSON, parse_object
from immutablerelease.verification.timestamps import trusted_times
from immutablerelease.verification.trust import Trust

SEEDS = Path(__file__).parent / "seeds"
# The policy that trusts whoever made the seeds, and its trust root.
POLICY = Path(__file__).parent / "policy.json"
TRUST_ROOT = Path(__file__).parent / "trusted_root.json"
ROOT_PLACE = ("sigstore", "trusted_root.json")
DIGEST = "sha256:" + "ab" * 32
# What stands before a layer's content in the seeds of layers: its annotations.
SEPARATOR = b"\0"


@dataclass(frozen=True)
class Target:
    """Something that eats bytes, and how it may refuse them."""

    eat: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]

    def __call__(self, data: bytes) -> None:
        """Feed it; whatever is raised is a finding."""
        with suppress(*self.refusals):
            self.eat(data)


def _text(eat: Callable[[str], object]) -> Callable[[bytes], object]:
    """Headers reach us as text of which every byte is a character."""
    return lambda data: eat(data.decode("latin-1"))


def _challenge(header: str) -> None:
    for challenge in parse_challenges([header]):
        url = token_url(challenge, URL("https://registry.example/v2/"), "team/app", ())
        if url.host != "registry.example":
            raise AssertionError(f"credentials would go to {url.host}")


def _provenance(predicate_type: str) -> Callable[[bytes], object]:
    return lambda data: provenance.parse_provenance(predicate_type, parse_object(data))


@cache
def _leaf() -> bytes:
    return (SEEDS / "certificate" / "0").read_bytes()


def _sboms(data: bytes) -> None:
    document = parse_object(data)
    for predicate_type in ("https://cyclonedx.org/bom", "https://spdx.dev/Document"):
        with suppress(WrongSbom):
            require_sbom(predicate_type, document)


@cache
def _authorities() -> Authorities:
    policy = Policy.read(json.loads(POLICY.read_text()))
    return load_authorities(policy, Trust(config_maps={ROOT_PLACE: TRUST_ROOT.read_text()}))


def _artifact(format_: ArtifactFormat, data: bytes) -> Artifact | None:
    annotations: Any = {}
    if format_ is not SignatureFormat.BUNDLE:
        head, _, data = data.partition(SEPARATOR)
        try:
            annotations = parse_object(head)
        except InvalidJSON:
            return None
        # The parser of manifests lets no other ones through.
        if not all(isinstance(item, str) for item in annotations.values()):
            return None
    media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
    layer = Descriptor(media_type, DIGEST, len(data), "", annotations)
    return Artifact(format_, DIGEST, layer, data)


def _payload(format_: ArtifactFormat, data: bytes) -> bytes | None:
    artifact = _artifact(format_, data)
    return None if artifact is None else signed_by(artifact, _authorities())[1]


@cache
def _signed(name: str, format_: ArtifactFormat) -> frozenset[bytes | None]:
    """The payloads that the seeds carry, all of which must hold."""
    return frozenset(
        _payload(format_, seed.read_bytes()) for seed in sorted((SEEDS / name).iterdir())
    )


def _prove(name: str, format_: ArtifactFormat) -> Callable[[bytes], None]:
    def prove(data: bytes) -> None:
        signed = _signed(name, format_)
        payload = _payload(format_, data)
        if payload is not None and payload not in signed:
            raise AssertionError("a signature holds over what nobody signed")

    return prove


TARGETS: Mapping[str, Target] = {
    "json": Target(parse_object, (InvalidJSON,)),
    "reference": Target(_text(parse_reference), (InvalidReference,)),
    "manifest": Target(parse_manifest, (IntegrityError,)),
    "index": Target(parse_index, (IntegrityError,)),
    "image": Target(lambda data: check_image(data, OCI_INDEX), (IntegrityError,)),
    "platforms": Target(lambda data: parse_platforms(data, OCI_INDEX), (IntegrityError,)),
    "token": Target(parse_token, (IntegrityError,)),
    "challenge": Target(_text(_challenge), (RegistryError,)),
    "bundle": Target(parse_bundle, (SignatureError,)),
    "statement": Target(
        lambda data: require_signature(parse_statement(data), DIGEST), (SignatureError,)
    ),
    "simple-payload": Target(lambda data: require_image(data, DIGEST), (SignatureError,)),
    "attestation": Target(lambda data: parse_attestation(data, DIGEST), (SignatureError,)),
    "slsa-v1": Target(_provenance(provenance.SLSA_V1), (WrongProvenance, InvalidJSON)),
    "slsa-v0.2": Target(_provenance(provenance.SLSA_V02), (WrongProvenance, InvalidJSON)),
    "sbom": Target(_sboms, (InvalidJSON,)),
    "certificate": Target(lambda data: load_certificate(data).identity(), (SignatureError,)),
    "chain": Target(lambda data: load_certificate(_leaf(), [data]), (SignatureError,)),
    "pem": Target(_text(split_pem), (SignatureError,)),
    "timestamp": Target(lambda data: trusted_times([data], b"signature", ()), (SignatureError,)),
    "log-promise": Target(_text(parse_promise), (SignatureError,)),
    "log-body": Target(parse_body, (SignatureError,)),
    "signed-bundle": Target(_prove("signed-bundle", SignatureFormat.BUNDLE), (SignatureError,)),
    "signed-simple": Target(
        _prove("signed-simple", SignatureFormat.SIMPLE_SIGNING), (SignatureError,)
    ),
    "signed-envelope": Target(
        _prove("signed-envelope", AttestationFormat.ENVELOPE), (SignatureError,)
    ),
}
