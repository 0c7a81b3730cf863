"""Writes where the traffic of a release goes, over what was decided on and nothing else.

With a gateway the HTTPRoute is written first and the Service of the release follows: the newest
record of the two is the truth, so that an end between the two writes loses nothing. Where the
Gateway API is missing the Service is moved all the same: a revert waits for no installation.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL, ROUTE_ANNOTATION
from immutablerelease.core import terms
from immutablerelease.core.shares import by_gateway, receivers, selection
from immutablerelease.core.snapshot import EVERY, PodView, RouteRecord, Snapshot
from immutablerelease.traffic.acceptance import newest, recorded
from immutablerelease.traffic.gateway import Backends, http_route
from immutablerelease.traffic.service import read_route, release_service

from .children import Children
from .client import HTTP_ROUTES, PODS, SERVICES, Api, Conflict, Kind, NotFound, Object
from .gateways import Gateways
from .pods import pod_view

# How often an object is read again whose status changed in the meantime.
_TRIES: Final = 4


class NotReady(Exception):
    """A live read found no ready Pod where the traffic was to go; decide anew."""


class MovedMeanwhile(Exception):
    """A live read found a move of traffic that the decision knows nothing of; decide anew."""


class GatewayMissing(Exception):
    """The release asks for a gateway, and the cluster does not have the Gateway API."""


class Routing:
    """Moves the traffic of releases."""

    def __init__(self, api: Api, children: Children, gateways: Gateways) -> None:
        self._api = api
        self._children = children
        self._gateways = gateways

    async def move(self, snapshot: Snapshot, record: RouteRecord) -> None:
        """Send traffic as the record has it, to Pods that are ready at this very moment.

        Raises:
            NotReady, MovedMeanwhile, NameTaken, ApiError: It did not happen.
            GatewayMissing: The Service was moved, and there can be no HTTPRoute.
        """
        metadata = snapshot.release.metadata
        pods, (service, route) = await asyncio.gather(
            self._api.list(PODS, metadata.namespace, selector=f"{RELEASE_LABEL}={metadata.name}"),
            self._found(snapshot),
        )
        _check_pods(snapshot, record, pods)
        await self._write(snapshot, record, service, route, drained=False)

    async def keep(self, snapshot: Snapshot, *, drained: bool) -> None:
        """Bring the objects up to date without moving traffic; drop an HTTPRoute not asked for."""
        record = snapshot.route.record
        if record is None:
            return
        service, route = await self._found(snapshot)
        await self._write(snapshot, record, service, route, drained=drained)
        if route is not None and not by_gateway(snapshot.release):
            metadata = route["metadata"]
            await self._children.delete(HTTP_ROUTES, metadata["namespace"], metadata["name"])

    async def leads_to(self, snapshot: Snapshot, revision: str) -> bool:
        """Whether a live read finds that some traffic goes to a revision."""
        service, route = await self._found(snapshot)
        if service is not None:
            selected = read_route(snapshot.release, service, ()).selected
            if selected in (revision, EVERY):
                return True
        record = recorded(route) if route is not None else None
        return record is not None and revision in receivers(record)

    async def _found(self, snapshot: Snapshot) -> tuple[Object | None, Object | None]:
        """Service and HTTPRoute as they are; the latter only where there may be one."""
        name = snapshot.release.metadata.name
        service = self._children.find(snapshot, SERVICES, name)
        if not by_gateway(snapshot.release) and snapshot.route.gateway.record is None:
            return await service, None
        found = await asyncio.gather(service, self._children.find(snapshot, HTTP_ROUTES, name))
        return found[0], found[1]

    async def _write(
        self,
        snapshot: Snapshot,
        record: RouteRecord,
        service: Object | None,
        route: Object | None,
        *,
        drained: bool,
    ) -> None:
        _check_decided_on(snapshot, service, route)
        missing = False
        if by_gateway(snapshot.release):
            wanted = http_route(
                snapshot.release, record, await self._backends(snapshot, record), drained=drained
            )
            try:
                await self._over(snapshot, HTTP_ROUTES, route, wanted)
            except NotFound:
                missing = True
        ports = terms.ports(snapshot, record.revision)
        leads = release_service(snapshot.release, record, ports)
        await self._over(snapshot, SERVICES, service, leads)
        if missing:
            raise GatewayMissing(snapshot.release.metadata.name)

    async def _over(
        self, snapshot: Snapshot, kind: Kind, found: Object | None, wanted: Object
    ) -> None:
        """Write an object over the one that was read, and no other.

        Nor may its record change between the read and the write: a process that was frozen and
        thawed would undo what another one decided since. What routes by it may write its status.
        """
        for _ in range(_TRIES - 1):
            try:
                await self._children.apply(kind, _version_of(wanted, found))
                return
            except Conflict:
                again = await self._children.find(snapshot, kind, wanted["metadata"]["name"])
                if found is None or again is None or _mark(again) != _mark(found):
                    raise
                found = again
        await self._children.apply(kind, _version_of(wanted, found))

    async def _backends(self, snapshot: Snapshot, record: RouteRecord) -> Backends:
        copies = record.mirror > 0
        return Backends(
            ports=lambda revision: terms.ports(snapshot, revision),
            services=snapshot.services,
            mirrors=not copies or await self._gateways.mirror(snapshot.release),
        )


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


def _check_decided_on(snapshot: Snapshot, service: Object | None, route: Object | None) -> None:
    if service is None and route is None:
        return
    told = read_route(snapshot.release, service, ()).record
    if newest(told, recorded(route) if route is not None else None) != snapshot.route.record:
        name = snapshot.release.metadata.name
        raise MovedMeanwhile(f"the record on the route of {name} is another one by now")


def _version_of(wanted: Object, found: Object | None) -> Object:
    """The wanted object, to be written only over the version that was found."""
    if found is None:
        return wanted
    version = {"resourceVersion": found["metadata"]["resourceVersion"]}
    return {**wanted, "metadata": {**wanted["metadata"], **version}}


def _mark(obj: Object) -> tuple[str, str]:
    """What tells a move of traffic from a change that is none."""
    metadata = obj["metadata"]
    return metadata["uid"], (metadata.get("annotations") or {}).get(ROUTE_ANNOTATION, "")
