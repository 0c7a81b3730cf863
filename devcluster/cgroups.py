"""The control groups that hold everything of a cluster: its parts, its shims and its pods.

A cluster has one group of its own name in every hierarchy of version 1, or in the single one of
version 2. Whatever is in there belongs to it, so nothing can hide by losing its parent.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import StartError

_ROOT = Path("/sys/fs/cgroup")
_NAMES_ARE_ENOUGH = "pids"
_POLL = 0.02


@dataclass(frozen=True)
class Group:
    """The control group of one cluster."""

    name: str
    hierarchies: tuple[Path, ...]
    unified: bool

    @staticmethod
    def of(cluster: str, root: Path = _ROOT) -> Group:
        """The group of the cluster called `cluster` on this machine."""
        unified = (root / "cgroup.controllers").exists()
        hierarchies = (root,) if unified else _version_1_hierarchies(root)
        return Group(f"devcluster-{cluster}", hierarchies, unified)

    @property
    def services(self) -> Path:
        """Where our own parts live, in the hierarchy that is searched for processes.

        A leaf beside the pods: version 2 allows no process in a group that has children.
        """
        return self._tracked / self.name / "services"

    @property
    def path(self) -> str:
        """The group as the kubelet wants it named."""
        return f"/{self.name}"

    def ensure(self) -> None:
        """Make the group, ready for the kubelet to make its own below it."""
        if not self.hierarchies:
            raise StartError(
                f"No control groups are mounted at {_ROOT}, and containers need them: mount "
                "them, or use `--profile api`, which has no containers."
            )
        for hierarchy in self.hierarchies:
            (hierarchy / self.name).mkdir(exist_ok=True)
            self._prepare(hierarchy)
        self.services.mkdir(exist_ok=True)

    def pids(self, below: str = "") -> set[int]:
        """All processes in the group, or in the part of it called `below`."""
        found: set[int] = set()
        for hierarchy in self.hierarchies:
            for folder, _, files in os.walk(hierarchy / self.name / below):
                if "cgroup.procs" in files:
                    found |= _members(Path(folder) / "cgroup.procs")
        return found

    def remove(self, within: float = 5) -> list[Path]:
        """Remove the emptied group; return what is left of it."""
        deadline = time.monotonic() + within
        while True:
            left = [folder for folder in self._folders() if not _removed(folder)]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(_POLL)

    @property
    def _tracked(self) -> Path:
        named = [path for path in self.hierarchies if path.name == _NAMES_ARE_ENOUGH]
        return named[0] if named else self.hierarchies[0]

    def _folders(self) -> list[Path]:
        found = []
        for hierarchy in self.hierarchies:
            walked = os.walk(hierarchy / self.name, topdown=False)
            found += [Path(folder) for folder, _, _ in walked]
        return found

    def _prepare(self, hierarchy: Path) -> None:
        if self.unified:
            _delegate_all(hierarchy)
            _delegate_all(hierarchy / self.name)
        elif hierarchy.name == "cpuset":
            # A cpuset group starts with no processor and no memory, and refuses every process.
            for name in ("cpuset.cpus", "cpuset.mems"):
                value = (hierarchy / name).read_text()
                (hierarchy / self.name / name).write_text(value)


def _version_1_hierarchies(root: Path) -> tuple[Path, ...]:
    mounted = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        # A version 2 hierarchy without controllers may be mounted among them; runc uses it too.
        if kind in ("cgroup", "cgroup2") and Path(folder).is_relative_to(root):
            mounted.append(Path(folder))
    return tuple(sorted(mounted))


def _delegate_all(folder: Path) -> None:
    controllers = (folder / "cgroup.controllers").read_text().split()
    for controller in controllers:
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _members(file: Path) -> set[int]:
    with contextlib.suppress(OSError):
        return {int(pid) for pid in file.read_text().split()}
    return set()


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
