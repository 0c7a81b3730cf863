"""A stock cluster by kind, through pytest-kind, where Docker answers.

Thin on purpose: kind makes the cluster, Docker runs a registry beside it, and the node is told to
pull from it over plain http.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.errors import TargetError
from devcluster.files import write_json
from devcluster.layout import REGISTRY, cache_home

_REGISTRY_IMAGE = "registry:3"
_MIRRORS = "/etc/containerd/certs.d"
_TIMEOUT = 10

_CONFIG: dict[str, Any] = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "containerdConfigPatches": [
        f'[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "{_MIRRORS}"'
    ],
}


@dataclass(frozen=True)
class KindTarget:
    """A running kind cluster."""

    kubeconfig: Path
    registry: str


def start(name: str) -> KindTarget:
    """Have the kind cluster and its registry running."""
    _require_docker()
    cluster = _cluster(name)
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "kind.json"
        write_json(config, _CONFIG)
        cluster.create(config)
    _run_registry(name)
    hosts = f'[host."http://{_registry_name(name)}:5000"]\n'
    folder = f"{_MIRRORS}/{REGISTRY}"
    script = f"mkdir -p '{folder}' && cat > '{folder}/hosts.toml'"
    _docker("exec", "--interactive", f"{name}-control-plane", "sh", "-c", script, given=hosts)
    return KindTarget(cluster.kubeconfig_path, REGISTRY)


def stop(name: str) -> None:
    """Delete the cluster and its registry."""
    _cluster(name).delete()
    _docker("rm", "--force", _registry_name(name))


def _cluster(name: str) -> Any:
    try:
        pytest_kind = importlib.import_module("pytest_kind")
    except ImportError:
        raise TargetError(
            "CLUSTER=kind needs the Python package pytest-kind: install it with `pip install "
            "pytest-kind`."
        ) from None
    folder = cache_home() / "kind" / name
    folder.mkdir(parents=True, exist_ok=True)
    paths = {f"{program}_path": Path(_program(program)) for program in ("kind", "kubectl")}
    return pytest_kind.KindCluster(name, kubeconfig=folder / "kubeconfig", **paths)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise TargetError(f"CLUSTER=kind needs {name} on the PATH: install it, or use another.")
    return found


def _require_docker() -> None:
    try:
        _docker("info")
    except (OSError, subprocess.TimeoutExpired, TargetError):
        raise TargetError(
            "CLUSTER=kind needs Docker and it does not answer: start it, or set CLUSTER=local or "
            "CLUSTER=current."
        ) from None


def _run_registry(name: str) -> None:
    registry = _registry_name(name)
    running = ("ps", "--quiet", "--filter", f"name=^{registry}$")
    if not _docker(*running).strip():
        where = ("--publish", f"{REGISTRY}:5000", "--network", "kind", "--name", registry)
        _docker("run", "--detach", *where, _REGISTRY_IMAGE)


def _registry_name(name: str) -> str:
    return f"{name}-registry"


def _docker(*arguments: str, given: str | None = None) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=None if arguments[0] == "run" else _TIMEOUT,
    )
    if done.returncode:
        raise TargetError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
