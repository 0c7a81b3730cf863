"""The operator's image: the Dockerfile on a base of Debian packages, wheels coming as files.

    python -m tests.e2e.operator_image

It runs where the distribution and the package index are reached: not in the cluster's network.
What it fetched is kept: the second time it needs no network.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from devcluster import mounts, packages
from devcluster.layout import cache_home

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/immutable-release-operator:e2e"
BASE = "localhost/immutable-release-operator-base:e2e"
TIMEOUT = 600.0
# pip builds the project itself with this.
BUILD_BACKEND = "setuptools>=80"


def build() -> None:
    """Build the image into the store of `buildah`."""
    packages.ensure(["buildah", "mmdebstrap"])
    _build_base()
    wheels = _wheels()
    arguments = {"BASE": BASE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    options = [part for item in arguments.items() for part in ("--build-arg", "=".join(item))]
    options += ["--volume", f"{wheels}:/wheels:ro", "--layers", "--tag", IMAGE]
    run(*buildah("bud", "--isolation=chroot", *options, str(ROOT)))


def push(ref: str, digest_file: Path) -> str:
    """Push the image to a registry without TLS; return its digest."""
    options = ("--tls-verify=false", f"--digestfile={digest_file}")
    run(*buildah("push", *options, IMAGE, f"docker://{ref}"))
    return digest_file.read_text().strip()


def buildah(command: str, *arguments: str) -> list[str]:
    """A command of buildah on a store of ours."""
    store = cache_home() / "buildah"
    # On an overlay (the file system of most containers) no second overlay can be mounted.
    driver = "overlay" if mounts.overlay_works(store / "probe") else "vfs"
    where = [f"--root={store / 'root'}", f"--runroot={store / 'run'}", f"--storage-driver={driver}"]
    return ["buildah", *where, command, *arguments]


def run(*command: str) -> None:
    """Run a command to its end; what it said is shown when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert not done.returncode, f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:]}"


def _build_base() -> None:
    folder = cache_home() / "base-bookworm"
    archive = folder / "base.tar"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "partial.tar"
        contents = "--include=python3,python3-venv,ca-certificates"
        run("mmdebstrap", "--variant=minbase", contents, "bookworm", str(partial))
        partial.rename(archive)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text("FROM scratch\nADD base.tar /\n")
    run(*buildah("bud", "--isolation=chroot", "--layers", "--tag", BASE, str(folder)))


def _wheels() -> Path:
    """A folder with exactly the wheels that the lock names, and what builds the project."""
    lock = ROOT / "requirements.txt"
    folder = ROOT / "build" / "wheels" / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        download = (sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(partial))
        binary = ("--only-binary", ":all:", "--python-version", "3.11")
        run(*download, *binary, "--require-hashes", "--requirement", str(lock))
        run(*download, "--no-deps", BUILD_BACKEND)
        partial.rename(folder)
    return folder


if __name__ == "__main__":
    build()
