"""Where a Gateway takes the requests that an HTTPRoute is for: addresses, ports and host names.

https://gateway-api.sigs.k8s.io/reference/spec/#listener
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from immutablerelease.api.traffic import GatewayRoute, ParentReference

Object = Mapping[str, Any]

# Instead of the star of a host name, and for listeners that take any host.
_MADE_UP: Final = "route-proof"
_ANY_HOST: Final = f"{_MADE_UP}.immutablerelease.invalid"


@dataclass(frozen=True)
class Door:
    """One place to knock at: a request for a host, sent to one address of a Gateway."""

    address: str
    port: int
    secure: bool
    host: str
    path: str


class Shut(Exception):
    """A Gateway takes no request for the release; the message says what is missing."""


@dataclass(frozen=True)
class Namespace:
    """Namespace of the HTTPRoute: listeners let in some and others not."""

    name: str
    labels: Mapping[str, str]


def doors(
    route: GatewayRoute, parent: ParentReference, gateway: Object, namespace: Namespace
) -> tuple[Door, ...]:
    """Every address, port and host by which the Gateway should route for the release.

    Raises:
        Shut: There is none.
    """
    spec, status = gateway["spec"], gateway.get("status") or {}
    name = f"Gateway {gateway['metadata']['namespace']}/{gateway['metadata']['name']}"
    addresses = [address["value"] for address in status.get("addresses") or ()]
    if not addresses:
        raise Shut(f"{name} has no address yet")
    listeners = [
        listener
        for listener in spec.get("listeners") or ()
        if _meant(parent, listener) and _lets_in(listener, gateway, namespace)
    ]
    if not listeners:
        raise Shut(f"{name} has no listener for HTTP that is meant and lets this namespace in")
    found = tuple(
        Door(address, listener["port"], listener["protocol"] == "HTTPS", host, route.paths[0])
        for listener in listeners
        for host in _hosts(listener.get("hostname"), route.hostnames)
        for address in addresses
    )
    if not found:
        raise Shut(f"no listener of {name} takes {', '.join(route.hostnames)}")
    return tuple(dict.fromkeys(found))


def _meant(parent: ParentReference, listener: Object) -> bool:
    return (
        listener["protocol"] in ("HTTP", "HTTPS")
        and parent.section_name in (None, listener["name"])
        and parent.port in (None, listener["port"])
    )


def _lets_in(listener: Object, gateway: Object, namespace: Namespace) -> bool:
    allowed = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    match allowed.get("from", "Same"):
        case "All":
            return True
        case "Same":
            return bool(gateway["metadata"]["namespace"] == namespace.name)
        case "Selector":
            return _selects(allowed.get("selector") or {}, namespace.labels)
        case _:
            return False


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    exact = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in exact.items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or ())


def _holds(requirement: Object, labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _hosts(listens: str | None, wanted: Sequence[str]) -> Iterable[str]:
    """Hosts that both the listener and the HTTPRoute answer to, one for each of the latter."""
    if not wanted:
        return [_concrete(listens) if listens else _ANY_HOST]
    return [_concrete(host) for one in wanted for host in _common(listens, one)]


def _common(listens: str | None, wanted: str) -> Iterator[str]:
    if not listens or _covers(listens, wanted):
        yield wanted
    elif _covers(wanted, listens):
        yield listens


def _covers(pattern: str, host: str) -> bool:
    """Whether every host of the second is one of the first."""
    if pattern == host:
        return True
    return pattern.startswith("*.") and host.removeprefix("*").endswith(pattern[1:])


def _concrete(host: str) -> str:
    return f"{_MADE_UP}{host[1:]}" if host.startswith("*.") else host
