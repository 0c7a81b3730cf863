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
from .authorities import Authority, SignatureFormat
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
