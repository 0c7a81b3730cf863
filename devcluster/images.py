"""Images without Docker: one layer, made from files, pushed by crane from inside the cluster."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster import namespace
from devcluster.errors import BuildError, StartError
from devcluster.layout import REGISTRY, Layout, cache_home
from devcluster.progress import step
from devcluster.toolchain import go_build, tool

__all__ = ["PAUSE", "build_app_image", "go_build", "push_pause"]

PAUSE = f"{REGISTRY}/pause:1"

_SOURCE = Path(__file__).parent / "pause" / "pause.c"
_EXECUTABLE = 0o755


def build_app_image(
    ref: str,
    layer_files: Mapping[str, bytes | Path],
    entrypoint: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    user: str | None = None,
    cluster: str = "iro",
) -> str:
    """Build an image of one layer and push it; return it by digest, as `NAME@sha256:...`.

    Args:
        ref: where to push it, as `127.0.0.1:5000/NAME:TAG`.
        layer_files: absolute path in the image to its content, or to a file that has it. All are
            readable and executable by everybody.
        entrypoint: the command that the container runs.
        env: its environment.
        labels: its labels.
        user: who it runs as, as `UID` or `UID:GID`.
        cluster: the name of the cluster whose registry it goes to.
    """
    layout = Layout.of(cluster)
    with tempfile.TemporaryDirectory() as scratch:
        layer = Path(scratch) / "layer.tar"
        layer.write_bytes(_layer(layer_files))
        _crane(layout, "append", "--oci-empty-base", "-f", str(layer), "-t", ref)
    options = [f"--entrypoint={','.join(entrypoint)}", "--set-platform=linux/amd64"]
    options += [f"--env={key}={value}" for key, value in (env or {}).items()]
    options += [f"--label={key}={value}" for key, value in (labels or {}).items()]
    options += [f"--user={user}"] if user else []
    return _crane(layout, "mutate", ref, *options, "-t", ref)


def push_pause(layout: Layout) -> None:
    """Have the image in the registry that every pod's sandbox runs."""
    if not _exists(layout, PAUSE):
        files = {"/pause": _pause()}
        build_app_image(PAUSE, files, ["/pause"], cluster=layout.name)


def _pause() -> Path:
    version = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]
    program = cache_home() / "tools" / f"pause-{version}" / "pause"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        partial = program.with_suffix(".partial")
        command = ["gcc", "-Os", "-static", "-s", "-o", str(partial), str(_SOURCE)]
        with step("pause", "building"):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"pause could not be built: {done.stderr.strip()}")
        partial.replace(program)
    return program


def _layer(files: Mapping[str, bytes | Path]) -> bytes:
    # No times and no owners: the same files always make the same digest.
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(files):
            content = files[name]
            data = content.read_bytes() if isinstance(content, Path) else content
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size = len(data)
            entry.mode = _EXECUTABLE
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _exists(layout: Layout, ref: str) -> bool:
    command = namespace.entering(layout, [str(tool("crane")), "digest", "--insecure", ref])
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _crane(layout: Layout, *arguments: str) -> str:
    command = namespace.entering(layout, [str(tool("crane")), *arguments, "--insecure"])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"crane {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip().splitlines()[-1]
