"""Takes a cluster down: no process, mount, namespace, rule or file of it is left.

Ends only what belongs to it: processes on record, processes in its control group and processes in
its network namespace. The built tools stay.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from devcluster import mounts, namespace, tunables
from devcluster.cgroups import Group
from devcluster.errors import TeardownError
from devcluster.layout import Layout
from devcluster.node import network_name
from devcluster.processes import Record, kill, recorded, seen
from devcluster.progress import step
from devcluster.up import only_one

_CONTAINER_LOGS = Path("/var/log/containers")
_NETWORK_RESULTS = Path("/var/lib/cni")
_SHIM_ADDRESS = "unix://"
_DEADLINE = 20.0


def down(name: str) -> bool:
    """Take the cluster down; tell whether there was one."""
    layout = Layout.of(name)
    with only_one(layout):
        if not layout.state_dir.exists():
            return False
        with step(name, "taking down"):
            _take_down(layout)
    return True


def _take_down(layout: Layout) -> None:
    group = Group.of(layout.name)
    _end_all(layout, group)
    sockets = _shim_sockets(layout)
    mounts.undo(layout.state_dir)
    namespace.remove(layout)
    left = group.remove()
    if left:
        raise TeardownError(f"These control groups do not go: {', '.join(map(str, left))}.")
    tunables.put_back(layout)
    _remove_traces(layout, sockets)
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


def _shim_sockets(layout: Layout) -> list[Path]:
    """Sockets of containers' shims: the one thing that containerd keeps outside its folders."""
    found = []
    for file in (layout.containerd / "state").glob("io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            address = file.read_text().strip()
            if address.startswith(_SHIM_ADDRESS):
                found.append(Path(address.removeprefix(_SHIM_ADDRESS)))
    return found


def _remove_traces(layout: Layout, sockets: list[Path]) -> None:
    links = [
        link
        for link in _CONTAINER_LOGS.glob("*")
        if link.is_symlink() and link.readlink().is_relative_to(layout.state_dir)
    ]
    results = _NETWORK_RESULTS.glob(f"*/{network_name(layout.name)}-*")
    for path in (*sockets, *links, *results):
        path.unlink(missing_ok=True)
