"""What each object of the store says, read once for each state that it is in.

What was read is kept under the name of the object and the number that the store gave to its state:
neither another state nor another object of that name is ever answered for from memory.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from immutablerelease.api.meta import REVISION_LABEL
from immutablerelease.api.objects import Release, Revision
from immutablerelease.api.release import ReleaseSpec, ServicePort
from immutablerelease.api.revision import RevisionSpec
from immutablerelease.core.identity import content_hash
from immutablerelease.core.snapshot import DeploymentView, PodView, Route
from immutablerelease.immutability.job import job_templates
from immutablerelease.traffic.service import read_route, ready_endpoints, served_ports

from .children import is_ours
from .client import (
    BUDGETS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NAMESPACES,
    PODS,
    RELEASES,
    REVISIONS,
    SERVICES,
    Kind,
    Object,
)
from .kept import Kept
from .key import Key
from .pods import ended, pod_view
from .store import Store
from .workloads import daemon_set_view, deployment_view, left_behind

T = TypeVar("T")

# Releases and revisions: those that change at the moment. One takes some 12 KiB.
_LARGE: Final = 512
# Of all else, by what is read of it. One takes about a KiB.
_SMALL: Final = 2048


class Reader:
    """Reads the objects of releases. What it gives out is shared by all who ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._releases: Kept[Release] = Kept(_LARGE)
        self._release_specs: Kept[ReleaseSpec] = Kept(_LARGE)
        self._hashes: Kept[str] = Kept(_SMALL)
        self._revisions: Kept[Revision | None] = Kept(_LARGE)
        self._revision_specs: Kept[RevisionSpec] = Kept(_LARGE)
        self._workloads: Kept[DeploymentView | None] = Kept(_SMALL)
        self._pods: Kept[tuple[str, PodView] | None] = Kept(_SMALL)
        self._budgets: Kept[Mapping[str, int | str | None]] = Kept(_SMALL)
        self._routes: Kept[Route | None] = Kept(_SMALL)
        self._ports: Kept[frozenset[ServicePort]] = Kept(_SMALL)
        self._endpoints: Kept[frozenset[str]] = Kept(_SMALL)
        self._labels: Kept[Mapping[str, str]] = Kept(_SMALL)

    def release(self, key: Key) -> Release | None:
        """The release, if there is one."""

        def read(obj: Object) -> Release:
            # A generation stands for one spec.
            spec = self._release_specs.of(
                key, _generation(obj), lambda: ReleaseSpec.model_validate(obj["spec"])
            )
            return Release.read(obj, spec)

        return self._one(self._releases, RELEASES, key.namespace, key.name, read)

    def template_hash(self, key: Key, release: Release) -> str:
        """Hash of all in a release's spec that makes a revision."""

        def read() -> str:
            live = release.spec.config.wire() if release.spec.config.live else {}
            jobs = job_templates(release)
            return content_hash({"template": release.spec.template, "config": live, "jobs": jobs})

        return self._hashes.of(key, (release.metadata.uid, release.metadata.generation), read)

    def revisions(self, key: Key) -> dict[str, Revision]:
        """Revisions by name, without those that are on their way out."""

        def read(obj: Object) -> Revision | None:
            if "deletionTimestamp" in obj["metadata"]:
                return None
            name = (key.namespace, obj["metadata"]["name"])
            spec = self._revision_specs.of(
                name, _generation(obj), lambda: RevisionSpec.model_validate(obj["spec"])
            )
            return Revision.read(obj, spec)

        found = self._each(self._revisions, REVISIONS, key, read)
        return {name: revision for name, revision in found if revision is not None}

    def workloads(
        self, key: Key, kind: Kind, revisions: Mapping[str, Revision]
    ) -> dict[str, DeploymentView]:
        """Deployments or DaemonSets by name, each beside the revision that it is to run."""
        view = {DEPLOYMENTS: deployment_view, DAEMON_SETS: daemon_set_view}[kind]
        found = {}
        for name in self._store.names_of_release(kind, *key):
            revision = revisions.get(name)

            def read(obj: Object, revision: Revision | None = revision) -> DeploymentView | None:
                return None if "deletionTimestamp" in obj["metadata"] else view(obj, revision)

            # Its spec, which is all that a workload is held against, never changes.
            beside = revision.metadata.uid if revision else None
            seen = self._one(self._workloads, kind, key.namespace, name, read, beside)
            if seen is not None:
                found[name] = seen
        return found

    def pods(
        self, key: Key, daemon_sets: frozenset[str] | None = None
    ) -> dict[str, tuple[PodView, ...]]:
        """Pods that have not ended, by revision; with these DaemonSets, others' Pods are to go."""

        def read(obj: Object) -> tuple[str, PodView] | None:
            revision = obj["metadata"]["labels"].get(REVISION_LABEL)
            if not revision or ended(obj):
                return None
            view = pod_view(obj)
            if daemon_sets is not None and left_behind(obj, daemon_sets):
                view = replace(view, deleting=True)
            return revision, view

        found: dict[str, list[PodView]] = {}
        for _, pod in self._each(self._pods, PODS, key, read, daemon_sets):
            if pod is not None:
                found.setdefault(pod[0], []).append(pod[1])
        return {name: tuple(sorted(pods, key=lambda pod: pod.name)) for name, pods in found.items()}

    def budgets(self, key: Key) -> dict[str, int | str | None]:
        """What the PodDisruptionBudget of each revision lets be taken."""

        def read(obj: Object) -> Mapping[str, int | str | None]:
            metadata = obj["metadata"]
            if "deletionTimestamp" in metadata:
                return {}
            return {metadata["name"]: obj["spec"].get("maxUnavailable")}

        found: dict[str, int | str | None] = {}
        for _, budget in self._each(self._budgets, BUDGETS, key, read):
            found.update(budget)
        return found

    def route(self, key: Key, release: Release) -> Route:
        """Where the release's own Service leads."""

        def read(obj: Object) -> Route | None:
            # Of the release it needs the name, which is that of the Service.
            return read_route(release, obj, ()) if is_ours(obj) else None

        route = self._one(self._routes, SERVICES, key.namespace, key.name, read)
        if route is None:
            return Route(record=None, selected=None)
        slices = self._each(
            self._endpoints, ENDPOINT_SLICES, key, lambda obj: ready_endpoints(key.name, [obj])
        )
        ready = frozenset[str]().union(*(names for _, names in slices))
        return replace(route, endpoints=ready)

    def ports(self, key: Key) -> dict[str, frozenset[ServicePort]]:
        """Ports of each Service of the release."""
        return dict(
            self._each(self._ports, SERVICES, key, lambda obj: frozenset(served_ports(obj)))
        )

    def labels(self, namespace: str) -> Mapping[str, str]:
        """Labels of a namespace."""
        labels = self._one(
            self._labels, NAMESPACES, "", namespace, lambda obj: obj["metadata"].get("labels") or {}
        )
        return labels or {}

    def _each(
        self,
        kept: Kept[T],
        kind: Kind,
        key: Key,
        read: Callable[[Object], T],
        beside: object = None,
    ) -> Iterator[tuple[str, T]]:
        """Name and content of each object of the release."""
        for name in self._store.names_of_release(kind, *key):
            found = self._one(kept, kind, key.namespace, name, read, beside)
            if found is not None:
                yield name, found

    def _one(
        self,
        kept: Kept[T],
        kind: Kind,
        namespace: str,
        name: str,
        read: Callable[[Object], T],
        beside: object = None,
    ) -> T | None:
        """Content of one object, if it is there; `beside` is what else it was read by."""
        order = self._store.order(kind, namespace, name)
        if order is None:
            return None

        def make() -> T:
            obj = self._store.get(kind, namespace, name)
            assert obj is not None  # noqa: S101 (it has an order)
            return read(obj)

        return kept.of((namespace, name), (order, beside), make)


def _generation(obj: Object) -> tuple[str, int]:
    metadata = obj["metadata"]
    return metadata["uid"], metadata.get("generation", 0)
