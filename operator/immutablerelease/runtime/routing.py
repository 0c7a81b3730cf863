"""Writes where the traffic of a release goes, over what was decided on and nothing else.

What a router goes by is written first and the Service of the release follows: the newest record of
the two is the truth, so that an end between the two writes loses nothing. Where the kinds of the
router are missing, or the API server does not take what it is to go by, the Service is moved all
the same: a revert waits for no installation and no correction.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL, ROUTE_ANNOTATION
from immutablerelease.api.objects import Release
from immutablerelease.core import terms
from immutablerelease.core.shares import Router, receivers, router, selection
from immutablerelease.core.snapshot import EVERY, PodView, RouteRecord, Snapshot
from immutablerelease.traffic.backends import Backends
from immutablerelease.traffic.renderers import RENDERERS
from immutablerelease.traffic.service import newest, read_route, recorded, release_service

from .children import Children
from .client import PODS, SERVICES, Api, ApiError, Conflict, Kind, NotFound, Object
from .gateways import Gateways
from .pods import ended, pod_view
from .routers import BESIDE, ROUTES

# How often an object is read again whose status changed in the meantime.
_TRIES: Final = 4


class NotReady(Exception):
    """A live read found no ready Pod where the traffic was to go; decide anew."""


class MovedMeanwhile(Exception):
    """A live read found a move of traffic that the decision knows nothing of; decide anew."""


class RouterMissing(Exception):
    """The release asks for a router, and the cluster does not have the kinds that it goes by."""

    def __init__(self, router: Router, release: str) -> None:
        super().__init__(f"{release}: there is no kind {router}")
        self.router = router


class RouteRefused(Exception):
    """The API server does not take what the router is to go by, as the release asks for it."""

    def __init__(self, route: str, error: ApiError) -> None:
        super().__init__(f"{route}: {error}")
        self.route = route
        self.message = error.message


def route_name(release: Release, router: Router) -> str:
    """What a router is to go by for a release, as its present spec asks for it."""
    return f"{router} of generation {release.metadata.generation}"


@dataclass(frozen=True)
class _Found:
    """What a live read found of the route of a release."""

    service: Object | None
    routes: Mapping[Router, Object]


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
            RouterMissing: The Service was moved, and there can be nothing for the router.
            RouteRefused: The Service was moved, and what the router goes by was not.
        """
        metadata = snapshot.release.metadata
        pods, found = await asyncio.gather(
            self._api.list(PODS, metadata.namespace, selector=f"{RELEASE_LABEL}={metadata.name}"),
            self._found(snapshot),
        )
        _check_pods(snapshot, record, pods)
        await self._write(snapshot, record, found, drained=False)

    async def keep(self, snapshot: Snapshot, *, drained: bool) -> None:
        """Bring the objects up to date without moving traffic; drop what is not asked for."""
        record = snapshot.route.record
        if record is None:
            return
        found = await self._found(snapshot)
        await self._write(snapshot, record, found, drained=drained)
        metadata, asked = snapshot.release.metadata, router(snapshot.release)
        for one in found.routes.keys() - {asked}:
            await self._children.delete(ROUTES[one], metadata.namespace, metadata.name)

    async def leads_to(self, snapshot: Snapshot, revision: str) -> bool:
        """Whether a live read finds that some traffic goes to a revision."""
        found = await self._found(snapshot)
        if found.service is not None:
            selected = read_route(snapshot.release, found.service, ()).selected
            if selected in (revision, EVERY):
                return True
        told = [recorded(route) for route in found.routes.values()]
        return any(record is not None and revision in receivers(record) for record in told)

    async def _found(self, snapshot: Snapshot) -> _Found:
        """Service and what routers go by as they are; the latter only where there may be some."""
        name, asked = snapshot.release.metadata.name, router(snapshot.release)
        there = [one for one in ROUTES if one is asked or snapshot.route.leftover]
        service, *routes = await asyncio.gather(
            self._children.find(snapshot, SERVICES, name),
            *(self._children.find(snapshot, ROUTES[one], name) for one in there),
        )
        known = zip(there, routes, strict=True)
        return _Found(service, {one: route for one, route in known if route is not None})

    async def _write(
        self,
        snapshot: Snapshot,
        record: RouteRecord,
        found: _Found,
        *,
        drained: bool,
    ) -> None:
        _check_decided_on(snapshot, found)
        asked, missing = router(snapshot.release), False
        refused: ApiError | None = None
        if asked is not None:
            backends = await self._backends(snapshot, record)
            wanted = RENDERERS[asked].route(snapshot.release, record, backends, drained=drained)
            try:
                await self._prepare(snapshot, record, asked)
                await self._over(snapshot, ROUTES[asked], found.routes.get(asked), wanted)
            except NotFound:
                missing = True
            except Conflict:
                raise
            except ApiError as error:
                refused = error
        ports = terms.ports(snapshot, record.revision)
        leads = release_service(snapshot.release, record, ports)
        await self._over(snapshot, SERVICES, found.service, leads)
        if asked is not None and missing:
            raise RouterMissing(asked, snapshot.release.metadata.name)
        if asked is not None and refused is not None:
            raise RouteRefused(route_name(snapshot.release, asked), refused)

    async def _prepare(self, snapshot: Snapshot, record: RouteRecord, asked: Router) -> None:
        """Make what the route is about to name, where it is not there yet.

        Of what served or was added before it is: to go back there takes no such write.
        """
        named = (record.revision, record.candidate, record.previous)
        for name in sorted(snapshot.route.router.lacking.intersection(named)):
            wanted = RENDERERS[asked].beside(snapshot.release, snapshot.revisions[name])
            if wanted is not None:
                await self._children.find(snapshot, BESIDE[asked], name)
                await self._children.apply(BESIDE[asked], wanted)

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
        asks = record.mirror > 0 and router(snapshot.release) is Router.GATEWAY
        return Backends(
            ports=lambda revision: terms.ports(snapshot, revision),
            services=snapshot.services,
            mirrors=not asks or await self._gateways.mirror(snapshot.release),
        )


def _check_pods(snapshot: Snapshot, record: RouteRecord, pods: Iterable[Object]) -> None:
    running: dict[str, list[PodView]] = {}
    for pod in pods:
        if ended(pod):
            continue
        revision = pod["metadata"]["labels"].get(REVISION_LABEL, "")
        running.setdefault(revision, []).append(pod_view(pod))
    for revision in receivers(record):
        if not any(pod.serving for pod in running.get(revision, ())):
            raise NotReady(f"no Pod of {revision} is ready")
    if selection(snapshot.release, record) == EVERY:
        for revision in running.keys() - {record.revision, record.candidate}:
            if any(not pod.deleting for pod in running[revision]):
                raise NotReady(f"Pods of {revision} would get traffic too")


def _check_decided_on(snapshot: Snapshot, found: _Found) -> None:
    if found.service is None and not found.routes:
        return
    told = read_route(snapshot.release, found.service, ()).record
    if newest(told, *map(recorded, found.routes.values())) != snapshot.route.record:
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
