"""What is to be done, as data: typed intents in the order in which they are applied.

A plan stops at its first intent that fails; what comes later is decided anew from a new snapshot.
Every intent is idempotent, so a repeated plan is harmless.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from immutablerelease.api.action import ActionStatus
from immutablerelease.api.probe import Probe
from immutablerelease.api.release import ReleaseStatus
from immutablerelease.api.revision import RevisionSpec, RevisionStatus

from .snapshot import RouteRecord


@dataclass(frozen=True)
class MoveTraffic:
    """Send the traffic of the release as a record has it, in one write.

    Applied only after a live read found a ready Pod of the revision, and the Service with the
    record that the decision was made on: else something was not observed yet, and it is decided
    anew.
    """

    record: RouteRecord


@dataclass(frozen=True)
class EnsureService:
    """Bring the Service and what a router goes by up to date without moving traffic.

    What the release does not ask for is deleted.
    """

    # Whether what had the traffic before has answered all that it was asked.
    drained: bool = False


@dataclass(frozen=True)
class RecordRevision:
    """Create a ReleaseRevision, with the frozen configuration that it names."""

    name: str
    spec: RevisionSpec


@dataclass(frozen=True)
class StartRevision:
    """Create the workload of a verified revision if it is missing, and write its Service.

    A workload that exists is left as it is: a template is never updated, a size only by `Scale`.
    """

    revision: str
    replicas: int


@dataclass(frozen=True)
class RunJob:
    """Create the Job of a probe; one that exists is left as it is."""

    revision: str
    probe: Probe
    attempt: int


@dataclass(frozen=True)
class KeepBudget:
    """Create the PodDisruptionBudget of a revision, or bring it in step with the release."""

    revision: str
    max_unavailable: int | str


@dataclass(frozen=True)
class Scale:
    """Set the number of Pods of a revision's Deployment; a DaemonSet can only be deleted, by 0."""

    revision: str
    replicas: int
    # Applied only after a live read found that the release's Service does not point there: a move
    # of traffic whose answer got lost may not have been observed yet.
    unless_routed: bool = False


@dataclass(frozen=True)
class DeleteRevision:
    """Delete a ReleaseRevision; what it owns goes with it."""

    name: str


@dataclass(frozen=True)
class DeleteFrozen:
    """Delete a frozen copy that no kept revision names."""

    kind: str
    name: str


@dataclass(frozen=True)
class DeleteAction:
    """Delete a ReleaseAction that was answered long ago."""

    name: str


@dataclass(frozen=True)
class WriteRevisionStatus:
    """Write the status of a ReleaseRevision."""

    name: str
    status: RevisionStatus


@dataclass(frozen=True)
class WriteReleaseStatus:
    """Write the status of the ImmutableRelease."""

    status: ReleaseStatus


@dataclass(frozen=True)
class WriteActionStatus:
    """Write the status of a ReleaseAction."""

    name: str
    status: ActionStatus


Intent = (
    MoveTraffic
    | EnsureService
    | RecordRevision
    | StartRevision
    | RunJob
    | Scale
    | KeepBudget
    | DeleteRevision
    | DeleteFrozen
    | DeleteAction
    | WriteRevisionStatus
    | WriteReleaseStatus
    | WriteActionStatus
)


class EventType(StrEnum):
    """Severity of an Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True)
class Event:
    """Something that happened, told once, after the status that records it was written."""

    type: EventType
    reason: str
    message: str
    revision: str | None = None


@dataclass(frozen=True)
class Resolve:
    """Work wanted: resolve the release's template. Its result comes with a later snapshot."""

    template_hash: str


@dataclass(frozen=True)
class Verify:
    """Work wanted: verify the images of a revision. Its result comes with a later snapshot."""

    revision: str
    policies: str
    # Whether it was verified by these policies before: then nothing is answered from memory.
    again: bool = False


@dataclass(frozen=True)
class Plan:
    """The whole decision."""

    intents: tuple[Intent, ...] = ()
    events: tuple[Event, ...] = ()
    # Background work that shall be under way; what is not named here is stopped.
    resolve: Resolve | None = None
    verify: tuple[Verify, ...] = ()
    # Revisions that shall be probed, with which probes.
    probe: Mapping[str, tuple[Probe, ...]] = field(default_factory=dict)
    # What the others are compared with: the revision that serves.
    against: str | None = None
    # When to decide again even if nothing is observed before.
    wake_at: datetime | None = None
    # Labels for logs and metrics, such as the reverted revision.
    notes: Mapping[str, Any] = field(default_factory=dict)
