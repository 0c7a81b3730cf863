"""ReleaseRevision: one version of a release, recorded by the operator and never changed."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Model, Rule, Time, keyed
from .conditions import Condition
from .probe import Probe
from .release import ServicePort
from .template import FrozenTemplate


class RevisionPhase(StrEnum):
    """Where a revision is in its life."""

    PENDING = "Pending"
    REJECTED = "Rejected"
    STARTING = "Starting"
    TESTING = "Testing"
    SHIFTING = "Shifting"
    ACTIVE = "Active"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"
    RETIRED = "Retired"


class ResolvedImage(Model):
    """An image as it was written and the digest that runs."""

    container: Annotated[str, Field(description="Name of the container or volume.", max_length=63)]
    init: Annotated[bool, Field(description="Whether it is an init container.")] = False
    volume: Annotated[
        bool, Field(description="Whether a volume mounts it; `container` names the volume.")
    ] = False
    job: Annotated[
        str | None,
        Field(description="Probe whose job runs it; absent for the Pods.", max_length=63),
    ] = None
    source: Annotated[str, Field(description="Image as written in the release.", max_length=512)]
    image: Annotated[
        str,
        Field(description="Image by digest.", max_length=512, pattern=r"^.+@sha256:[a-f0-9]{64}$"),
    ]


class FrozenConfig(Model):
    """A ConfigMap or Secret and the copy that the revision uses."""

    kind: Annotated[Literal["ConfigMap", "Secret"], Field(description="Kind of the object.")]
    source: Annotated[str, Field(description="Name in the release's template.", max_length=253)]
    name: Annotated[str, Field(description="Name of the frozen copy.", max_length=253)]


class RevisionJob(Model):
    """The job of a probe as it runs for the revision."""

    name: Annotated[str, Field(description="Name of the probe.", max_length=63)]
    template: Annotated[
        FrozenTemplate,
        Field(description="Template of its Pod, images by digest, configuration frozen."),
    ]


class RevisionSpec(Model):
    """What the revision is. Written once."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "a revision never changes; change the ImmutableRelease instead"),
    )
    release: Annotated[str, Field(description="Name of the release.", max_length=63)]
    number: Annotated[int, Field(description="Counts up with each revision.", ge=1)]
    generation: Annotated[int, Field(description="Generation of the spec it came from.", ge=0)]
    template_hash: Annotated[
        str, Field(description="Hash of the template as it was written.", max_length=64)
    ]
    template: Annotated[
        FrozenTemplate,
        Field(description="Template of the Pods, images by digest, configuration frozen."),
    ]
    jobs: Annotated[
        tuple[RevisionJob, ...],
        Field(description="Jobs of its probes.", max_length=16, json_schema_extra=keyed("name")),
    ] = ()
    images: Annotated[
        tuple[ResolvedImage, ...], Field(description="Images and their digests.", max_length=512)
    ]
    config: Annotated[
        tuple[FrozenConfig, ...], Field(description="Frozen configuration.", max_length=128)
    ] = ()


class ContainerEvidence(Model):
    """Who signed the image of one container, and how that was established."""

    container: Annotated[str, Field(description="Name of the container or volume.", max_length=63)]
    volume: Annotated[
        bool, Field(description="Whether a volume mounts it; `container` names the volume.")
    ] = False
    image: Annotated[str, Field(description="Image by digest.", max_length=512)]
    policy: Annotated[str, Field(description="ReleasePolicy that was satisfied.", max_length=253)]
    authority: Annotated[str, Field(description="Authority that signed.", max_length=253)]
    signer: Annotated[
        str, Field(description="Fingerprint of the key, or identity.", max_length=512)
    ]
    identity: Annotated[
        str | None, Field(description="Subject of the signer's certificate.", max_length=512)
    ] = None
    issuer: Annotated[
        str | None, Field(description="Who vouched for that identity.", max_length=512)
    ] = None
    log_index: Annotated[
        int | None, Field(description="Entry of the transparency log that holds it.", ge=0)
    ] = None
    signed_at: Annotated[
        Time | None,
        Field(description="When it was signed, by a transparency log or timestamp authority."),
    ] = None
    format: Annotated[str, Field(description="Layout of the signature.", max_length=64)]
    signature: Annotated[
        str,
        Field(
            description="Digest of the manifest of the signature or attestation.", max_length=128
        ),
    ]
    predicate_type: Annotated[
        str | None,
        Field(
            description="What an attestation says something of; absent for a signature.",
            max_length=256,
        ),
    ] = None
    parent: Annotated[
        str | None,
        Field(description="Digest of the index that was signed, for one platform.", max_length=128),
    ] = None


