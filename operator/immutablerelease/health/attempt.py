"""One attempt of one probe. Whatever goes wrong ends in an attempt that tells the reason."""

from collections.abc import Callable
from datetime import datetime

import aiohttp

from immutablerelease.api.probe import Probe
from immutablerelease.core.probing import Attempt

from . import grpc, http, prometheus, tcp
from .address import number
from .errors import Failed, NoEvidence, reason
from .prober import Target
from .prometheus import Servers


async def attempt(
    probe: Probe,
    target: Target,
    *,
    session: aiohttp.ClientSession,
    clock: Callable[[], datetime],
    servers: Servers,
) -> Attempt:
    """Ask once.

    Args:
        probe: What to ask.
        target: The Pod, or the revision as a whole.
        session: From `http.new_session`.
        clock: Gives the time at which the answer is known.
        servers: Where queries may go.
    """
    try:
        message = await _ask(probe, target, session, servers)
    except NoEvidence as nothing:
        return Attempt(ok=None, message=str(nothing), at=clock())
    except Failed as failure:
        return Attempt(ok=False, message=str(failure), at=clock())
    except Exception as error:  # noqa: BLE001 (a probe that cannot be made must not pass)
        # Of a revision as a whole it says nothing; a Pod that cannot be asked does not answer.
        ok = None if probe.whole else False
        return Attempt(ok=ok, message=f"probe {probe.name}: {reason(error)}", at=clock())
    return Attempt(ok=True, message=message, at=clock())


async def _ask(
    probe: Probe, target: Target, session: aiohttp.ClientSession, servers: Servers
) -> str:
    address, timeout = target.address, probe.timeout
    if probe.http is not None:
        port = number(probe.http.port, target.ports)
        return await http.ask(probe.http, address, port, timeout=timeout, session=session)
    if probe.tcp is not None:
        return await tcp.ask(address, number(probe.tcp.port, target.ports), timeout=timeout)
    if probe.grpc is not None:
        port = number(probe.grpc.port, target.ports)
        return await grpc.ask(probe.grpc, address, port, timeout=timeout)
    if probe.prometheus is not None and target.names is not None:
        return await prometheus.ask(
            probe.prometheus, target.names, timeout=timeout, servers=servers, session=session
        )
    raise Failed(f"probe {probe.name} asks nothing; give it exactly one kind")
