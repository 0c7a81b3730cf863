"""Mounts below a cluster's state directory: found and undone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from devcluster.errors import TeardownError

_MOUNTS = Path("/proc/self/mountinfo")
_MOUNT_POINT_FIELD = 4


def below(folder: Path) -> list[Path]:
    """Mount points at or below `folder`, the deepest first."""
    root = folder.resolve()
    points = [_mount_point(line) for line in _MOUNTS.read_text().splitlines()]
    return [point for point in reversed(points) if point.is_relative_to(root)]


def undo(folder: Path) -> None:
    """Unmount everything at or below `folder`.

    Raises:
        TeardownError: a mount stays, even lazily.
    """
    for point in below(folder):
        if not _unmounted(point):
            _unmounted(point, "--lazy")
    left = below(folder)
    if left:
        raise TeardownError(f"These mounts do not go: {', '.join(map(str, left))}.")


def overlay_works(scratch: Path) -> bool:
    """Whether an overlay can be mounted on the file system of `scratch`."""
    parts = {name: scratch / f"overlay-{name}" for name in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0 and _unmounted(parts["merged"])


def _unmounted(point: Path, *options: str) -> bool:
    command = ["umount", *options, str(point)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _mount_point(line: str) -> Path:
    field = line.split()[_MOUNT_POINT_FIELD]
    return Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field))
