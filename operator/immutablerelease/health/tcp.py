"""A probe by TCP: a connection that opens is enough, and is closed at once."""

import asyncio

from .address import authority
from .errors import Failed, reason


async def ask(address: str, port: int, *, timeout: float) -> str:
    """The answer in words; raises Failed when no connection opens in time."""
    about = f"TCP {authority(address, port)}"
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        raise Failed(f"{about}: no connection within {timeout:g} s") from None
    except (OSError, OverflowError) as error:
        raise Failed(f"{about}: {reason(error)}") from error
    writer.close()
    return f"{about}: connected"
