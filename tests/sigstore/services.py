"""Programs that serve on this machine while a block lasts, and are gone after it."""

import os
import random
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.preflight import is_free

LOCAL = "127.0.0.1"
# Above what services usually have, below what the kernel hands out to connections.
_PORTS = range(20001, 32768)
_START_SECONDS = 30.0
_END_SECONDS = 10.0
_ALONE_SECONDS = 120.0
_POLL = 0.02
_given: set[int] = set()


@dataclass(frozen=True)
class Service:
    """A program, its arguments, and a URL that answers once it serves."""

    program: Path
    arguments: tuple[str, ...]
    ready: str
    environment: Mapping[str, str] | None = None


def free_port() -> int:
    """A port on the loopback address that nobody listens on, and that is given out once."""
    for _ in range(1000):
        port = random.choice(_PORTS)  # noqa: S311
        if port not in _given and is_free(LOCAL, port):
            _given.add(port)
            return port
    raise RuntimeError(f"no port from {_PORTS.start} to {_PORTS.stop} is free")


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Wait until no other run of the tests has the name.

    Fulcio also listens on a socket whose name cannot be chosen. What stands for the name is a
    socket as well, so that it is free as soon as whoever had it is gone, however that ended.
    """
    deadline = time.monotonic() + _ALONE_SECONDS
    with socket.socket(socket.AF_UNIX) as held:
        while not _bound(held, f"\0immutable-release-tests-{name}"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"another run of the tests still has {name}")
            time.sleep(_POLL)
        yield


@contextmanager
def running(service: Service, folder: Path) -> Iterator[None]:
    """Start the program, and end that very process when the block does; it logs to the folder."""
    log = folder / f"{service.program.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(service.program), *service.arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(service.environment or {})},
        )
    try:
        _wait(lambda: _answers(service.ready), process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            end = log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{log.stem} does not serve: {end}")
        time.sleep(_POLL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _bound(held: socket.socket, name: str) -> bool:
    try:
        held.bind(name)
    except OSError:
        return False
    return True
