"""The kinds as the API server serves them: names, scope, columns of `kubectl get`, rules on names.

The columns tell a person who reads nothing else what happened to a release; `-o wide` says why.
"""

from dataclasses import dataclass
from typing import Literal

from .action import ActionSpec, ActionStatus
from .base import Model, Rule
from .policy import PolicySpec, PolicyStatus
from .release import ReleaseSpec, ReleaseStatus
from .revision import RevisionSpec, RevisionStatus

# A revision is `<release>-<10 hex>`, and its Service and labels take 63 characters.
RELEASE_NAME_LENGTH = 52


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; `wide` ones need `-o wide`."""

    name: str
    path: str
    description: str
    type: Literal["string", "integer", "date"] = "string"
    wide: bool = False


@dataclass(frozen=True)
class Kind:
    """What is served of a kind besides its models."""

    name: str
    plural: str
    short: str
    scope: Literal["Namespaced", "Cluster"]
    description: str
    spec: type[Model]
    status: type[Model]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    scale: bool = False


_AGE = Column("Age", ".metadata.creationTimestamp", "Since when it exists.", "date")


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


RELEASE = Kind(
    name="ImmutableRelease",
    plural="immutablereleases",
    short="irel",
    scope="Namespaced",
    description="An application as its team wants it to run. Every change of `spec.template` "
    "becomes a ReleaseRevision: images resolved to digests and verified, configuration frozen. "
    "Traffic moves to it only while its probes prove it healthy, and moves back when they fail.",
    spec=ReleaseSpec,
    status=ReleaseStatus,
    columns=(
        Column("Phase", ".status.phase", "Summary of what goes on."),
        Column("Active", ".status.activeRevision", "Revision that serves."),
        Column("Candidate", ".status.candidateRevision", "Revision on its way to serve."),
        Column("Known-Good", ".status.knownGoodRevision", "Revision that a revert goes to."),
        Column("Ready", ".status.readyReplicas", "Ready Pods of the active revision.", "integer"),
        _AGE,
        Column("Why", _condition("Ready", "message"), "Why it is so, what to do next.", wide=True),
    ),
    selectable=(".status.phase", ".status.activeRevision"),
    rules=(
        Rule(
            f"size(self.metadata.name) <= {RELEASE_NAME_LENGTH}",
            f"the name of a release has at most {RELEASE_NAME_LENGTH} characters: names of its "
            "revisions are 11 longer and must fit the 63 of a Service",
        ),
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "the name of a release is also that of its Service: lower case letters, digits and "
            "dashes, a letter first and no dash last",
        ),
    ),
    scale=True,
)

REVISION = Kind(
    name="ReleaseRevision",
    plural="releaserevisions",
    short="rrev",
    scope="Namespaced",
    description="One version of an ImmutableRelease, recorded by the operator: what was written, "
    "what runs, who signed it and what became of it. Its spec never changes. It outlives its Pods.",
    spec=RevisionSpec,
    status=RevisionStatus,
    columns=(
        Column("Release", ".spec.release", "Release it is a version of."),
        Column("No", ".spec.number", "Counts up with each revision.", "integer"),
        Column("Phase", ".status.phase", "Where it is in its life."),
        Column("Image", ".spec.images[0].source", "Its first image, as written."),
        Column(
            "Verified",
            '.status.conditions[?(@.type=="Verified")].status',
            "Whether the policies verify its images.",
        ),
        Column("Ready", ".status.readyReplicas", "Ready Pods.", "integer"),
        Column("Active-Since", ".status.activeSince", "When it got the traffic.", "date"),
        _AGE,
        Column("Why", ".status.message", "Why it is in its phase.", wide=True),
        Column("Signer", ".status.verification.evidence[0].signer", "Who signed it.", wide=True),
        Column("Digest", ".spec.images[0].image", "Its first image, by digest.", wide=True),
    ),
    selectable=(".spec.release", ".status.phase"),
)

POLICY = Kind(
    name="ReleasePolicy",
    plural="releasepolicies",
    short="rpol",
    scope="Cluster",
    description="What an admin trusts: which images in which namespaces must be signed by whom. "
    "All policies that match an image must hold; an image that none matches is refused.",
    spec=PolicySpec,
    status=PolicyStatus,
    columns=(
        Column("Mode", ".spec.mode", "Enforce refuses, Audit reports."),
        Column("Images", ".spec.match.images", "Images it speaks of."),
        Column("Authorities", ".spec.authorities[*].name", "Whose signatures count."),
        Column("Quorum", ".spec.quorum", "How many of them must have signed.", "integer"),
        Column("Ready", _condition("Ready", "status"), "Whether it can be applied."),
        _AGE,
        Column("Namespaces", ".spec.match.namespaces", "Namespaces it holds in.", wide=True),
        Column("Why", _condition("Ready", "message"), "Why it is ready or not.", wide=True),
    ),
    selectable=(".spec.mode",),
)

ACTION = Kind(
    name="ReleaseAction",
    plural="releaseactions",
    short="ract",
    scope="Namespaced",
    description="Something asked of a release: Promote, Abort, Rollback or Retry. It is done "
    "once and kept as a record of who asked and why; its spec never changes.",
    spec=ActionSpec,
    status=ActionStatus,
    columns=(
        Column("Release", ".spec.release", "Release it is about."),
        Column("Action", ".spec.action", "What was asked."),
        Column("Phase", ".status.phase", "What became of it."),
        _AGE,
        Column("Message", ".status.message", "What was done, or why not.", wide=True),
        Column("Revision", ".spec.revision", "Revision to roll back to.", wide=True),
        Column("Reason", ".spec.reason", "Why it was asked.", wide=True),
    ),
    selectable=(".spec.release", ".spec.action", ".status.phase"),
)

KINDS = (RELEASE, REVISION, POLICY, ACTION)
