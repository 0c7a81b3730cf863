"""A probe by HTTP: one GET on a connection of its own.

Redirects are an answer like any other: following them would probe something else. The body is read
up to a limit and thrown away: a Pod that cannot finish its answer is not healthy.
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import aiohttp

from immutablerelease.api.meta import MANAGER
from immutablerelease.api.probe import HttpProbe

from .address import authority
from .errors import Failed, reason

_BODY: Final = 16 * 1024
_HEADERS: Final = {"Connection": "close", "User-Agent": f"{MANAGER}/probe", "Accept": "*/*"}
# Time is kept by the caller's `timeout`, for connection, headers and body together.
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=None)


def new_session() -> aiohttp.ClientSession:
    """A session for probes: no connection is used twice, no cookie kept, no body unpacked."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    )


async def ask(
    probe: HttpProbe, address: str, port: int, *, timeout: float, session: aiohttp.ClientSession
) -> str:
    """The answer in words; raises Failed when it is not the one that the probe expects."""
    url = f"http://{authority(address, port)}{probe.path}"
    about = f"GET {url}"
    try:
        async with asyncio.timeout(timeout):
            status = await _status(url, session)
    except TimeoutError:
        raise Failed(f"{about}: no answer within {timeout:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Failed(f"{about}: {reason(error)}") from error
    if not any(low <= status <= high for low, high in _expected(probe.expect_status)):
        hint = "; redirects are not followed" if 300 <= status < 400 else ""
        raise Failed(f"{about}: got {status}, expected {probe.expect_status}{hint}")
    return f"{about}: {status}"


async def _status(url: str, session: aiohttp.ClientSession) -> int:
    async with session.get(
        url, headers=_HEADERS, allow_redirects=False, timeout=_NO_TIMEOUT
    ) as response:
        left = _BODY
        async for chunk in response.content.iter_any():
            left -= len(chunk)
            if left <= 0:
                break
        return response.status


@lru_cache(maxsize=256)
def _expected(expression: str) -> Sequence[tuple[int, int]]:
    """Ranges of status codes from `200-299,304`."""
    ranges = []
    for part in expression.split(","):
        low, _, high = part.partition("-")
        ranges.append((int(low), int(high or low)))
    return tuple(ranges)
