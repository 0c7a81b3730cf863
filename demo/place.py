"""Where demo and end-to-end tests run, as CLUSTER says, and how to get there.

The local cluster is a network of its own: commands enter it. On any other cluster they run here,
and here must reach its Pods and Services by address, which a cluster elsewhere does not offer by
itself; that is found out before anything is touched.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from devcluster import Cluster
from devcluster.errors import TargetError
from devcluster.target import target_from_env
from devcluster.toolchain import search_path, tools

DEVCLUSTER = (sys.executable, "-m", "devcluster")
# Inside the local cluster there is no network to build them from.
TOOLS = ("crane", "cosign", "helm", "kubectl")
REACH_TIMEOUT = 3.0
_REGISTRY = "DEMO_REGISTRY"


@dataclass(frozen=True)
class Place:
    """A way to run a command where a cluster is reachable."""

    prefix: Sequence[str]
    environment: dict[str, str]

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line that runs `arguments` there."""
        return [*self.prefix, *arguments]


def prepare(profile: str, name: str = "iro") -> Place:
    """Have the cluster up and all tools built; `name` is that of the local one.

    Raises:
        DevclusterError: neither can be had; says what to do.
    """
    if os.environ.get("CLUSTER", "local") == "local":
        up = [*DEVCLUSTER, "up", "--name", name, "--profile", profile]
        if subprocess.run(up, stdout=sys.stderr, check=False).returncode:
            raise TargetError("the local cluster is not up; the line above says why")
        tools(TOOLS)
        return Place((*DEVCLUSTER, "exec", "--name", name, "--"), dict(os.environ))
    target = target_from_env()
    tools(TOOLS)
    path = os.pathsep.join([search_path(TOOLS), os.environ.get("PATH", "")])
    here = {"KUBECONFIG": str(target.kubeconfig), "PATH": path, _REGISTRY: target.registry}
    return Place((), {**os.environ, **here})


def registry() -> str:
    """The registry of the cluster that we are in."""
    return os.environ.get(_REGISTRY) or Cluster.load().registry


def require_reachable(address: str, port: int) -> None:
    """That Services answer here by their addresses.

    Raises:
        DevclusterError: they do not; says what to do.
    """
    try:
        socket.create_connection((address, port), REACH_TIMEOUT).close()
    except OSError as error:
        raise TargetError(
            f"the cluster's Services cannot be reached from here ({address}:{port}: {error}), and "
            "operator and users run here: add routes to its Service and Pod ranges through a "
            "node, or set CLUSTER=local"
        ) from error
