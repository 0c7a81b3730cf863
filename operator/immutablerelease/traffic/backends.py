"""What a route may refer to: the Services of revisions, by one of their ports."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from immutablerelease.api.release import ServicePort


@dataclass(frozen=True)
class Backends:
    """What a route may refer to."""

    # Ports of the Service of a revision.
    ports: Callable[[str], tuple[ServicePort, ...]]
    # Revisions whose Service exists.
    services: Collection[str]
    # Whether what routes can copy a part of the requests.
    mirrors: bool = True


def port_number(name: str | None, ports: Iterable[ServicePort]) -> int:
    """A revision from before the port had this name is reached by its first one."""
    known = tuple(ports)
    return next((port.port for port in known if port.name == name), known[0].port)
