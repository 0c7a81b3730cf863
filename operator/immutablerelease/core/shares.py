"""How a record shares the traffic: by a selector of Pods, or by the weights of a gateway."""

from immutablerelease.api.objects import Release
from immutablerelease.api.release import ServicePort

from .snapshot import EVERY, RouteRecord


def by_gateway(release: Release) -> bool:
    """Whether a gateway carries the shares; a Service knows none but those of its Pods."""
    return release.spec.traffic.gateway is not None


def selection(release: Release, record: RouteRecord) -> str:
    """What the selector of the release's Service names: one revision, or every Pod of the release.

    All its Pods are those of what serves and of the candidate: others run none meanwhile.
    """
    shared = record.candidate is not None and record.weight > 0
    return EVERY if shared and not by_gateway(release) else record.revision


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
