"""Kernel settings that a kubelet changes for the whole machine: kept before, put back after.

They are the only thing that a cluster does outside its namespace and its folders.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from devcluster.files import write_json
from devcluster.layout import Layout

_SYSCTL = Path("/proc/sys")
# https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/ and the kubelet's own
# `protectKernelDefaults`, which lists what it would change.
_CHANGED = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)


def keep(layout: Layout, root: Path = _SYSCTL) -> None:
    """Remember the settings, unless they were remembered before a kubelet ever ran."""
    kept = _kept(layout)
    if kept.exists():
        return
    values = {}
    for name in _CHANGED:
        with contextlib.suppress(OSError):
            values[name] = (root / name).read_text().strip()
    write_json(kept, values)


def put_back(layout: Layout, root: Path = _SYSCTL) -> None:
    """Set them to what they were."""
    try:
        values: dict[str, str] = json.loads(_kept(layout).read_text())
    except OSError:
        return
    for name, value in values.items():
        with contextlib.suppress(OSError):
            (root / name).write_text(value)


def _kept(layout: Layout) -> Path:
    return layout.state_dir / "tunables.json"
