"""The section `attestations` of a ReleasePolicy: what must have been said about an image, by whom.

An attestation is an in-toto statement about the image's digest, signed by authorities of the
policy. Each that is listed must be there; what it says must hold.
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from .base import Model, Rule

AuthorityName = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
# One clean spelling of a repository: a scheme, a host and a path, no query, no escapes.
RepositoryGlob = Annotated[
    str,
    Field(
        max_length=256,
        pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._/*~-]*[A-Za-z0-9_*~-]$",
    ),
]
Glob = Annotated[str, Field(max_length=256, pattern=r"^[\x21-\x7e]+$")]


class AttestationFormat(StrEnum):
    """Where an attestation lies."""

    # A Sigstore bundle, attached as an OCI referrer: cosign v3, GitHub's artifact attestations.
    BUNDLE = "Bundle"
    # A DSSE envelope among the layers at the tag `sha256-<hex>.att`: cosign v2.
    ENVELOPE = "Envelope"


class SignatureNeed(StrEnum):
    """Whether an image must be signed besides being attested."""

    REQUIRED = "Required"
    # The attestations, which are signed as well, are enough.
    IGNORED = "Ignored"


class Sbom(StrEnum):
    """Formats of a software bill of materials."""

    CYCLONE_DX = "CycloneDX"
    SPDX = "SPDX"
    # Either of them.
    ANY = "Any"


class PredicateRule(Model):
    """A CEL expression that must be true of the predicate."""

    expression: Annotated[
        str,
        Field(
            description="CEL expression of type bool; `predicate` is what the attestation says. "
            "One that fails, as where a field is missing, refuses the image.",
            min_length=1,
            max_length=2048,
        ),
    ]
    message: Annotated[
        str,
        Field(description="What people are told when it is false.", min_length=1, max_length=256),
    ]


class SlsaProvenance(Model):
    """Where and by what the image must have been built, by SLSA provenance v0.2 or v1."""

    source_repository: Annotated[
        RepositoryGlob,
        Field(
            description="Repository that it was built from, such as `https://github.com/shop/app`: "
            "without `git+`, without `.git`. `*` stays inside one path segment, `**` crosses them."
        ),
    ]
    ref: Annotated[
        Glob | None,
        Field(description="Branch or tag that it was built from, such as `refs/heads/main`."),
    ] = None
    commit: Annotated[
        str | None,
        Field(
            description="Commit that it was built from.",
            max_length=64,
            pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$",
        ),
    ] = None
    builder: Annotated[
        Glob,
        Field(
            description="What built it: the `builder.id`. What a builder that is not trusted says "
            "of a source means nothing."
        ),
    ]


class Attestation(Model):
    """An attestation that must be there."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.predicateType), has(self.slsa), has(self.sbom)].filter(x, x).size() == 1",
            "say what the attestation is by exactly one of predicateType, slsa and sbom",
        ),
        Rule(
            "!has(self.predicateType) "
            "|| !self.predicateType.startsWith('https://sigstore.dev/cosign/sign/')",
            "a signature is no attestation: name the authorities of the policy instead",
        ),
        Rule(
            "!has(self.authorities) || size(self.authorities) == 0 "
            "|| self.quorum <= size(self.authorities)",
            "quorum is more than there are authorities",
        ),
    )
    name: Annotated[AuthorityName, Field(description="Name of the requirement.")]
    predicate_type: Annotated[
        str | None,
        Field(
            description="URI of the predicate type. That of the signed statement counts, in full.",
            min_length=1,
            max_length=256,
        ),
    ] = None
    slsa: Annotated[SlsaProvenance | None, Field(description="Provenance of the build.")] = None
    sbom: Annotated[Sbom | None, Field(description="A bill of materials, in that format.")] = None
    authorities: Annotated[
        tuple[AuthorityName, ...],
        Field(
            description="Authorities of the policy that count here; all of them if none is named.",
            max_length=16,
        ),
    ] = ()
    quorum: Annotated[
        int, Field(description="How many authorities must have said it.", ge=1, le=16)
    ] = 1
    formats: Annotated[
        tuple[AttestationFormat, ...],
        Field(description="Layouts that are looked for.", min_length=1, max_length=2),
    ] = (AttestationFormat.BUNDLE, AttestationFormat.ENVELOPE)
    predicate_rules: Annotated[
        tuple[PredicateRule, ...],
        Field(description="What must hold of what it says.", max_length=16, alias="rules"),
    ] = ()
