"""Where a cluster keeps its things, and the addresses that it uses.

All paths hang below one state directory per name, so that two clusters never meet. The addresses
are the benchmark range of RFC 2544, which collides with nobody's network; they exist only inside
the cluster's network namespace.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NODE_ADDRESS = "198.19.0.1"
POD_RANGE = "198.18.0.0/24"
SERVICE_RANGE = "198.18.128.0/17"
KUBERNETES_SERVICE_ADDRESS = "198.18.128.1"
API_SERVER_PORT = 6443
ETCD_PORT = 2379
PROMETHEUS_PORT = 9090
GATEWAY_PORT = 8000
REGISTRY = "127.0.0.1:5000"
REGISTRY_WITH_REFERRERS = "127.0.0.1:5001"

_HOME_OF_ROOT = Path("/var/lib/immutable-release-operator")
_PROJECT = "immutable-release-operator"


def state_home() -> Path:
    """The folder of all clusters' state: a real disk, since containerd needs overlay mounts."""
    chosen = os.environ.get("XDG_STATE_HOME")
    return Path(chosen) / _PROJECT if chosen else _HOME_OF_ROOT


def cache_home() -> Path:
    """The folder of everything that is built once and kept when clusters go."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    return (Path(chosen) if chosen else Path.home() / ".cache") / _PROJECT


@dataclass(frozen=True)
class Layout:
    """The paths of one cluster."""

    name: str
    state_dir: Path

    @staticmethod
    def of(name: str) -> Layout:
        """The layout of the cluster called `name`."""
        return Layout(name=name, state_dir=state_home() / name)

    @property
    def lock(self) -> Path:
        """The lock of whoever changes the cluster: beside its state, which comes and goes."""
        return self.state_dir.parent / f".{self.name}.lock"

    @property
    def server(self) -> str:
        """The API server's URL inside the namespace."""
        return f"https://{NODE_ADDRESS}:{API_SERVER_PORT}"

    @property
    def namespace(self) -> Path:
        """The handle of the network namespace, as `ip netns` makes it."""
        return Path("/run/netns") / self.name

    @property
    def node_name(self) -> str:
        """The name of the one real node."""
        return self.name

    @property
    def description(self) -> Path:
        """The file that says what runs: written last by `up`, read by `Cluster.load`."""
        return self.state_dir / "cluster.json"

    @property
    def claim(self) -> Path:
        """The file that says which namespace is ours."""
        return self.state_dir / "namespace.json"

    @property
    def records(self) -> Path:
        """One file for each process that was started."""
        return self.state_dir / "processes"

    @property
    def logs(self) -> Path:
        """One log for each part."""
        return self.state_dir / "logs"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state_dir / "pki"

    @property
    def config(self) -> Path:
        """The parts' configuration files."""
        return self.state_dir / "config"

    @property
    def containerd(self) -> Path:
        """containerd's root, its state and its socket."""
        return self.state_dir / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """The socket that kubelet and crictl talk to."""
        return self.containerd / "containerd.sock"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root: volumes of pods are mounted below it."""
        return self.state_dir / "kubelet"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON event a line."""
        return self.logs / "audit.log"

    @property
    def scrape_targets(self) -> Path:
        """The list of Pods that Prometheus scrapes, in a folder of its own that it watches."""
        return self.state_dir / "scrape" / "targets.json"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of one user or part."""
        return self.state_dir / "kubeconfig" / f"{user}.json"
