"""The kinds as whole objects: metadata with spec and status, read from the API server's dicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from .action import ActionSpec, ActionStatus
from .meta import API_VERSION
from .release import ReleaseSpec, ReleaseStatus
from .revision import RevisionSpec, RevisionStatus

# https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion
_OF_GARBAGE_COLLECTION = frozenset({"foregroundDeletion", "orphan"})


def owner(kind: str, name: str, uid: str) -> dict[str, Any]:
    """A controller reference to an object of one of the kinds."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
    }


@dataclass(frozen=True)
class Metadata:
    """What the operator needs of an object's metadata."""

    name: str
    namespace: str
    uid: str
    generation: int
    created: datetime | None
    deleting: bool
    # Being deleted, and kept for as long as somebody's finalizer is there.
    held: bool = False
    # Named by the API server on its creation: nobody has it in a file and applies it again.
    generated: bool = False

    @classmethod
    def read(cls, metadata: Mapping[str, Any]) -> Self:
        """From the `metadata` of an object as the API server returns it."""
        created = metadata.get("creationTimestamp")
        return cls(
            name=metadata["name"],
            namespace=metadata.get("namespace", ""),
            uid=metadata.get("uid", ""),
            generation=metadata.get("generation", 0),
            created=datetime.fromisoformat(created) if created else None,
            deleting="deletionTimestamp" in metadata,
            held="deletionTimestamp" in metadata
            and bool(set(metadata.get("finalizers") or ()) - _OF_GARBAGE_COLLECTION),
            generated="generateName" in metadata,
        )

    @property
    def going(self) -> bool:
        """Whether it is on its way out, and what it owns with it."""
        return self.deleting and not self.held


@dataclass(frozen=True)
class Release:
    """An ImmutableRelease."""

    metadata: Metadata
    spec: ReleaseSpec
    status: ReleaseStatus

    @classmethod
    def read(cls, obj: Mapping[str, Any], spec: ReleaseSpec | None = None) -> Self:
        """From the API server's dict; raises pydantic.ValidationError for what the CRD forbids.

        With `spec` its own is not read again.
        """
        return cls(
            Metadata.read(obj["metadata"]),
            spec or ReleaseSpec.model_validate(obj["spec"]),
            ReleaseStatus.model_validate(obj.get("status") or {}),
        )


@dataclass(frozen=True)
class Revision:
    """A ReleaseRevision."""

    metadata: Metadata
    spec: RevisionSpec
    status: RevisionStatus

    @classmethod
    def read(cls, obj: Mapping[str, Any], spec: RevisionSpec | None = None) -> Self:
        """From the API server's dict; raises pydantic.ValidationError for what the CRD forbids.

        With `spec` its own is not read again.
        """
        return cls(
            Metadata.read(obj["metadata"]),
            spec or RevisionSpec.model_validate(obj["spec"]),
            RevisionStatus.model_validate(obj.get("status") or {}),
        )


@dataclass(frozen=True)
class Action:
    """A ReleaseAction."""

    metadata: Metadata
    spec: ActionSpec
    status: ActionStatus

    @classmethod
    def read(cls, obj: Mapping[str, Any]) -> Self:
        """From the API server's dict; raises pydantic.ValidationError for what the CRD forbids."""
        return cls(
            Metadata.read(obj["metadata"]),
            ActionSpec.model_validate(obj["spec"]),
            ActionStatus.model_validate(obj.get("status") or {}),
        )
