"""ReleasePolicy: what an admin trusts, so that developers never choose what they are trusted by.

All policies that match an image must hold. An image that none matches is refused. A policy in mode
Audit only reports: it neither refuses an image nor makes one pass that another policy refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from .attestations import Attestation, SignatureNeed
from .base import Duration, Model, Rule, keyed
from .conditions import Condition
from .objects import Metadata
from .registries import Registries

Glob = Annotated[str, Field(max_length=64, min_length=1, pattern=r"^[a-z0-9*]([-a-z0-9*]*)$")]
ImageGlob = Annotated[
    str, Field(max_length=320, min_length=1, pattern=r"^[a-z0-9*\[][-a-z0-9._/:*\[\]]*$")
]
Digest = Annotated[str, Field(max_length=71, pattern=r"^sha256:[a-f0-9]{64}$")]
LabelValue = Annotated[str, Field(max_length=63)]


class SelectorRequirement(Model):
    """One requirement on the labels of a namespace."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values; Exists and DoesNotExist take none",
        ),
    )
    key: Annotated[str, Field(description="Label key.", max_length=317, min_length=1)]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"],
        Field(description="How the label relates to the values."),
    ]
    values: Annotated[
        tuple[LabelValue, ...], Field(description="Values of the label.", max_length=64)
    ] = ()


class NamespaceSelector(Model):
    """Labels that a namespace must have; all of it must hold."""

    match_labels: Annotated[
        dict[str, LabelValue], Field(description="Labels with their exact values.", max_length=64)
    ] = Field(default_factory=dict)
    match_expressions: Annotated[
        tuple[SelectorRequirement, ...], Field(description="Requirements.", max_length=64)
    ] = ()


class Match(Model):
    """Which images in which namespaces the policy speaks of. All three must match."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.images.all(i, i.contains('/') || i.startsWith('**'))",
            "images are matched with their registry: write docker.io/library/nginx, not nginx",
        ),
        Rule(
            "self.images.all(i, !i.startsWith('index.docker.io/') "
            "&& !i.startsWith('registry-1.docker.io/'))",
            "Docker Hub is docker.io here, whatever name an image gives it",
        ),
    )
    namespaces: Annotated[
        tuple[Glob, ...],
        Field(description="Names of namespaces; `*` is any run of characters.", max_length=64),
    ] = ("*",)
    namespace_selector: Annotated[
        NamespaceSelector | None, Field(description="Labels that the namespace must have.")
    ] = None
    images: Annotated[
        tuple[ImageGlob, ...],
        Field(
            description="Repositories with their registry, without tag or digest, such as "
            "`docker.io/library/*`. The whole name must match; `*` stays inside one path "
            "segment, `**` crosses them.",
            min_length=1,
            max_length=128,
        ),
    ] = ("**",)


class Mode(StrEnum):
    """What a breach of the policy leads to."""

    ENFORCE = "Enforce"
    AUDIT = "Audit"


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


class OnRefusal(StrEnum):
    """What is done about a revision that serves and is refused by now."""

    # It is told, and the revision serves on.
    ALERT = "Alert"
    # The traffic goes to the newest other revision that the present policies verify.
    REVERT = "Revert"


class Reverify(Model):
    """Verifying again what was verified when it was admitted."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.every) >= duration('30s')",
            "every is 30s at least: each time asks the registry",
            field=".every",
        ),
        Rule(
            "duration(self.every) <= duration('8760h')",
            "every is a year (8760h) at most",
            field=".every",
        ),
    )
    every: Annotated[
        Duration,
        Field(
            description="How long a verdict stands before the registry is asked again. The "
            "smallest of all matching policies counts."
        ),
    ] = 86400.0
    on_refusal: Annotated[
        OnRefusal,
        Field(
            description="What is done when this policy refuses a revision that serves. Revert "
            "moves the traffic, whatever the release's guard says."
        ),
    ] = OnRefusal.ALERT


