"""The network namespace that is the node: made, entered, claimed and removed.

Nothing in it touches the machine's own network, and nothing in it can leave. It is entered with
`nsenter --net`; `ip netns exec` would remount /sys, and kubelet and containerd would then find no
cgroups.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from devcluster.errors import StartError, TakenError, TeardownError
from devcluster.files import write_json
from devcluster.layout import NODE_ADDRESS, Layout

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_ROUTES = "/proc/sys/net/ipv4/ip_forward"


def entering(layout: Layout, argv: list[str]) -> list[str]:
    """The command line that runs `argv` inside."""
    return ["nsenter", f"--net={layout.namespace}", "--", *argv]


def identity(path: Path) -> int | None:
    """The namespace's number, None where the handle is no namespace (or not there)."""
    try:
        found = path.stat()
    except OSError:
        return None
    # A handle whose mount is gone is an empty file on the file system of /run itself.
    return None if found.st_dev == path.parent.stat().st_dev else found.st_ino


def is_ours(layout: Layout) -> bool:
    """Whether the namespace exists and is the one that this state directory made."""
    number = identity(layout.namespace)
    return number is not None and number == _claimed(layout)


def ensure(layout: Layout) -> None:
    """Make the namespace with its addresses and routes, unless it is there.

    Raises:
        TakenError: one of that name exists and this cluster did not make it.
    """
    if not is_ours(layout):
        if layout.namespace.exists() and not _was_being_made(layout):
            raise TakenError(
                f"The network namespace {layout.name} exists and this cluster did not make it: "
                f"choose another --name, or remove it with `ip netns delete {layout.name}`."
            )
        _make(layout)
    _configure(layout)


def remove(layout: Layout) -> None:
    """Delete the namespace, if it is ours."""
    if is_ours(layout):
        _ip("netns", "delete", layout.name, error=TeardownError)


def inside(handle: Path, work: Callable[[], T]) -> T:
    """Run `work` in a thread that has entered the namespace, and return its result."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            enter(handle)
            results.append(work())
        except BaseException as failure:  # noqa: BLE001 - carried over to the caller's thread
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def enter(handle: Path) -> None:
    """Move the calling thread into the namespace (Python 3.11 has no os.setns)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with handle.open("rb") as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"cannot enter {handle}: {os.strerror(number)}")


def _claimed(layout: Layout) -> int | None:
    try:
        claim = json.loads(layout.claim.read_text())
    except (OSError, ValueError):
        return None
    inode = claim.get("inode")
    return inode if isinstance(inode, int) else None


def _make(layout: Layout) -> None:
    # Claimed before it exists: one left by a crash in between is then known as ours.
    _claim(layout, None)
    if not layout.namespace.exists():
        _ip("netns", "add", layout.name)
    _claim(layout, identity(layout.namespace))


def _claim(layout: Layout, inode: int | None) -> None:
    write_json(layout.claim, {"inode": inode})


def _was_being_made(layout: Layout) -> bool:
    try:
        return bool(json.loads(layout.claim.read_text()) == {"inode": None})
    except (OSError, ValueError):
        return False


def _configure(layout: Layout) -> None:
    _ip("-n", layout.name, "link", "set", "lo", "up")
    _ip("-n", layout.name, "address", "replace", f"{NODE_ADDRESS}/32", "dev", "lo")
    # Without a default route the node itself cannot reach a ClusterIP.
    _ip("-n", layout.name, "route", "replace", "default", "dev", "lo")
    for server in _name_servers():
        # They cannot be reached from inside: refused at once beats a look-up of 20 seconds.
        _ip("-n", layout.name, "route", "replace", "unreachable", f"{server}/32")
    inside(layout.namespace, lambda: Path(_ROUTES).write_text("1"))


def _name_servers() -> list[str]:
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        return []
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return [server for server in servers if ":" not in server and not server.startswith("127.")]


def _ip(*arguments: str, error: type[StartError] | type[TeardownError] = StartError) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise error(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")
