"""Whether the cluster can run on this machine: the facts, and what follows from them.

The facts are gathered apart from what is concluded, so that every conclusion can be tested on any
machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import TakenError, UnsupportedMachineError

_GIB = 1024**3
# A cold build of all tools leaves this much in Go's caches and in ours; measured.
_ROOM_FOR_BUILDING = 9 * _GIB
_ROOM_FOR_RUNNING = 2 * _GIB
_ELSEWHERE = "set CLUSTER=kind or CLUSTER=current to use another cluster"


@dataclass(frozen=True)
class Facts:
    """What matters about the machine."""

    system: str
    user_id: int
    free_for_state: int
    free_for_cache: int
    state_home: Path
    cache_home: Path


def gather(state_home: Path, cache_home: Path) -> Facts:
    """The facts of this machine."""
    return Facts(
        system=platform.system(),
        user_id=os.geteuid(),
        free_for_state=_free(state_home),
        free_for_cache=_free(cache_home),
        state_home=state_home,
        cache_home=cache_home,
    )


def require_machine(facts: Facts) -> None:
    """Refuse another system than Linux, and anybody but root."""
    if facts.system != "Linux":
        raise UnsupportedMachineError(
            f"The local cluster needs Linux and this is {facts.system}: {_ELSEWHERE}."
        )
    if facts.user_id != 0:
        raise UnsupportedMachineError(
            "The local cluster needs root, for its network namespace and its containers, and you "
            f"are user {facts.user_id}: run the command with sudo, or {_ELSEWHERE}."
        )


def require_room(facts: Facts, *, building: bool) -> None:
    """Refuse a disk that would be full before the cluster is up."""
    _require(facts.free_for_state, _ROOM_FOR_RUNNING, facts.state_home, "XDG_STATE_HOME")
    if building:
        _require(facts.free_for_cache, _ROOM_FOR_BUILDING, facts.cache_home, "XDG_CACHE_HOME")


def require_free_port(host: str, port: int, where: str) -> None:
    """Refuse a port that somebody else listens on."""
    if not is_free(host, port):
        raise TakenError(
            f"Port {port} of {host} {where} is taken by another process: end it (find it with "
            f"`ss -ltnp sport = :{port}`) or choose another port."
        )


def is_free(host: str, port: int) -> bool:
    """Whether one could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _require(free: int, needed: int, folder: Path, variable: str) -> None:
    if free < needed:
        raise UnsupportedMachineError(
            f"{folder} has {free / _GIB:.1f} GiB free and {needed / _GIB:.1f} GiB are needed: "
            f"make room, or set {variable} to a folder on a larger disk."
        )


def _free(folder: Path) -> int:
    existing = next(path for path in (folder, *folder.parents) if _can_see(path))
    return shutil.disk_usage(existing).free


def _can_see(path: Path) -> bool:
    # Somebody who is not root may be told so only after this.
    try:
        return path.exists()
    except PermissionError:
        return False
