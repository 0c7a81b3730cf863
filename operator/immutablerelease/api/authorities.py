"""Whom a policy trusts: keys, and identities that an authority of a trust root vouches for."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from .base import Model, Rule


class SignatureFormat(StrEnum):
    """Where a signature lies and what it signs."""

    # A Sigstore bundle with an in-toto statement, attached as an OCI referrer: cosign v3.
    BUNDLE = "Bundle"
    # A simple-signing payload at the tag `sha256-<hex>.sig`: cosign v2.
    SIMPLE_SIGNING = "SimpleSigning"


class ContentReference(Model):
    """One key of a Secret or ConfigMap in the operator's own namespace."""

    name: Annotated[
        str,
        Field(
            description="Name of the object.",
            max_length=253,
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        ),
    ]
    key: Annotated[
        str,
        Field(description="Key in its data.", max_length=253, pattern=r"^[-._a-zA-Z0-9]+$"),
    ]


class PublicKey(Model):
    """A key that signs images."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.pem) || !self.pem.contains('PRIVATE KEY')",
            "this is a private key: replace it, it is no longer private; put the public key here",
        ),
        Rule("has(self.pem) != has(self.secretRef)", "give the key by one of pem and secretRef"),
    )
    pem: Annotated[
        str | None,
        Field(
            description="Public key, PEM: ECDSA P-256, P-384 or P-521, Ed25519, or RSA of at "
            "least 2048 bits.",
            max_length=8192,
            pattern=r"-----BEGIN PUBLIC KEY-----",
        ),
    ] = None
    secret_ref: Annotated[
        ContentReference | None,
        Field(description="Secret in the operator's namespace that holds the public key, PEM."),
    ] = None


Name = Annotated[str, Field(max_length=512, min_length=1)]
Pattern = Annotated[str, Field(max_length=512, min_length=1)]


class Identity(Model):
    """Somebody who signs with a certificate: a subject, and the issuer that vouched for it."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.issuer) != has(self.issuerPattern)",
            "give the issuer by one of issuer and issuerPattern",
        ),
        Rule(
            "has(self.subject) != has(self.subjectPattern)",
            "give the subject by one of subject and subjectPattern",
        ),
    )
    issuer: Annotated[
        Name | None, Field(description="Issuer of the identity, such as an OIDC provider's URL.")
    ] = None
    issuer_pattern: Annotated[
        Pattern | None,
        Field(description="RE2 expression that must match the whole issuer."),
    ] = None
    subject: Annotated[
        Name | None,
        Field(description="Subject of the certificate: a workflow's URL, an e-mail address."),
    ] = None
    subject_pattern: Annotated[
        Pattern | None,
        Field(description="RE2 expression that must match the whole subject."),
    ] = None


class Keyless(Model):
    """Short-lived certificates of Sigstore in place of a key."""

    identities: Annotated[
        tuple[Identity, ...],
        Field(description="Who may sign; one of them must have.", min_length=1, max_length=16),
    ]


class TrustRootSource(Model):
    """Where a trust root is."""

    config_map_ref: Annotated[
        ContentReference,
        Field(
            description="ConfigMap in the operator's namespace that holds a Sigstore "
            "`trusted_root.json`."
        ),
    ]


class TransparencyLog(StrEnum):
    """Whether a signature must be in a transparency log."""

    REQUIRED = "Required"
    # Entries are not looked at. A keyless signature then needs a timestamp.
    IGNORED = "Ignored"


class Authority(Model):
    """Somebody whose signature counts."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.key) != has(self.keyless)", "an authority has one of key and keyless"),
    )
    name: Annotated[
        str,
        Field(
            description="Name of the authority, unique in the policy.",
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        ),
    ]
    key: Annotated[PublicKey | None, Field(description="The key that it signs with.")] = None
    keyless: Annotated[
        Keyless | None, Field(description="Identities whose certificates it signs with.")
    ] = None
    trust_root: Annotated[
        TrustRootSource | None,
        Field(
            description="Authorities, logs and clocks that its signatures are checked against. "
            "Without it, those of the public Sigstore."
        ),
    ] = None
    transparency_log: Annotated[
        TransparencyLog | None,
        Field(
            description="Whether its signatures must be in a transparency log. Without it, those "
            "of a keyless authority must, those by a key need not."
        ),
    ] = None

    @property
    def log_required(self) -> bool:
        """Whether its signatures must be in a transparency log."""
        if self.transparency_log is None:
            return self.keyless is not None
        return self.transparency_log is TransparencyLog.REQUIRED
