"""How a record shares the traffic: by a selector of Pods, or by the weights of a router."""

from enum import StrEnum

from immutablerelease.api.objects import Release
from immutablerelease.api.release import ServicePort

from .snapshot import EVERY, RouteRecord


class Router(StrEnum):
    """What shares by weights, called by the kind of its object that carries the record."""

    GATEWAY = "HTTPRoute"
    ISTIO = "VirtualService"

    @property
    def called(self) -> str:
        """As messages call it."""
        return _TITLES[self]


_TITLES = {Router.GATEWAY: "the gateway", Router.ISTIO: "Istio"}


def router(release: Release) -> Router | None:
    """The router that a release asks for, besides its Service."""
    traffic = release.spec.traffic
    if traffic.gateway is not None:
        return Router.GATEWAY
    return Router.ISTIO if traffic.istio is not None else None


def by_weight(release: Release) -> bool:
    """Whether a router carries the shares; a Service knows none but those of its Pods."""
    return router(release) is not None


def selection(release: Release, record: RouteRecord) -> str:
    """What the selector of the release's Service names: one revision, or every Pod of the release.

    All its Pods are those of what serves and of the candidate: others run none meanwhile.
    """
    shared = record.candidate is not None and record.weight > 0
    return EVERY if shared and not by_weight(release) else record.revision


def receivers(record: RouteRecord) -> tuple[str, ...]:
    """Revisions that get a part of the traffic."""
    if record.candidate is not None and record.weight > 0:
        return record.revision, record.candidate
    return (record.revision,)


def clash(serves: tuple[ServicePort, ...], candidate: tuple[ServicePort, ...]) -> str:
    """The port that one Service cannot lead to both revisions by, or nothing.

    A port by name is looked up on each Pod; one by number is the same for all of them.
    """
    wanted = {(port.port, port.protocol): port.target_port for port in candidate}
    for port in serves:
        ours, theirs = port.target_port, wanted.get((port.port, port.protocol), port.target_port)
        if ours != theirs and (isinstance(ours, int) or isinstance(theirs, int)):
            return f"port {port.port} leads to {ours} of what serves and to {theirs} of the other"
    return ""
