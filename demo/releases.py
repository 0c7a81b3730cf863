"""A release seen from outside: what a person applies, and what they can read back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .errors import Unmet
from .kube import Kube, Object, wait_for
from .manifests import RELEASE_LABEL, REVISION_LABEL

Found = TypeVar("Found")


@dataclass(frozen=True)
class RevisionView:
    """A ReleaseRevision as `kubectl get rrev` tells of it."""

    name: str
    number: int
    phase: str
    message: str
    images: Sequence[str]
    good: bool
    raw: Object

    @classmethod
    def read(cls, obj: Object) -> "RevisionView":
        """From the API server's dict."""
        status = obj.get("status") or {}
        return cls(
            name=obj["metadata"]["name"],
            number=obj["spec"]["number"],
            phase=status.get("phase", "Pending"),
            message=status.get("message", ""),
            images=[image["image"] for image in obj["spec"]["images"]],
            good=status.get("goodSince") is not None,
            raw=obj,
        )

    def describe(self) -> str:
        """One line."""
        return f"{self.name} {self.phase}" + (f" ({self.message})" if self.message else "")


class ReleaseView:
    """One ImmutableRelease and all that belongs to it."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.name = name

    def read(self) -> Object:
        """The ImmutableRelease."""
        return self.kube.get("ImmutableRelease", self.name, self.namespace)

    def status(self) -> Object:
        """Its status; empty before the operator first wrote it."""
        found = self.kube.find("ImmutableRelease", self.name, self.namespace) or {}
        return dict(found.get("status") or {})

    def condition(self, type_: str) -> Object:
        """A condition; empty when it is not there."""
        for condition in self.status().get("conditions", []):
            if condition["type"] == type_:
                return dict(condition)
        return {}

    def revisions(self) -> list[RevisionView]:
        """All revisions, by number."""
        found = map(RevisionView.read, self.kube.list("ReleaseRevision", self.namespace))
        ours = (item for item in found if item.raw["spec"]["release"] == self.name)
        return sorted(ours, key=lambda item: item.number)

    def revision(self, name: str) -> RevisionView:
        """One revision."""
        return RevisionView.read(self.kube.get("ReleaseRevision", name, self.namespace))

    def active(self) -> str | None:
        """Name of the revision that serves, as the status says."""
        return self.status().get("activeRevision")

    def selected(self) -> str | None:
        """Name of the revision that the Service selects: where traffic really goes."""
        service = self.kube.find("Service", self.name, self.namespace)
        return _selected(service) if service else None

    def await_selected(self, revision: str, seconds: float = 60.0) -> None:
        """Wait for the very moment in which the Service is pointed at a revision."""
        for service in self.kube.watch("Service", self.namespace, seconds):
            if service["metadata"]["name"] == self.name and _selected(service) == revision:
                return
        raise Unmet(f"traffic to move to {revision}", self.describe())

    def address(self) -> str:
        """Cluster address of its Service."""
        return str(self.kube.get("Service", self.name, self.namespace)["spec"]["clusterIP"])

    def deployments(self) -> list[Object]:
        """Deployments of all its revisions."""
        return self.kube.list("Deployment", self.namespace, f"{RELEASE_LABEL}={self.name}")

    def pods(self, revision: str) -> list[Object]:
        """Pods of a revision that are not on their way out."""
        found = self.kube.list("Pod", self.namespace, f"{REVISION_LABEL}={revision}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def events(self, reason: str) -> list[str]:
        """Messages of the Events with that reason, about it or its revisions."""
        found = self.kube.list("Event", self.namespace)
        return [event["message"] for event in found if event["reason"] == reason]

    def describe(self) -> str:
        """What a person would say of it now."""
        phase = self.status().get("phase", "without a status")
        message = self.condition("Ready").get("message", "nothing said yet")
        revisions = "; ".join(item.describe() for item in self.revisions()[-2:])
        return f"{self.name} {phase}: {message} [{revisions or 'no revision'}]"

    def await_that(
        self, expected: str, holds: Callable[[], Found | None], seconds: float, every: float = 0.1
    ) -> Found:
        """Wait for something; on failure the story of the release is told."""
        return wait_for(expected, lambda: (holds(), self.describe()), seconds, every)

    def await_revision(self, image: str, seconds: float = 20.0) -> RevisionView:
        """Wait for the newest revision that runs this digest to be recorded."""
        return self.await_that(
            f"a revision of {self.name} with {image[-12:]}",
            lambda: next((item for item in reversed(self.revisions()) if _runs(item, image)), None),
            seconds,
        )

    def await_phase(self, revision: str, phase: str, seconds: float = 60.0) -> RevisionView:
        """Wait for a revision to be in a phase."""

        def look() -> RevisionView | None:
            found = self.revision(revision)
            return found if found.phase == phase else None

        return self.await_that(f"revision {revision} to be {phase}", look, seconds)

    def await_begun(self, revision: str, seconds: float = 60.0) -> RevisionView:
        """Wait until a revision is verified and being started, or further: that may be brief."""

        def look() -> RevisionView | None:
            found = self.revision(revision)
            return found if found.phase != "Pending" else None

        return self.await_that(f"revision {revision} to be started", look, seconds)

    def await_seen(
        self, expected: str, holds: Callable[[Object], Found | None], seconds: float
    ) -> Found:
        """Wait for a state of the release, however briefly it lasts: a watch leaves none out."""
        for release in self.kube.watch("ImmutableRelease", self.namespace, seconds):
            found = holds(release) if release["metadata"]["name"] == self.name else None
            if found is not None:
                return found
        raise Unmet(f"{expected} within {seconds:.0f} s", self.describe())

    def await_active(self, revision: str, seconds: float = 60.0) -> RevisionView:
        """Wait until a revision serves: its phase, the release's status and the Service say so."""

        def look() -> RevisionView | None:
            found = self.revision(revision)
            agreed = found.phase == "Active" and self.active() == self.selected() == revision
            return found if agreed else None

        return self.await_that(f"revision {revision} to serve", look, seconds)

    def await_good(self, revision: str, seconds: float = 30.0) -> RevisionView:
        """Wait until a revision counts as good."""

        def look() -> RevisionView | None:
            found = self.revision(revision)
            return found if found.good else None

        return self.await_that(f"revision {revision} to count as good", look, seconds)


def _runs(revision: RevisionView, image: str) -> bool:
    digest = image.rpartition("@")[2]
    return any(item.endswith(digest) for item in revision.images)


def _selected(service: Object) -> str | None:
    selector = service["spec"].get("selector") or {}
    revision = selector.get(REVISION_LABEL)
    return None if revision is None else str(revision)
