"""Argo Rollouts: blue-green with an analysis that asks the active Service after the promotion."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.system import LABELS, NAME, REPLICAS, App, address, apply, apply_files, service
from demo.child import Child
from demo.kube import Kube, Object, wait_for
from devcluster import tool
from devcluster.recipes import RECIPES
from devcluster.toolchain import data_of, version_of

_TOOL = "argo-rollouts"
_API = "argoproj.io/v1alpha1"
_ACTIVE, _PREVIEW = f"{NAME}-active", f"{NAME}-preview"
_SERVING_SECONDS = 60.0
# As long as anybody waits; the analysis ends with it.
_MEASUREMENTS = 90


class ArgoRollouts:
    """Its controller as a process, with all rights."""

    name = "Argo Rollouts"
    version = version_of(RECIPES[_TOOL])

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._child: Child | None = None

    def start(self, scratch: Path) -> None:
        """Its kinds come from its own module."""
        apply_files(sorted((data_of(_TOOL) / "manifests" / "crds").glob("*-crd.yaml")))
        argv = [str(tool(_TOOL)), "--kubeconfig", os.environ["KUBECONFIG"], "--leader-elect=false"]
        self._child = Child(argv, scratch / f"{_TOOL}.log", {})

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.stop()

    def namespace(self, name: str) -> Object:
        """An ordinary one."""
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

    def deploy(self, app: App, env: Mapping[str, str]) -> str:
        """Wait until the Rollout is Healthy."""
        apply(service(app, _ACTIVE), service(app, _PREVIEW))
        active = address(self._kube, app, _ACTIVE)
        apply(_analysis(app, active))
        self.update(app, env)

        def look() -> tuple[bool | None, str]:
            path = f"/apis/{_API}/namespaces/{app.namespace}/rollouts/{NAME}"
            phase = self._kube.request("GET", path).get("status", {}).get("phase", "none")
            return phase == "Healthy" or None, f"phase {phase}"

        wait_for("the Rollout to be Healthy", look, _SERVING_SECONDS)
        return active

    def update(self, app: App, env: Mapping[str, str]) -> None:
        """Apply the Rollout."""
        apply(_rollout(app, app.template(env)))

    def decided(self, app: App) -> float | None:
        """Its times are whole seconds."""
        return None


def _rollout(app: App, template: Object) -> Object:
    return {
        "apiVersion": _API,
        "kind": "Rollout",
        "metadata": app.meta(),
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": LABELS},
            "template": template,
            "strategy": {
                "blueGreen": {
                    "activeService": _ACTIVE,
                    "previewService": _PREVIEW,
                    "autoPromotionEnabled": True,
                    # The old Pods stay warm, as ours do by keepWarm.
                    "scaleDownDelaySeconds": 120,
                    "postPromotionAnalysis": {"templates": [{"templateName": "probe"}]},
                }
            },
        },
    }


def _analysis(app: App, active: str) -> Object:
    web = {
        "url": f"http://{active}/",
        "timeoutSeconds": 1,
        "jsonPath": "{$.version}",
        # On a connection that is kept it asks the old Pods for ever and finds them fine.
        "headers": [{"key": "Connection", "value": "close"}],
    }
    metric = {
        "name": "probe",
        "interval": "1s",
        "count": _MEASUREMENTS,
        "successCondition": "result != ''",
        # Three in a row: a status of 500 is an error to it, not a failure.
        "failureLimit": 2,
        "consecutiveErrorLimit": 2,
        "provider": {"web": web},
    }
    return {
        "apiVersion": _API,
        "kind": "AnalysisTemplate",
        "metadata": app.meta("probe"),
        "spec": {"metrics": [metric]},
    }
