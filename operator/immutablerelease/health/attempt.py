"""One attempt of one probe on one Pod. Whatever goes wrong is a failed attempt with its reason."""

from collections.abc import Callable, Mapping
from datetime import datetime

import aiohttp

from immutablerelease.api.probe import Probe
from immutablerelease.core.probing import Attempt

from . import grpc, http, tcp
from .address import number
from .errors import Failed, reason


async def attempt(
    probe: Probe,
    address: str,
    ports: Mapping[str, int],
    *,
    session: aiohttp.ClientSession,
    clock: Callable[[], datetime],
) -> Attempt:
    """Ask the Pod once.

    Args:
        probe: What to ask.
        address: IP address of the Pod.
        ports: Numbers of the ports that probes may name.
        session: From `http.new_session`.
        clock: Gives the time at which the answer is known.
    """
    try:
        message = await _ask(probe, address, ports, session)
    except Failed as failure:
        return Attempt(ok=False, message=str(failure), at=clock())
    except Exception as error:  # noqa: BLE001 (a probe that cannot be made must not pass)
        return Attempt(ok=False, message=f"probe {probe.name}: {reason(error)}", at=clock())
    return Attempt(ok=True, message=message, at=clock())


async def _ask(
    probe: Probe, address: str, ports: Mapping[str, int], session: aiohttp.ClientSession
) -> str:
    if probe.http is not None:
        port = number(probe.http.port, ports)
        return await http.ask(probe.http, address, port, timeout=probe.timeout, session=session)
    if probe.tcp is not None:
        return await tcp.ask(address, number(probe.tcp.port, ports), timeout=probe.timeout)
    if probe.grpc is not None:
        port = number(probe.grpc.port, ports)
        return await grpc.ask(probe.grpc, address, port, timeout=probe.timeout)
    raise Failed(f"probe {probe.name} asks nothing; give it exactly one of http, tcp or grpc")
