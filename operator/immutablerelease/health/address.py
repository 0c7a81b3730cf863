"""Where a probe goes: the Pod's own address and a port, never a Service."""

from collections.abc import Mapping

from .errors import Failed


def authority(address: str, port: int) -> str:
    """Address and port as in a URL; IPv6 addresses take brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def number(port: int | str, ports: Mapping[str, int]) -> int:
    """The number of a port that a probe names."""
    if isinstance(port, int):
        return port
    if port not in ports:
        known = ", ".join(sorted(ports)) or "none"
        raise Failed(f"the Pod has no port named {port!r}; named ports: {known}")
    return ports[port]
