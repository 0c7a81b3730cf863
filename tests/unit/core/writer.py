"""Carries out intents in the simulated cluster, as `core/plan.py` documents each of them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from immutablerelease.api.release import ReleaseStatus
from immutablerelease.api.revision import RevisionStatus
from immutablerelease.core import terms
from immutablerelease.core.plan import (
    DeleteFrozen,
    DeleteRevision,
    EnsureService,
    Intent,
    KeepBudget,
    MoveTraffic,
    RecordRevision,
    Scale,
    StartRevision,
    WriteActionStatus,
    WriteReleaseStatus,
    WriteRevisionStatus,
)
from immutablerelease.core.shares import by_weight, receivers, selection
from immutablerelease.core.snapshot import EVERY, RouteRecord, Snapshot
from immutablerelease.traffic.service import newest

from .apiserver import AlreadyExists, NotFound
from .objects import NAME, DeploymentBody, HttpRouteBody, RevisionBody, ServiceBody, Stored

if TYPE_CHECKING:
    from .simulator import Operator


class Failed(Exception):
    """A write did not happen, or nobody knows whether it did."""


def backend_ports(snapshot: Snapshot, record: RouteRecord) -> tuple[tuple[str, int], ...]:
    """What an HTTPRoute names of the Services of revisions, as far as these are there."""
    named = [record.revision]
    if record.candidate in snapshot.services and record.candidate is not None:
        named.append(record.candidate)
    return tuple((name, terms.ports(snapshot, name)[0].port) for name in named)


class Writer:
    """Carries out one intent, as documented with each of them."""

    def __init__(self, operator: "Operator", snapshot: Snapshot) -> None:
        self._operator = operator
        self._cluster = operator.cluster
        self._snapshot = snapshot
        self._steps: dict[type, Callable[[Any], list[Stored]]] = {
            MoveTraffic: self._move,
            EnsureService: self._ensure,
            RecordRevision: self._record,
            StartRevision: self._start,
            Scale: self._scale,
            KeepBudget: self._keep_budget,
            DeleteRevision: self._delete,
            DeleteFrozen: self._delete_frozen,
            WriteRevisionStatus: self._revision_status,
            WriteReleaseStatus: self._release_status,
            WriteActionStatus: self._action_status,
        }

    def write(self, intent: Intent) -> list[Stored]:
        """The objects as they are after the write."""
        return self._steps[type(intent)](intent)

    def _check(self, intent: Intent) -> None:
        if self._operator.watcher is not None:
            self._operator.watcher.applies(self._snapshot, intent)

    def _move(self, intent: MoveTraffic) -> list[Stored]:
        record = intent.record
        named = selection(self._snapshot.release, record)
        if self._operator.live_read:
            self._live(record, named)
        self._unchanged()
        self._check(intent)
        written = self._http_route(record)
        return [*written, self._put("Service", self._service(named, record))]

    def _service(self, named: str, record: RouteRecord) -> ServiceBody:
        return ServiceBody(named, record, terms.ports(self._snapshot, record.revision))

    def _http_route(self, record: RouteRecord, *, drained: bool = False) -> list[Stored]:
        """Written first where it is asked for; an end right after it is caught up with."""
        if not by_weight(self._snapshot.release):
            return []
        subsets = self._subsets(record) if self._snapshot.release.spec.traffic.istio else []
        ports = backend_ports(self._snapshot, record)
        written = self._put("HTTPRoute", HttpRouteBody(record, drained=drained, ports=ports))
        self._operator.between()
        return [*subsets, written]

    def _subsets(self, record: RouteRecord) -> list[Stored]:
        named = {record.revision, record.candidate, record.previous} - {None}
        there = [
            name for name in sorted(named, key=str) if self._cluster.find("Revision", str(name))
        ]
        return [self._create("DestinationRule", str(name), None) for name in there]

    def _put(self, kind: str, body: Any) -> Stored:
        if self._cluster.find(kind, NAME) is None:
            return self._cluster.create(kind, NAME, body)
        return self._cluster.write(kind, NAME, body, spec=True)

    def _live(self, record: RouteRecord, named: str) -> None:
        for name in receivers(record):
            if not self._cluster.serving(name):
                raise Failed(f"no Pod of {name} is ready")
        if named == EVERY:
            for pod in self._cluster.all("Pod"):
                ours = pod.body.revision in (record.revision, record.candidate)
                if not ours and not pod.body.view.deleting:
                    raise Failed(f"Pods of {pod.body.revision} would get traffic too")

    def _unchanged(self) -> None:
        """What the decision was made on still is the case."""
        service = self._cluster.find("Service", NAME)
        route = self._cluster.find("HTTPRoute", NAME)
        told = service.body.record if service is not None else None
        live = newest(told, route.body.record if route is not None else None)
        if (service or route) and live != self._snapshot.route.record:
            for stored in (service, route):
                if stored is not None:
                    self._operator.put(stored)
            raise Failed("the traffic moved meanwhile")

    def _ensure(self, intent: EnsureService) -> list[Stored]:
        live, record = self._cluster.service, self._snapshot.route.record
        if live is None or record is None:
            return []
        self._unchanged()
        self._check(intent)
        written = self._http_route(record, drained=intent.drained)
        named = selection(self._snapshot.release, record)
        written.append(self._put("Service", self._service(named, record)))
        if not by_weight(self._snapshot.release) and self._cluster.http_route is not None:
            self._drop("HTTPRoute", NAME)
        return written

    def _record(self, intent: RecordRevision) -> list[Stored]:
        self._check(intent)
        made = [self._create("Revision", intent.name, RevisionBody(intent.spec))]
        return made + [self._create("Frozen", config.name, None) for config in intent.spec.config]

    def _start(self, intent: StartRevision) -> list[Stored]:
        self._check(intent)
        self._exists(intent.revision)
        body = DeploymentBody(intent.replicas, intent.revision)
        ports = terms.ports(self._snapshot, intent.revision)
        service = self._create("RevisionService", intent.revision, ports)
        if service.body != ports:
            service = self._cluster.write("RevisionService", intent.revision, ports, spec=True)
        return [service, self._create("Deployment", intent.revision, body)]

    def _exists(self, revision: str) -> None:
        if self._cluster.find("Revision", revision) is None:
            raise Failed("its owner is gone")

    def _scale(self, intent: Scale) -> list[Stored]:
        live = self._operator.live_read
        if live and intent.unless_routed and self._leads_to(intent.revision):
            for kind in ("Service", "HTTPRoute"):
                if (stored := self._cluster.find(kind, NAME)) is not None:
                    self._operator.put(stored)
            raise Failed("traffic goes there")
        stored = self._cluster.find("Deployment", intent.revision)
        if stored is None:
            raise Failed("it is gone")
        self._check(intent)
        body = replace(stored.body, replicas=intent.replicas)
        return [self._cluster.write("Deployment", intent.revision, body, spec=True)]

    def _keep_budget(self, intent: KeepBudget) -> list[Stored]:
        self._check(intent)
        self._exists(intent.revision)
        name, body = intent.revision, intent.max_unavailable
        if self._cluster.find("Budget", name) is None:
            return [self._cluster.create("Budget", name, body)]
        return [self._cluster.write("Budget", name, body, spec=True)]

    def _leads_to(self, revision: str) -> bool:
        route = self._cluster.http_route
        if self._cluster.selected in (revision, EVERY):
            return True
        return route is not None and revision in receivers(route.record)

    def _delete(self, intent: DeleteRevision) -> list[Stored]:
        self._check(intent)
        return self._drop("Revision", intent.name)

    def _delete_frozen(self, intent: DeleteFrozen) -> list[Stored]:
        return self._drop("Frozen", intent.name)

    def _drop(self, kind: str, name: str) -> list[Stored]:
        stored = self._operator.store.get((kind, name))
        with suppress(NotFound):
            self._cluster.delete(kind, name)
        if stored is not None:
            self._operator.remove(stored)
        return []

    def _create(self, kind: str, name: str, body: Any) -> Stored:
        try:
            return self._cluster.create(kind, name, body)
        except AlreadyExists:
            return self._cluster.get(kind, name)

    def _revision_status(self, intent: WriteRevisionStatus) -> list[Stored]:
        status = RevisionStatus.model_validate(intent.status.wire())
        return self._status("Revision", intent.name, status, intent)

    def _release_status(self, intent: WriteReleaseStatus) -> list[Stored]:
        status = ReleaseStatus.model_validate(intent.status.wire())
        return self._status("Release", NAME, status, intent)

    def _action_status(self, intent: WriteActionStatus) -> list[Stored]:
        return self._status("Action", intent.name, intent.status, intent)

    def _status(self, kind: str, name: str, status: Any, intent: Intent) -> list[Stored]:
        stored = self._cluster.find(kind, name)
        if stored is None:
            return []
        self._check(intent)
        body = replace(stored.body, status=status)
        return [self._cluster.write(kind, name, body, spec=False)]
