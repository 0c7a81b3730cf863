"""Everything that the cluster tells about one release, read for being shown."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL
from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.release import ReleasePhase
from immutablerelease.api.revision import ContainerEvidence
from immutablerelease.core.snapshot import PodView
from immutablerelease.runtime.client import PODS, RELEASES, REVISIONS, Forbidden, Object
from immutablerelease.runtime.pods import ended, pod_view

from .cluster import Cluster
from .errors import Complaint

T = TypeVar("T")


@dataclass(frozen=True)
class Story:
    """One release with what belongs to it; revisions by number, the newest first."""

    release: Release
    revisions: tuple[Revision, ...]
    pods: Mapping[str, tuple[PodView, ...]] = field(default_factory=dict)
    # Whether Pods could be read at all: not every role allows it.
    pods_known: bool = True
    # What a command needs besides the name to find it again.
    place: str = ""

    @property
    def name(self) -> str:
        """Name of the release."""
        return self.release.metadata.name

    def revision(self, name: str | None) -> Revision | None:
        """The revision of that name, if it is kept."""
        return next((item for item in self.revisions if item.metadata.name == name), None)

    @property
    def argument(self) -> str:
        """The release as a command that is to be copied names it."""
        return f"{self.name}{self.place}"

    @property
    def wanted(self) -> Revision | None:
        """The revision that the spec stands for, once that is known.

        Until then the last one that it stood for is on record, unless it is the candidate.
        """
        status = self.release.status
        if status.source is None:
            return None
        unsettled = status.phase in (ReleasePhase.PENDING, ReleasePhase.PAUSED)
        if unsettled and status.source.revision != status.candidate_revision:
            return None
        return self.revision(status.source.revision)


async def read_story(cluster: Cluster, name: str) -> Story:
    """A release with its revisions and Pods."""
    release, revisions, pods = await asyncio.gather(
        cluster.api.get(RELEASES, cluster.namespace, name),
        read_revisions(cluster, name),
        _pods(cluster, name),
    )
    return tell(release, revisions, pods, cluster.place)


async def read_release(cluster: Cluster, name: str) -> Release:
    """The release alone; that it exists is thereby known."""
    return understand(Release.read, await cluster.api.get(RELEASES, cluster.namespace, name))


async def read_revisions(cluster: Cluster, name: str) -> list[Object]:
    """The revisions of a release."""
    return await cluster.api.list(REVISIONS, cluster.namespace, selector=f"{RELEASE_LABEL}={name}")


async def _pods(cluster: Cluster, name: str) -> list[Object] | None:
    try:
        return await cluster.api.list(PODS, cluster.namespace, selector=f"{RELEASE_LABEL}={name}")
    except Forbidden:
        return None


def tell(
    release: Object, revisions: Iterable[Object], pods: Iterable[Object] | None, place: str
) -> Story:
    """The story of what was read."""
    return Story(
        understand(Release.read, release),
        by_number(revisions),
        _by_revision(pods or ()),
        pods is not None,
        place,
    )


def by_number(revisions: Iterable[Object]) -> tuple[Revision, ...]:
    """Revisions, the newest first."""
    read = [understand(Revision.read, obj) for obj in revisions]
    return tuple(sorted(read, key=lambda item: item.spec.number, reverse=True))


def understand(read: Callable[[Object], T], obj: Object) -> T:
    """Read an object, or say that this plugin is older or newer than what wrote it."""
    try:
        return read(obj)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Complaint(
            f"{obj['kind']} {obj['metadata']['name']} cannot be read: {where}: "
            f"{error.errors()[0]['msg']}",
            "use the plugin of the same version as the operator",
        ) from error


def signers(evidence: Iterable[ContainerEvidence]) -> str:
    """Who signed, by authority and by identity or fingerprint of the key."""
    found = dict.fromkeys(
        f"{item.authority} ({item.identity or _fingerprint(item.signer)})" for item in evidence
    )
    return ", ".join(found)


def _fingerprint(signer: str) -> str:
    head, colon, hexadecimal = signer.partition("sha256:")
    return f"{head}{colon}{hexadecimal[:12]}" if colon and not head else signer


def _by_revision(pods: Iterable[Object]) -> dict[str, tuple[PodView, ...]]:
    found: dict[str, list[PodView]] = {}
    for pod in sorted(pods, key=lambda obj: str(obj["metadata"]["name"])):
        revision = (pod["metadata"].get("labels") or {}).get(REVISION_LABEL, "")
        if not ended(pod):
            found.setdefault(revision, []).append(pod_view(pod))
    return {name: tuple(views) for name, views in found.items()}
