"""Flagger: blue-green on plain Services, with a webhook and a metric of Prometheus as its checks.

It checks the new version before its promotion and watches nothing after it. Its shortest interval
is 10 s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.system import LABELS, NAME, REPLICAS, App, address, apply, apply_files
from demo.child import Child
from demo.kube import Kube, Object, wait_for
from devcluster import tool
from devcluster.recipes import RECIPES
from devcluster.toolchain import data_of, version_of

_TOOL = "flagger"
_API = "flagger.app/v1beta1"
_INITIALIZED_SECONDS = 90.0
_FAILED = (
    'sum(increase(http_requests_total{namespace="{{ namespace }}",code="500",'
    'pod=~"{{ target }}-[0-9a-z]+-[0-9a-z]+"}[10s])) or vector(0)'
)


class Flagger:
    """Its controller as a process, with all rights."""

    name = "Flagger"
    version = version_of(RECIPES[_TOOL])

    def __init__(self, kube: Kube, prometheus: str) -> None:
        self._kube = kube
        self._prometheus = prometheus
        self._child: Child | None = None

    def start(self, scratch: Path) -> None:
        """Its kinds come from its own module."""
        apply_files([data_of(_TOOL) / "artifacts" / "flagger" / "crd.yaml"])
        argv = [
            str(tool(_TOOL)),
            f"-kubeconfig={os.environ['KUBECONFIG']}",
            "-mesh-provider=kubernetes",
            f"-metrics-server={self._prometheus}",
            "-control-loop-interval=1s",
            "-log-level=info",
            "-port=18080",
        ]
        self._child = Child(argv, scratch / f"{_TOOL}.log", {})

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.stop()

    def namespace(self, name: str) -> Object:
        """An ordinary one."""
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

    def deploy(self, app: App, env: Mapping[str, str]) -> str:
        """Wait until it has made its own copy of the Deployment, then have it ask its Service."""
        self.update(app, env)
        apply(self._metric(app), _canary(app, []))

        def look() -> tuple[bool | None, str]:
            path = f"/apis/{_API}/namespaces/{app.namespace}/canaries/{NAME}"
            phase = self._kube.request("GET", path).get("status", {}).get("phase", "none")
            return phase == "Initialized" or None, f"phase {phase}"

        wait_for("the Canary to be Initialized", look, _INITIALIZED_SECONDS)
        url = f"http://{address(self._kube, app, f'{NAME}-canary')}/healthz"
        apply(_canary(app, [{"name": "probe", "type": "rollout", "url": url, "timeout": "1s"}]))
        return address(self._kube, app, NAME)

    def update(self, app: App, env: Mapping[str, str]) -> None:
        """Apply the Deployment."""
        spec = {
            "replicas": REPLICAS,
            "selector": {"matchLabels": LABELS},
            "template": app.template(env),
        }
        apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": app.meta(), "spec": spec})

    def decided(self, app: App) -> float | None:
        """It does not go back once it has promoted."""
        return None

    def _metric(self, app: App) -> Object:
        provider = {"type": "prometheus", "address": self._prometheus}
        return {
            "apiVersion": _API,
            "kind": "MetricTemplate",
            "metadata": app.meta("failed"),
            "spec": {"provider": provider, "query": _FAILED},
        }


def _canary(app: App, webhooks: list[Object]) -> Object:
    metric = {
        "name": "failed",
        "templateRef": {"name": "failed", "namespace": app.namespace},
        "thresholdRange": {"max": 0},
        "interval": "10s",
    }
    return {
        "apiVersion": _API,
        "kind": "Canary",
        "metadata": app.meta(),
        "spec": {
            "provider": "kubernetes",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "progressDeadlineSeconds": 60,
            "service": {"port": 80, "targetPort": "http", "portName": "http"},
            "analysis": {
                "interval": "1s",
                "threshold": 3,
                "iterations": 1,
                "metrics": [metric],
                "webhooks": webhooks,
            },
        },
    }
