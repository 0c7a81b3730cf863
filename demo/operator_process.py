"""The operator as a process beside the cluster, with the permissions of the chart and no others.

The chart is installed with no replica: its ServiceAccount, roles, CRDs and admission policies are
all there, and a token of that ServiceAccount is what the process gets. So it can be killed with -9
and started again within milliseconds, and a permission that the chart forgot shows at once.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import yaml

from devcluster import tool

from .child import Child
from .errors import DemoError
from .kube import Kube

NAMESPACE = "immutable-release-system"
SERVICE_ACCOUNT = "immutable-release-operator"
CHART = Path(__file__).parent.parent / "charts" / "immutable-release-operator"
READY_TIMEOUT = 30.0
HELM_TIMEOUT = 120.0
TOKEN_SECONDS = 24 * 3600


class OperatorFailed(DemoError):
    """The operator or its chart did not start."""


def install_chart(more: Mapping[str, str] | None = None) -> None:
    """Everything of the chart but its Pod, whose place the process takes; `more` values of it."""
    values = {
        "replicas": "0",
        # The token of a process is bound to no Pod.
        "enforcement.requirePodBoundToken": "false",
        **(more or {}),
    }
    settings = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    result = subprocess.run(
        [
            *(str(tool("helm")), "upgrade", "--install", SERVICE_ACCOUNT, str(CHART)),
            *("--namespace", NAMESPACE, "--create-namespace", *settings),
        ],
        capture_output=True,
        text=True,
        timeout=HELM_TIMEOUT,
        check=False,
    )
    if result.returncode != 0:
        raise OperatorFailed(f"the chart was not installed: {result.stderr.strip()[-600:]}")


def write_kubeconfig(kube: Kube, path: Path, server: str | None = None) -> Path:
    """A kubeconfig with a token of the chart's ServiceAccount, at the cluster of our own one.

    `server` is where that cluster is reached instead.
    """
    answer = kube.request(
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{SERVICE_ACCOUNT}/token",
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        },
    )
    ours = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
    current = next(c for c in ours["contexts"] if c["name"] == ours["current-context"])
    cluster = next(c for c in ours["clusters"] if c["name"] == current["context"]["cluster"])
    if server is not None:
        cluster = {"name": cluster["name"], "cluster": {"server": server}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "operator", "user": {"token": answer["status"]["token"]}}],
        "contexts": [
            {"name": "operator", "context": {"cluster": cluster["name"], "user": "operator"}}
        ],
        "current-context": "operator",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


class OperatorProcess:
    """Start, kill, start again; one log for all of it."""

    def __init__(
        self, kubeconfig: Path, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        """`settings` are more variables of its environment."""
        self.log = log
        self._settings = settings or {}
        self._kubeconfig = kubeconfig
        self._port = _free_port()
        self._child: Child | None = None
        log.unlink(missing_ok=True)

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start it and wait for nothing."""
        program = Path(sys.executable).parent / "immutable-release-operator"
        self._child = Child(
            [str(program)],
            self.log,
            {
                "KUBECONFIG": str(self._kubeconfig),
                "IRO_PORT": str(self._port),
                "IRO_LOG_FORMAT": "text",
                # As a Pod keeps its name over its processes' lives.
                "IRO_IDENTITY": "demo",
                **self._settings,
            },
        )

    def await_ready(self) -> None:
        """Wait until it has listed what there is and works."""
        deadline = time.monotonic() + READY_TIMEOUT
        while not self.answers("/readyz"):
            if self._child is None or not self._child.alive:
                raise OperatorFailed(f"the operator has ended; see {self.log}")
            if time.monotonic() > deadline:
                raise OperatorFailed(
                    f"the operator is not ready after {READY_TIMEOUT:.0f} s; see {self.log}"
                )
            time.sleep(0.05)

    def wait(self) -> None:
        """Until it has ended by itself."""
        if self._child is not None:
            self._child.wait()

    def kill(self) -> None:
        """With -9."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def stop(self) -> int | None:
        """As a rollout of the operator would end it; its exit code, if it was there."""
        child, self._child = self._child, None
        return None if child is None else child.stop()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.alive

    def answers(self, path: str) -> bool:
        """Whether it answers 200 there."""
        try:
            self.fetch(path)
        except OSError:
            return False
        return True

    def fetch(self, path: str) -> str:
        """A page of its HTTP server, such as /metrics."""
        url = f"http://127.0.0.1:{self._port}{path}"
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return str(answer.read().decode())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