class PolicySpec(Model):
    """What must hold for an image to run."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.unsafeAllowUnsigned || (has(self.authorities) && size(self.authorities) > 0)",
            "name at least one authority; unsafeAllowUnsigned: true lets anything run",
        ),
        Rule(
            "!self.unsafeAllowUnsigned || !has(self.authorities) || size(self.authorities) == 0",
            "unsafeAllowUnsigned would make the authorities meaningless: remove one or the other",
        ),
        Rule(
            "!has(self.authorities) || size(self.authorities) == 0 "
            "|| self.quorum <= size(self.authorities)",
            "quorum is more than there are authorities",
        ),
        Rule(
            "!has(self.authorities) || self.authorities.all(a, "
            "self.authorities.exists_one(b, b.name == a.name))",
            "names of authorities are unique",
        ),
        Rule(
            "!self.unsafeAllowUnsigned || !has(self.attestations) || size(self.attestations) == 0",
            "unsafeAllowUnsigned would make the attestations meaningless: remove one or the other",
        ),
        Rule(
            "self.signature != 'Ignored' "
            "|| (has(self.attestations) && size(self.attestations) > 0)",
            "with signature: Ignored name at least one attestation",
        ),
        Rule(
            "!has(self.attestations) || self.attestations.all(t, !has(t.authorities) "
            "|| t.authorities.all(n, has(self.authorities) "
            "&& self.authorities.exists(a, a.name == n)))",
            "authorities of attestations are those of the policy",
        ),
    )
    match: Annotated[Match, Field(description="What the policy speaks of.")] = Match()
    mode: Annotated[
        Mode,
        Field(description="Enforce refuses what breaches the policy; Audit only reports it."),
    ] = Mode.ENFORCE
    authorities: Annotated[
        tuple[Authority, ...], Field(description="Whose signatures count.", max_length=16)
    ] = ()
    quorum: Annotated[
        int,
        Field(
            description="How many authorities must have signed. The same key or identity counts "
            "once, under however many names.",
            ge=1,
            le=16,
        ),
    ] = 1
    formats: Annotated[
        tuple[SignatureFormat, ...],
        Field(
            description="Layouts in which a signature is accepted. A layout that is not listed "
            "is not looked for.",
            min_length=1,
            max_length=2,
        ),
    ] = (SignatureFormat.BUNDLE, SignatureFormat.SIMPLE_SIGNING)
    signature: Annotated[
        SignatureNeed,
        Field(
            description="Required wants the image signed by `quorum` authorities. Ignored leaves "
            "it at the attestations."
        ),
    ] = SignatureNeed.REQUIRED
    attestations: Annotated[
        tuple[Attestation, ...],
        Field(
            description="What must have been attested of the image. All of it must hold.",
            max_length=16,
            json_schema_extra=keyed("name"),
        ),
    ] = ()
    parents: Annotated[
        tuple[Digest, ...],
        Field(
            description="Digests of indexes that this policy accepts an image through: one of a "
            "single platform, named by its own digest and not signed itself, passes if one of "
            "these lists it and satisfies the policy.",
            max_length=32,
        ),
    ] = ()
    unsafe_allow_unsigned: Annotated[
        bool,
        Field(description="Let images run that nobody signed. Other policies still hold."),
    ] = False
    reverify: Annotated[
        Reverify, Field(description="When what runs is verified again, and what follows.")
    ] = Reverify()
    registries: Annotated[
        Registries, Field(description="How registries may be reached from matching namespaces.")
    ] = Registries()


class PolicyStatus(Model):
    """What the operator makes of the policy."""

    observed_generation: Annotated[
        int, Field(description="Generation of the spec that the status speaks of.", ge=0)
    ] = 0
    conditions: Annotated[
        tuple[Condition, ...], Field(description="Ready, or why it cannot be.", max_length=16)
    ] = ()


@dataclass(frozen=True)
class Policy:
    """A ReleasePolicy."""

    metadata: Metadata
    spec: PolicySpec
    status: PolicyStatus

    @classmethod
    def read(cls, obj: Mapping[str, Any]) -> Self:
        """From the API server's dict; raises pydantic.ValidationError for what the CRD forbids."""
        return cls(
            Metadata.read(obj["metadata"]),
            PolicySpec.model_validate(obj["spec"]),
            PolicyStatus.model_validate(obj.get("status") or {}),
        )
