"""Applies a plan to the cluster, intent by intent, and stops at the first that fails.

What comes later in a plan was decided on the assumption that what comes earlier took effect.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from immutablerelease.api.meta import (
    API_VERSION,
    MANAGED_BY_LABEL,
    MANAGER,
    RELEASE_LABEL,
    REVISION_LABEL,
)
from immutablerelease.api.objects import Revision, owner
from immutablerelease.core import terms
from immutablerelease.core.plan import (
    DeleteAction,
    DeleteFrozen,
    DeleteRevision,
    EnsureService,
    Intent,
    MoveTraffic,
    RecordRevision,
    Scale,
    StartRevision,
    WriteActionStatus,
    WriteReleaseStatus,
    WriteRevisionStatus,
)
from immutablerelease.core.shares import receivers, selection
from immutablerelease.core.snapshot import EVERY, PodView, RouteRecord, Snapshot
from immutablerelease.immutability.workload import deployment
from immutablerelease.traffic.service import read_route, release_service, revision_service

from .client import (
    ACTIONS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    RELEASES,
    REVISIONS,
    SECRETS,
    SERVICES,
    AlreadyExists,
    Api,
    Kind,
    NotFound,
    Object,
)
from .observe import is_ours
from .pods import pod_view
from .store import Store


class NotReady(Exception):
    """A live read found no ready Pod where the traffic was to go; decide anew."""


class MovedMeanwhile(Exception):
    """A live read found a move of traffic that the decision knows nothing of; decide anew."""


class StillRouted(Exception):
    """A live read found that traffic goes to what was to be made smaller; decide anew."""


class NameTaken(Exception):
    """An object that is not this release's has the name of one that the operator needs."""

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(f"{kind.kind}/{name}")
        self.object = f"{kind.kind}/{name}"