class Source(Model):
    """What an image was built from, as its verified provenance says."""

    repository: Annotated[str, Field(description="Repository of the source.", max_length=512)]
    commit: Annotated[str, Field(description="Commit that was built.", max_length=64)]
    builder: Annotated[str, Field(description="What built it.", max_length=512)]


class Verification(Model):
    """Verdict on the images of the revision, and against which policies it was reached."""

    verdict: Annotated[
        Literal["Verified", "Refused", "Unknown"],
        Field(description="Unknown is neither: the registry could not be asked."),
    ]
    reason: Annotated[str, Field(description="One CamelCase word.", max_length=64)]
    message: Annotated[str, Field(description="Which container and why.", max_length=2048)]
    policies: Annotated[
        str, Field(description="Hash of the policies that were applied.", max_length=64)
    ]
    time: Annotated[Time, Field(description="When the verdict was reached.")]
    due: Annotated[
        Time | None, Field(description="When it is verified again if no policy changes before.")
    ] = None
    evidence: Annotated[
        tuple[ContainerEvidence, ...], Field(description="Per container.", max_length=256)
    ] = ()
    source: Annotated[
        Source | None,
        Field(description="Proven source of the first container for which a policy wants it."),
    ] = None


class Refusal(Model):
    """What a later verification said of a revision that was verified when it was admitted."""

    reason: Annotated[str, Field(description="One CamelCase word.", max_length=64)]
    message: Annotated[str, Field(description="Which container and why.", max_length=2048)]
    policies: Annotated[
        str, Field(description="Hash of the policies that were applied.", max_length=64)
    ]
    time: Annotated[Time, Field(description="When the verdict was reached.")]
    due: Annotated[
        Time | None, Field(description="When it is verified again if no policy changes before.")
    ] = None
    revert: Annotated[
        bool, Field(description="Whether a policy that refuses it wants the traffic moved.")
    ] = False


class Failure(Model):
    """Why the revision is not to be used again."""

    reason: Annotated[str, Field(description="One CamelCase word.", max_length=64)]
    message: Annotated[str, Field(description="What was found.", max_length=2048)]
    time: Annotated[Time, Field(description="When it failed.")]


class RevisionStatus(Model):
    """What became of the revision."""

    phase: Annotated[RevisionPhase, Field(description="Where it is in its life.")] = (
        RevisionPhase.PENDING
    )
    message: Annotated[
        str, Field(description="One sentence that says why it is there.", max_length=2048)
    ] = ""
    verification: Annotated[Verification | None, Field(description="Who signed what.")] = None
    refusal: Annotated[
        Refusal | None,
        Field(
            description="Why it is refused by now; `verification` still says why it was admitted."
        ),
    ] = None
    failure: Annotated[Failure | None, Field(description="Why it failed.")] = None
    approved: Annotated[bool, Field(description="Promotion was asked for by a ReleaseAction.")] = (
        False
    )
    last_action: Annotated[
        str | None,
        Field(description="UID of the last ReleaseAction that changed it.", max_length=64),
    ] = None
    attempt: Annotated[
        int, Field(description="Times that it was tried again; each has jobs of its own.", ge=0)
    ] = 0
    started_at: Annotated[
        Time | None, Field(description="When its Pods were started; the deadline counts.")
    ] = None
    tested_at: Annotated[Time | None, Field(description="When it passed its probes.")] = None
    step: Annotated[int, Field(description="Steps of the canary that it has passed.", ge=0)] = 0
    step_at: Annotated[
        Time | None, Field(description="When the step that it is at took effect.")
    ] = None
    approved_step: Annotated[
        int | None,
        Field(description="Step whose pause was ended by a ReleaseAction.", ge=0),
    ] = None
    active_since: Annotated[Time | None, Field(description="When it got the traffic.")] = None
    good_since: Annotated[Time | None, Field(description="When it counted as good.")] = None
    left_at: Annotated[Time | None, Field(description="When it lost the traffic.")] = None
    ready_replicas: Annotated[int, Field(description="Ready Pods.", ge=0)] = 0
    ports: Annotated[
        tuple[ServicePort, ...],
        Field(
            description="Ports of the Service, as the release last had them for it.",
            max_length=32,
            json_schema_extra=keyed("name"),
        ),
    ] = ()
    probes: Annotated[
        tuple[Probe, ...],
        Field(
            description="Probes of the operator, as the release last had them for it.",
            max_length=16,
            json_schema_extra=keyed("name"),
        ),
    ] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        Field(description="Verified and Healthy.", max_length=16, json_schema_extra=keyed("type")),
    ] = ()
