"""What the rest of the operator knows a router by: it renders records, and reads what became of it.

A router has one object for each release, under its name, that carries the record. To write it is to
move the traffic.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from immutablerelease.api.objects import Release, Revision
from immutablerelease.core.shares import Router
from immutablerelease.core.snapshot import RouteRecord, RouterView

from . import acceptance, gateway, istio, istio_view
from .backends import Backends
from .proof import Proof

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """What there is of a router."""

    # The object that carries the record.
    route: Object | None
    # What was found out of how it is routed by.
    proof: Proof | None = None
    # What there is beside the Service of each revision.
    beside: Mapping[str, Object] = field(default_factory=dict)
    revisions: Mapping[str, Revision] = field(default_factory=dict)


class Renderer(Protocol):
    """Between a record and the objects that one router goes by."""

    @property
    def missing(self) -> str:
        """What to do where the cluster lacks the kinds of its objects."""

    def route(
        self, release: Release, record: RouteRecord, backends: Backends, *, drained: bool
    ) -> dict[str, Any]:
        """The object that shares the traffic as the record has it.

        `drained` leaves out what had the traffic before.
        """

    def beside(self, release: Release, revision: Revision) -> dict[str, Any] | None:
        """What the Service of a revision needs beside it to be referred to; it never changes."""

    def view(self, release: Release, found: Found, backends: Backends) -> RouterView:
        """What the object says, and what is made of it."""


class _GatewayApi:
    missing = (
        "the cluster does not have the Gateway API: install its kinds, or take "
        "spec.traffic.gateway out"
    )

    def route(
        self, release: Release, record: RouteRecord, backends: Backends, *, drained: bool
    ) -> dict[str, Any]:
        return gateway.http_route(release, record, backends, drained=drained)

    def beside(self, release: Release, revision: Revision) -> None:
        return None

    def view(self, release: Release, found: Found, backends: Backends) -> RouterView:
        return acceptance.view(release, found.route, backends, found.proof)


class _Istio:
    missing = istio_view.MISSING

    def route(
        self, release: Release, record: RouteRecord, backends: Backends, *, drained: bool
    ) -> dict[str, Any]:
        return istio.virtual_service(release, record, backends, drained=drained)

    def beside(self, release: Release, revision: Revision) -> dict[str, Any]:
        return istio.destination_rule(release, revision)

    def view(self, release: Release, found: Found, backends: Backends) -> RouterView:
        return istio_view.view(release, found.route, found.beside, found.revisions, backends)


RENDERERS: Final[Mapping[Router, Renderer]] = {
    Router.GATEWAY: _GatewayApi(),
    Router.ISTIO: _Istio(),
}
