"""Lets the machine reach the cluster: listens outside the namespace, connects inside it.

Run as a program of its own: a listening socket stays in the namespace that made it, so it is made
first and the process enters the cluster's namespace afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
from pathlib import Path

from devcluster import namespace

_CHUNK = 65536


async def forward(listening: socket.socket, host: str, port: int) -> None:
    """Carry every connection to `host:port`, until cancelled."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                inner_reader, inner_writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            writer.close()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    server = await asyncio.start_server(carry, sock=listening)
    async with server:
        await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A connection that breaks is the business of its two ends, who see it close.
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
        await writer.wait_closed()


def main() -> None:
    """Forward `--listen` to `--to`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--netns", type=Path, required=True)
    parser.add_argument("--to", required=True)
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")
    listening = socket.create_server(("127.0.0.1", options.listen))
    namespace.enter(options.netns)
    asyncio.run(forward(listening, host, int(port)))


if __name__ == "__main__":
    main()
