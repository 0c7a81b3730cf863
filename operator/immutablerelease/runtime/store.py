"""What was last seen of every watched object, so that a decision reads no API server.

Rules:
- An older version never replaces a newer one, in whatever order events and lists arrive.
- What was deleted stays deleted: a late event from before the deletion is ignored. An object that
  lost the label it is watched by is deleted for us, and comes back with a newer version.
- What is handed out is the caller's own copy.
- Contents of Secrets and ConfigMaps are not kept.

Objects are kept as compressed JSON: a twentieth of the memory of dicts, for some 30 microseconds
per read. Resource versions are compared as integers: they are revisions of etcd, which only grow.
"""

import json
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from immutablerelease.api.meta import RELEASE_LABEL

from .client import (
    ACTIONS,
    BUDGETS,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    REVISIONS,
    SECRETS,
    Kind,
    Object,
)

Name = tuple[str, str]

# Deleted uids remembered per kind; late events come within seconds.
_REMEMBERED: Final = 8192
# What zlib looks back on, in bytes.
_WINDOW: Final = 1 << 15
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class _Entry:
    uid: str
    version: int
    # Position in the order of all puts.
    order: int
    release: str | None
    packed: bytes


@dataclass
class _Table:
    """All objects of one kind."""

    entries: dict[Name, _Entry] = field(default_factory=dict)
    # (namespace, release) -> names in the order in which they came; there are few of each
    releases: dict[Name, tuple[str, ...]] = field(default_factory=dict)
    # uid -> version up to which nothing of it counts any more
    deleted: dict[str, int] = field(default_factory=dict)
    # The newest version that was put.
    newest: int = 0
    # Text that all objects are compressed against, since those of a kind are much alike: the first
    # one of them that came.
    alike: bytes = b""

    def pack(self, obj: Object) -> bytes:
        text = json.dumps(obj, separators=(",", ":")).encode()
        self.alike = self.alike or text[-_WINDOW:]
        packer = zlib.compressobj(level=1, zdict=self.alike)
        return packer.compress(text) + packer.flush()

    def open(self, entry: _Entry) -> Object:
        obj: Object = json.loads(zlib.decompressobj(zdict=self.alike).decompress(entry.packed))
        return obj

    def insert(self, name: Name, entry: _Entry) -> None:
        self.discard(name)
        self.entries[name] = entry
        if entry.release is not None:
            of_release = (name[0], entry.release)
            self.releases[of_release] = (*self.releases.get(of_release, ()), name[1])

    def discard(self, name: Name) -> None:
        entry = self.entries.pop(name, None)
        if entry is None or entry.release is None:
            return
        of_release = (name[0], entry.release)
        left = tuple(one for one in self.releases[of_release] if one != name[1])
        if left:
            self.releases[of_release] = left
        else:
            del self.releases[of_release]

    def bury(self, uid: str, version: int) -> None:
        version = max(version, self.deleted.pop(uid, 0))
        self.deleted[uid] = version
        if len(self.deleted) > _REMEMBERED:
            del self.deleted[next(iter(self.deleted))]


@dataclass(frozen=True)
class Mark:
    """A moment in the order of puts, and the newest version by kind that was known then."""

    order: int
    versions: Mapping[Kind, int]


