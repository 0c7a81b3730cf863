"""Takes a cluster down: no process, mount, namespace, rule or file of it is left.

Ends only what belongs to it: processes on record, processes in its control group and processes in
its network namespace. The built tools stay.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from pathlib import Path

from devcluster import mounts, namespace, tunables
from devcluster.cgroups import Group
from devcluster.errors import TeardownError
from devcluster.layout import Layout
from devcluster.locks import only_one
from devcluster.node import network_name
from devcluster.processes import Record, kill, recorded, seen
from devcluster.progress import step

_CONTAINER_LOGS = Path("/var/log/containers")
_NETWORK_RESULTS = Path("/var/lib/cni/results")
_SOCKETS = ("run/containerd/s/*", "var/lib/kubelet/device-plugins/kubelet.sock")
_DEADLINE = 20.0


def down(name: str) -> bool:
    """Take the cluster down; tell whether there was one."""
    layout = Layout.of(name)
    with only_one(layout.lock, name):
        if not layout.state_dir.exists():
            return False
        with step(name, "taking down"):
            _take_down(layout)
    return True


def _take_down(layout: Layout) -> None:
    group = Group.of(layout.name)
    _end_all(layout, group)
    mounts.undo(layout.state_dir)
    namespace.remove(layout)
    left = group.remove()
    if left:
        raise TeardownError(f"These control groups do not go: {', '.join(map(str, left))}.")
    tunables.put_back(layout)
    _remove_traces(layout)
    shutil.rmtree(layout.state_dir)


def _end_all(layout: Layout, group: Group) -> None:
    # In rounds: what is being ended may still start something, but only in the group or namespace.
    deadline = time.monotonic() + _DEADLINE
    while running := _all_running(layout, group):
        if time.monotonic() > deadline:
            raise TeardownError(
                f"The cluster {layout.name} keeps starting processes: "
                f"{', '.join(record.name for record in running)}."
            )
        kill(running)


def _all_running(layout: Layout, group: Group) -> list[Record]:
    on_record = [record for record in recorded(layout.records).values() if record.there]
    found = seen(group.pids() | _in_namespace(layout))
    return list({record.pid: record for record in (*on_record, *found)}.values())


def _in_namespace(layout: Layout) -> set[int]:
    if not namespace.is_ours(layout):
        return set()
    number = namespace.identity(layout.namespace)
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "ns" / "net").stat().st_ino == number:
                found.add(int(folder.name))
    return found


def _remove_traces(layout: Layout) -> None:
    """Remove what the parts keep at fixed places outside the state directory."""
    links = [
        link
        for link in _CONTAINER_LOGS.glob("*")
        if link.is_symlink() and link.readlink().is_relative_to(layout.state_dir)
    ]
    for path in (*links, *_network_results(layout), *_dead_sockets()):
        path.unlink(missing_ok=True)


def _network_results(layout: Layout) -> list[Path]:
    prefix = f"{network_name(layout.name)}-"
    own = list(_NETWORK_RESULTS.glob(f"{prefix}*-eth0"))
    sandboxes = [path.name.removeprefix(prefix).removesuffix("-eth0") for path in own]
    # A pod's loopback is a network too, and its results do not say whose it is.
    return own + [found for each in sandboxes for found in _NETWORK_RESULTS.glob(f"*-{each}-lo")]


def _dead_sockets() -> list[Path]:
    """Sockets of shims and of the kubelet that nobody listens on any more.

    Their names do not say whose they were, but such a socket is of no use to anybody.
    """
    return [path for pattern in _SOCKETS for path in Path("/").glob(pattern) if _is_dead(path)]


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