class Executor:
    """Carries out intents for one release at a time."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api = api
        self._store = store
        self._steps: Mapping[type, Callable[[Snapshot, Any], Awaitable[None]]] = {
            MoveTraffic: self._move_traffic,
            EnsureService: self._ensure_service,
            RecordRevision: self._record_revision,
            StartRevision: self._start_revision,
            Scale: self._scale,
            DeleteRevision: self._delete_revision,
            DeleteFrozen: self._delete_frozen,
            DeleteAction: self._delete_action,
            WriteRevisionStatus: self._write_revision_status,
            WriteReleaseStatus: self._write_release_status,
            WriteActionStatus: self._write_action_status,
        }

    async def carry_out(self, snapshot: Snapshot, intent: Intent) -> None:
        """Carry out one intent.

        Raises:
            ApiError, NotReady, MovedMeanwhile, StillRouted, NameTaken: It did not happen.
        """
        await self._steps[type(intent)](snapshot, intent)

    async def _move_traffic(self, snapshot: Snapshot, intent: MoveTraffic) -> None:
        release, record = snapshot.release, intent.record
        namespace, name = release.metadata.namespace, release.metadata.name
        selector = f"{RELEASE_LABEL}={name}"
        pods, found = await asyncio.gather(
            self._api.list(PODS, namespace, selector=selector),
            self._check_name(snapshot, SERVICES, name),
        )
        self._check_pods(snapshot, record, pods)
        await self._direct(
            snapshot,
            release_service(release, record, terms.ports(snapshot, record.revision)),
            found,
        )

    @staticmethod
    def _check_pods(snapshot: Snapshot, record: RouteRecord, pods: Iterable[Object]) -> None:
        running: dict[str, list[PodView]] = {}
        for pod in pods:
            revision = pod["metadata"]["labels"].get(REVISION_LABEL, "")
            running.setdefault(revision, []).append(pod_view(pod))
        for revision in receivers(record):
            if not any(pod.serving for pod in running.get(revision, ())):
                raise NotReady(f"no Pod of {revision} is ready")
        if selection(snapshot.release, record) == EVERY:
            for revision in running.keys() - {record.revision, record.candidate}:
                if any(not pod.deleting for pod in running[revision]):
                    raise NotReady(f"Pods of {revision} would get traffic too")

    async def _ensure_service(self, snapshot: Snapshot, intent: EnsureService) -> None:
        record = snapshot.route.record
        if record is not None:
            found = await self._check_name(snapshot, SERVICES, snapshot.release.metadata.name)
            ports = terms.ports(snapshot, record.revision)
            await self._direct(snapshot, release_service(snapshot.release, record, ports), found)

    async def _direct(
        self, snapshot: Snapshot, service: dict[str, Any], found: Object | None
    ) -> None:
        """Write the Service of the release over the one that was decided on, and no other."""
        if found is not None:
            if read_route(snapshot.release, found, ()).record != snapshot.route.record:
                name = found["metadata"]["name"]
                raise MovedMeanwhile(f"the record on Service {name} is another one by now")
            # Nor may it move between the read and the write: a process that was frozen and thawed
            # would undo what another one decided since.
            service["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        await self._apply(SERVICES, service)

    async def _record_revision(self, snapshot: Snapshot, intent: RecordRevision) -> None:
        release = snapshot.release.metadata
        await self._create(
            snapshot,
            REVISIONS,
            {
                "apiVersion": API_VERSION,
                "kind": "ReleaseRevision",
                "metadata": {
                    "name": intent.name,
                    "namespace": release.namespace,
                    "labels": {
                        MANAGED_BY_LABEL: MANAGER,
                        RELEASE_LABEL: release.name,
                        REVISION_LABEL: intent.name,
                    },
                    "ownerReferences": [owner("ImmutableRelease", release.name, release.uid)],
                },
                "spec": intent.spec.wire(),
            },
        )

    async def _start_revision(self, snapshot: Snapshot, intent: StartRevision) -> None:
        revision = snapshot.revisions[intent.revision]
        ports = terms.ports(snapshot, intent.revision)
        await self._create(snapshot, SERVICES, revision_service(snapshot.release, revision, ports))
        await self._create(snapshot, DEPLOYMENTS, deployment(revision, intent.replicas))

    async def _scale(self, snapshot: Snapshot, intent: Scale) -> None:
        namespace = snapshot.release.metadata.namespace
        if intent.unless_routed and await self._routed(snapshot, intent.revision):
            raise StillRouted(f"the Service of the release points at {intent.revision}")
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": intent.revision, "namespace": namespace},
            "spec": {"replicas": intent.replicas},
        }
        await self._api.apply(DEPLOYMENTS, namespace, scale, subresource="scale")
        # The answer is a Scale: without a look the next decision would be made on the old size.
        self._store.put(DEPLOYMENTS, await self._api.get(DEPLOYMENTS, namespace, intent.revision))

    async def _routed(self, snapshot: Snapshot, revision: str) -> bool:
        release = snapshot.release.metadata
        try:
            service = await self._api.get(SERVICES, release.namespace, release.name)
        except NotFound:
            return False
        return read_route(snapshot.release, service, ()).selected in (revision, EVERY)

    async def _delete_revision(self, snapshot: Snapshot, intent: DeleteRevision) -> None:
        revision = snapshot.revisions[intent.name]
        await self._delete(REVISIONS, revision.metadata.namespace, intent.name)

    async def _delete_frozen(self, snapshot: Snapshot, intent: DeleteFrozen) -> None:
        kind = CONFIG_MAPS if intent.kind == "ConfigMap" else SECRETS
        await self._delete(kind, snapshot.release.metadata.namespace, intent.name)

    async def _delete_action(self, snapshot: Snapshot, intent: DeleteAction) -> None:
        await self._delete(ACTIONS, snapshot.release.metadata.namespace, intent.name)

    async def _write_revision_status(self, snapshot: Snapshot, intent: WriteRevisionStatus) -> None:
        await self._write_status(snapshot, REVISIONS, intent.name, intent.status.wire())

    async def _write_release_status(self, snapshot: Snapshot, intent: WriteReleaseStatus) -> None:
        name = snapshot.release.metadata.name
        await self._write_status(snapshot, RELEASES, name, intent.status.wire())

    async def _write_action_status(self, snapshot: Snapshot, intent: WriteActionStatus) -> None:
        await self._write_status(snapshot, ACTIONS, intent.name, intent.status.wire())

    async def _write_status(
        self, snapshot: Snapshot, kind: Kind, name: str, status: Mapping[str, Any]
    ) -> None:
        namespace = snapshot.release.metadata.namespace
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": namespace},
            "status": dict(status),
        }
        try:
            self._store.put(
                kind, await self._api.apply(kind, namespace, body, subresource="status")
            )
        except NotFound:
            # Deleted meanwhile: there is nothing left to tell about.
            return

    async def _apply(self, kind: Kind, obj: Object) -> None:
        self._store.put(kind, await self._api.apply(kind, obj["metadata"]["namespace"], obj))

    async def _create(self, snapshot: Snapshot, kind: Kind, obj: Object) -> None:
        """Create an object that is never changed; one that is there must be this release's."""
        metadata = obj["metadata"]
        try:
            self._store.put(kind, await self._api.create(kind, metadata["namespace"], obj))
        except AlreadyExists:
            await self._check_name(snapshot, kind, metadata["name"])

    async def _check_name(self, snapshot: Snapshot, kind: Kind, name: str) -> Object | None:
        """The object of that name, if there is one; it is this release's."""
        try:
            found = await self._api.get(kind, snapshot.release.metadata.namespace, name)
        except NotFound:
            return None
        if not is_ours(found) or not belongs(found, snapshot):
            raise NameTaken(kind, name)
        self._store.put(kind, found)
        return found

    async def _delete(self, kind: Kind, namespace: str, name: str) -> None:
        known = self._store.get(kind, namespace, name)
        try:
            uid = known["metadata"]["uid"] if known else None
            await self._api.delete(kind, namespace, name, uid=uid)
        except NotFound:
            pass
        if known:
            self._store.remove(kind, known)


def belongs(obj: Object, snapshot: Snapshot) -> bool:
    """Whether an object carries this very release, not an earlier one of the same name."""
    uids = {snapshot.release.metadata.uid}
    uids |= {revision.metadata.uid for revision in _revisions(snapshot)}
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] in uids for reference in owners)


def _revisions(snapshot: Snapshot) -> tuple[Revision, ...]:
    return tuple(snapshot.revisions.values())