class Store:
    """Objects by kind, namespace and name, and by the release that they belong to."""

    def __init__(self) -> None:
        self._tables: dict[Kind, _Table] = {}
        self._order = 0

    def put(self, kind: Kind, obj: Object) -> bool:
        """Keep the object unless it is older or deleted; whether it is news to whoever decides."""
        table = self._table(kind)
        metadata = obj["metadata"]
        name, uid, version = _name(obj), metadata.get("uid", ""), _version(obj)
        known = table.entries.get(name)
        if version <= table.deleted.get(uid, -1):
            return False
        if known is not None and version <= known.version:
            return False
        if known is not None and known.uid != uid:
            # The former holder of the name was gone before this one came.
            table.bury(known.uid, version)
        table.newest = max(table.newest, version)
        self._order += 1
        kept = trim(kind, obj)
        same = known is not None and kind in _RESTLESS and _same(table.open(known), kept)
        entry = _Entry(uid, version, self._order, release_of(kind, obj), table.pack(kept))
        table.insert(name, entry)
        return not same

    def remove(self, kind: Kind, obj: Object) -> None:
        """Forget the object; one that has its name by now, or that came back since, stays."""
        table = self._table(kind)
        uid, version = obj["metadata"].get("uid", ""), _version(obj)
        table.bury(uid, version)
        known = table.entries.get(_name(obj))
        if known is not None and known.uid == uid and known.version <= version:
            table.discard(_name(obj))

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, if there is one; cluster-scoped kinds have the namespace ``""``."""
        table = self._table(kind)
        entry = table.entries.get((namespace, name))
        return None if entry is None else table.open(entry)

    def of_release(self, kind: Kind, namespace: str, release: str) -> list[Object]:
        """All objects of the kind that belong to the release."""
        table, names = self._table(kind), self.names_of_release(kind, namespace, release)
        return [table.open(table.entries[namespace, name]) for name in names]

    def order(self, kind: Kind, namespace: str, name: str) -> int | None:
        """A number for the object as it is now, given to no other and to no other state of it."""
        entry = self._table(kind).entries.get((namespace, name))
        return None if entry is None else entry.order

    def names_of_release(self, kind: Kind, namespace: str, release: str) -> tuple[str, ...]:
        """Names of all objects of the kind that belong to the release."""
        return self._table(kind).releases.get((namespace, release), ())

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """All objects of the kind. Opens every one: for thousands, ask for `names`."""
        table = self._table(kind)
        return [table.open(table.entries[name]) for name in self.names(kind, namespace)]

    def names(self, kind: Kind, namespace: str | None = None) -> list[Name]:
        """Namespace and name of all objects of the kind."""
        return [
            name for name in self._table(kind).entries if namespace is None or name[0] == namespace
        ]

    def versions(self, kind: Kind) -> frozenset[tuple[str, int]]:
        """Uid and version of every object of the kind: other ones once any of them changes."""
        return frozenset((one.uid, one.version) for one in self._table(kind).entries.values())

    def mark(self) -> Mark:
        """The present moment; take it before asking for a list that `prune` gets."""
        return Mark(self._order, {kind: table.newest for kind, table in self._tables.items()})

    def prune(
        self, kind: Kind, namespace: str | None, live: Iterable[Object], *, since: Mark
    ) -> list[Object]:
        """Remove, and return, what a full list does not hold: watches do not report all deletions.

        Args:
            kind: Kind that was listed.
            namespace: Namespace that was listed; None for all.
            live: The list.
            since: `mark()` from before the list was asked for. What was put later may be younger
                than the list and is kept.
        """
        table = self._table(kind)
        uids = {obj["metadata"].get("uid", "") for obj in live}
        gone = [
            (name, entry)
            for name, entry in table.entries.items()
            if (namespace is None or name[0] == namespace)
            and entry.uid not in uids
            and entry.order <= since.order
        ]
        for name, entry in gone:
            # The list is no older than the mark: whatever the mark knew of is not news.
            table.bury(entry.uid, max(entry.version, since.versions.get(kind, 0)))
            table.discard(name)
        return [table.open(entry) for _, entry in gone]

    def _table(self, kind: Kind) -> _Table:
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = _Table()
        return table


def release_of(kind: Kind, obj: Object) -> str | None:
    """The release that an object belongs to; in the operator's own kinds the spec says it."""
    if kind in (REVISIONS, ACTIONS):
        release = obj.get("spec", {}).get("release")
    else:
        release = (obj["metadata"].get("labels") or {}).get(RELEASE_LABEL)
    # All objects of a release share one string.
    return sys.intern(release) if isinstance(release, str) else None


def trim(kind: Kind, obj: Object) -> Object:
    """The object without what the operator never reads; the given one is not changed."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if annotations and _APPLIED in annotations:
        kept = {key: value for key, value in annotations.items() if key != _APPLIED}
        metadata["annotations"] = kept
    trimmed = {**obj, "metadata": metadata}
    rule = _TRIMS.get(kind)
    return rule(trimmed) if rule else trimmed


def _trim_pod(pod: Object) -> Object:
    spec = pod.get("spec", {})
    containers = [
        {key: container[key] for key in ("name", "image", "ports") if key in container}
        for container in spec.get("containers", ())
    ]
    return {**pod, "spec": {"nodeName": spec.get("nodeName"), "containers": containers}}


def _trim_workload(workload: Object) -> Object:
    """Of the status of a Deployment or DaemonSet what `workloads` reads."""
    status = workload.get("status") or {}
    kept = {key: status[key] for key in _COUNTS if key in status}
    failures = [
        {key: condition[key] for key in ("type", "status", "message") if key in condition}
        for condition in status.get("conditions") or ()
        if condition.get("type") == "ReplicaFailure"
    ]
    return {**workload, "status": {**kept, "conditions": failures}}


def _trim_budget(budget: Object) -> Object:
    return {key: value for key, value in budget.items() if key != "status"}


def _trim_slice(endpoint_slice: Object) -> Object:
    """Without the time of its last change, and what does not tell which Pods are ready."""
    metadata = {
        key: value
        for key, value in endpoint_slice["metadata"].items()
        if key not in ("annotations", "generation")
    }
    endpoints = [
        {key: endpoint[key] for key in ("conditions", "targetRef") if key in endpoint}
        for endpoint in endpoint_slice.get("endpoints") or ()
    ]
    return {**endpoint_slice, "metadata": metadata, "endpoints": endpoints}


def _same(known: Object, new: Object) -> bool:
    """Whether two versions of an object differ in nothing else."""
    return _unversioned(known) == _unversioned(new)


def _unversioned(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": metadata}


def _trim_contents(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("data", "binaryData")}


_TRIMS: Final[Mapping[Kind, Callable[[Object], Object]]] = {
    PODS: _trim_pod,
    DEPLOYMENTS: _trim_workload,
    DAEMON_SETS: _trim_workload,
    BUDGETS: _trim_budget,
    ENDPOINT_SLICES: _trim_slice,
    CONFIG_MAPS: _trim_contents,
    SECRETS: _trim_contents,
}
_COUNTS: Final = (
    "observedGeneration",
    "availableReplicas",
    "desiredNumberScheduled",
    "numberAvailable",
)
# Their controllers write to them more often than anything changes that is decided on.
_RESTLESS: Final = frozenset({DEPLOYMENTS, DAEMON_SETS, BUDGETS, ENDPOINT_SLICES})


def _name(obj: Object) -> Name:
    metadata = obj["metadata"]
    return sys.intern(metadata.get("namespace", "")), metadata["name"]


def _version(obj: Object) -> int:
    """The resource version; what has none counts as the oldest."""
    return int(obj["metadata"].get("resourceVersion") or 0)
