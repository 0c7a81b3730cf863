"""Applies a plan to the cluster, intent by intent, and stops at the first that fails.

What comes later in a plan was decided on the assumption that what comes earlier took effect.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from immutablerelease.api.meta import (
    API_VERSION,
    MANAGED_BY_LABEL,
    MANAGER,
    RELEASE_LABEL,
    REVISION_LABEL,
)
from immutablerelease.api.objects import owner
from immutablerelease.api.release import Workload
from immutablerelease.core import terms
from immutablerelease.core.plan import (
    DeleteAction,
    DeleteFrozen,
    DeleteRevision,
    EnsureService,
    Intent,
    KeepBudget,
    MoveTraffic,
    RecordRevision,
    RunJob,
    Scale,
    StartRevision,
    WriteActionStatus,
    WriteReleaseStatus,
    WriteRevisionStatus,
)
from immutablerelease.core.snapshot import Snapshot
from immutablerelease.immutability.disruption import budget
from immutablerelease.immutability.job import job
from immutablerelease.immutability.workload import daemon_set, deployment
from immutablerelease.traffic.service import offers, revision_service

from .children import Children
from .client import (
    ACTIONS,
    BUDGETS,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    RELEASES,
    REVISIONS,
    SECRETS,
    SERVICES,
    Api,
    Kind,
    NotFound,
)
from .gateways import Gateways
from .routing import Routing
from .store import Store


class StillRouted(Exception):
    """A live read found that traffic goes to what was to be made smaller; decide anew."""


class Executor:
    """Carries out intents for one release at a time."""

    def __init__(self, api: Api, store: Store, gateways: Gateways) -> None:
        self._api = api
        self._store = store
        self._children = Children(api, store)
        self._routing = Routing(api, self._children, gateways)
        self._steps: Mapping[type, Callable[[Snapshot, Any], Awaitable[None]]] = {
            MoveTraffic: self._move_traffic,
            EnsureService: self._keep_route,
            RecordRevision: self._record_revision,
            StartRevision: self._start_revision,
            RunJob: self._run_job,
            Scale: self._scale,
            KeepBudget: self._keep_budget,
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
            ApiError, NotReady, MovedMeanwhile, StillRouted, StillThere, NameTaken: It did not
                happen.
            RouterMissing: All of it happened that can without the kinds of the router.
        """
        await self._steps[type(intent)](snapshot, intent)

    async def _move_traffic(self, snapshot: Snapshot, intent: MoveTraffic) -> None:
        await self._routing.move(snapshot, intent.record)

    async def _keep_route(self, snapshot: Snapshot, intent: EnsureService) -> None:
        await self._routing.keep(snapshot, drained=intent.drained)

    async def _record_revision(self, snapshot: Snapshot, intent: RecordRevision) -> None:
        release = snapshot.release.metadata
        await self._children.create(
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
        service = revision_service(snapshot.release, revision, ports)
        found = await self._children.create(snapshot, SERVICES, service)
        if found is not None and not offers(found, ports):
            spec = {**found["spec"], "ports": service["spec"]["ports"]}
            await self._children.replace(SERVICES, {**found, "spec": spec})
        if snapshot.release.spec.workload is Workload.DAEMON_SET:
            await self._children.create(snapshot, DAEMON_SETS, daemon_set(revision))
            return
        await self._children.create(snapshot, DEPLOYMENTS, deployment(revision, intent.replicas))

    async def _run_job(self, snapshot: Snapshot, intent: RunJob) -> None:
        revision = snapshot.revisions[intent.revision]
        await self._children.create(snapshot, JOBS, job(revision, intent.probe, intent.attempt))

    async def _scale(self, snapshot: Snapshot, intent: Scale) -> None:
        namespace = snapshot.release.metadata.namespace
        by_node = snapshot.release.spec.workload is Workload.DAEMON_SET
        looks = by_node or intent.unless_routed
        if looks and await self._routing.leads_to(snapshot, intent.revision):
            raise StillRouted(f"traffic of the release goes to {intent.revision}")
        if by_node:
            await self._children.delete(DAEMON_SETS, namespace, intent.revision)
            return
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": intent.revision, "namespace": namespace},
            "spec": {"replicas": intent.replicas},
        }
        await self._api.apply(DEPLOYMENTS, namespace, scale, subresource="scale")
        # The answer is a Scale: without a look the next decision would be made on the old size.
        self._store.put(DEPLOYMENTS, await self._api.get(DEPLOYMENTS, namespace, intent.revision))

    async def _keep_budget(self, snapshot: Snapshot, intent: KeepBudget) -> None:
        wanted = budget(snapshot.revisions[intent.revision], intent.max_unavailable)
        if intent.revision in snapshot.budgets:
            await self._children.apply(BUDGETS, wanted)
        else:
            await self._children.create(snapshot, BUDGETS, wanted)

    async def _delete_revision(self, snapshot: Snapshot, intent: DeleteRevision) -> None:
        revision = snapshot.revisions[intent.name]
        await self._children.delete(REVISIONS, revision.metadata.namespace, intent.name)

    async def _delete_frozen(self, snapshot: Snapshot, intent: DeleteFrozen) -> None:
        kind = CONFIG_MAPS if intent.kind == "ConfigMap" else SECRETS
        await self._children.delete(kind, snapshot.release.metadata.namespace, intent.name)

    async def _delete_action(self, snapshot: Snapshot, intent: DeleteAction) -> None:
        await self._children.delete(ACTIONS, snapshot.release.metadata.namespace, intent.name)

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
