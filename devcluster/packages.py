"""Programs that come from the distribution: which package has them, and how they get here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.errors import MissingPackagesError
from devcluster.progress import step

# A file that shows that the package is there, by Debian package.
_SHOWN_BY = {
    "buildah": "buildah",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "gcc": "gcc",
    "iproute2": "ip",
    "iptables": "iptables",
    "libc6-dev": "/usr/include/stdio.h",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nftables": "nft",
    "openssl": "openssl",
    "prometheus": "prometheus",
    "runc": "runc",
    "util-linux": "nsenter",
}
_SERVICE_POLICY = Path("/usr/sbin/policy-rc.d")
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_BASE = ("iproute2", "openssl", "util-linux")
_FOR_CONTAINERS = (
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "gcc",
    "iptables",
    "libc6-dev",
    "mount",
    "nftables",
    "prometheus",
    "runc",
)

NEEDED: dict[str, tuple[str, ...]] = {"api": _BASE, "full": (*_BASE, *_FOR_CONTAINERS)}


def ensure(names: Iterable[str]) -> None:
    """Have these Debian packages installed.

    Raises:
        MissingPackagesError: some are missing and cannot be installed by this user or here.
    """
    wanted = missing(names)
    if not wanted:
        return
    listed = " ".join(wanted)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingPackagesError(
            f"These Debian packages are missing: {listed}. Install them as root with "
            f"`apt-get install {listed}`, or the same programs from your distribution."
        )
    with step("packages", f"installing {listed}"):
        _install(wanted)


def missing(names: Iterable[str]) -> list[str]:
    """Those of the packages whose programs are not there."""
    return [name for name in names if not _is_there(_SHOWN_BY.get(name, name))]


@contextmanager
def no_services(policy: Path = _SERVICE_POLICY) -> Iterator[None]:
    """Keep packages from starting the services that they bring, on the machine itself.

    https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
    """
    try:
        with policy.open("x") as file:
            file.write("#!/bin/sh\nexit 101\n")
    except FileExistsError:
        # Somebody has decided already what may start here.
        yield
        return
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _is_there(shown_by: str) -> bool:
    if shown_by.startswith("/"):
        return Path(shown_by).exists()
    # A user's PATH often lacks the system folders, where iptables and its like are.
    search = os.pathsep.join([os.environ.get("PATH", ""), _SYSTEM_FOLDERS])
    return shutil.which(shown_by, path=search) is not None


def _install(names: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *names]
    with no_services():
        for command in (["apt-get", "update", "--quiet"], install):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise MissingPackagesError(
            f"apt-get could not install {' '.join(names)} ({said[0]}): install them by hand."
        )
