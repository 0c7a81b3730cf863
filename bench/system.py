"""What a system must be able to do to be measured: release an app, and let users at it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from demo import manifests
from demo.errors import DemoError
from demo.kube import Kube, Object

NAME = "shop"
# Of all namespaces of the bench.
PREFIX = "bench-"
LABELS = {"app": NAME}
REPLICAS = 3
TIMEOUT = 60.0
_SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}


class NotApplied(DemoError):
    """Objects of a system were not accepted; says what kubectl said."""


@dataclass(frozen=True)
class App:
    """What every system releases: the same image, the same Pods, a namespace of its own."""

    namespace: str
    image: str

    def template(self, env: Mapping[str, str]) -> Object:
        """The Pod template of one version, which is told by its environment."""
        bare = manifests.template(self.image, env)
        return {"metadata": {"labels": LABELS, "annotations": _SCRAPED}, **bare}

    def meta(self, name: str = NAME) -> Object:
        """The metadata of an object of the app."""
        return {"name": name, "namespace": self.namespace}


class System(Protocol):
    """One way to release, and the controller behind it."""

    @property
    def name(self) -> str:
        """What it is called in the table."""

    @property
    def version(self) -> str:
        """Its version."""

    def start(self, scratch: Path) -> None:
        """Define its kinds and start its controller."""

    def stop(self) -> None:
        """End its controller."""

    def namespace(self, name: str) -> Object:
        """A namespace as this system wants it."""

    def deploy(self, app: App, env: Mapping[str, str]) -> str:
        """Release the first version; the address at which users find it, once it serves."""

    def update(self, app: App, env: Mapping[str, str]) -> None:
        """Change the version."""

    def decided(self, app: App) -> float | None:
        """When it decided to go back, as Unix time; None where it does not say precisely."""


def apply(*objects: Object) -> None:
    """Have objects as these say."""
    _kubectl(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), "-")


def apply_files(files: Sequence[Path]) -> None:
    """Have what files of a system define."""
    for file in files:
        _kubectl("", str(file))


def service(app: App, name: str) -> Object:
    """A Service that users can ask; its selector is the app's, or whatever its system adds."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": app.meta(name),
        "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def address(kube: Kube, app: App, name: str) -> str:
    """Where a Service answers; there are no names in the local cluster."""
    return str(kube.get("Service", name, app.namespace)["spec"]["clusterIP"])


def _kubectl(stdin: str, file: str) -> None:
    done = subprocess.run(
        ["kubectl", "apply", "--server-side", "--force-conflicts", "--filename", file],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise NotApplied(f"kubectl apply failed: {done.stderr.strip()[-400:]}")
