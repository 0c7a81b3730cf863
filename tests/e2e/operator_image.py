"""The operator's image: the Dockerfile on a base of Debian packages, wheels coming as files.

    python -m tests.e2e.operator_image

fetches what it is made of, where there is a network. Building it needs none: the tests do that
inside the cluster's network, which leads nowhere.
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

_ARCHIVE = cache_home() / "base-bookworm" / "base.tar"
_LOCK = ROOT / "requirements.txt"
# No container: a chroot in the network that we are in.
_HERE = ("--isolation=chroot",)


def fetch() -> None:
    """Have all that the image is made of as files."""
    packages.ensure(["buildah", "mmdebstrap"])
    if not _ARCHIVE.exists():
        partial = _ARCHIVE.with_suffix(".partial.tar")
        partial.parent.mkdir(parents=True, exist_ok=True)
        contents = "--include=python3,python3-venv,ca-certificates"
        run("mmdebstrap", "--variant=minbase", contents, "bookworm", str(partial))
        partial.rename(_ARCHIVE)
    if not _wheels().exists():
        partial = _wheels().with_suffix(".partial")
        download = (sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(partial))
        binary = ("--only-binary", ":all:", "--python-version", "3.11")
        # The lock is complete; older pips stumble over extras that a dependency asks for.
        run(*download, *binary, "--no-deps", "--require-hashes", "--requirement", str(_LOCK))
        run(*download, "--no-deps", BUILD_BACKEND)
        partial.rename(_wheels())


def fetched() -> bool:
    """Whether the image can be built without a network."""
    return _ARCHIVE.exists() and _wheels().exists() and not packages.missing(["buildah"])


def build() -> None:
    """Build the image from files alone."""
    dockerfile = _ARCHIVE.with_name("Dockerfile")
    dockerfile.write_text(f"FROM scratch\nADD {_ARCHIVE.name} /\n")
    run(*buildah("bud", *_HERE, "--layers", "--tag", BASE, str(_ARCHIVE.parent)))
    arguments = {"BASE": BASE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    options = [part for item in arguments.items() for part in ("--build-arg", "=".join(item))]
    options += ["--volume", f"{_wheels()}:/wheels:ro", "--layers", "--tag", IMAGE]
    run(*buildah("bud", *_HERE, *options, str(ROOT)))


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


def _wheels() -> Path:
    """The folder with exactly the wheels that the lock names, and what builds the project."""
    return ROOT / "build" / "wheels" / hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]


if __name__ == "__main__":
    fetch()
