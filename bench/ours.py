"""This operator, as a process with the permissions of its chart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from bench.system import NAME, PREFIX, REPLICAS, App
from demo import manifests
from demo.images import Key
from demo.kube import Kube, Object
from demo.operator_process import OperatorProcess, install_chart, write_kubeconfig
from demo.releases import ReleaseView

_POLICY = "bench"


class Ours:
    """The Immutable Release Operator."""

    name = "this operator"
    version = version("immutable-release-operator")

    def __init__(
        self,
        kube: Kube,
        registry: str,
        key: Key,
        secrets: Path,
        chart: Mapping[str, str] | None = None,
    ) -> None:
        self._kube = kube
        self._secrets = secrets
        self._chart = chart
        self._policy = manifests.policy(
            _POLICY, {"team": key.public_pem}, [registry], [f"{PREFIX}*"]
        )
        self._operator: OperatorProcess | None = None

    def start(self, scratch: Path) -> None:
        """With the chart and a policy that trusts the app's signature."""
        install_chart(self._chart)
        self._kube.apply(self._policy)
        kubeconfig = write_kubeconfig(self._kube, self._secrets / "operator.kubeconfig")
        self._operator = OperatorProcess(kubeconfig, scratch / "operator.log")
        self._operator.start()

    def restart(self) -> None:
        """End it and start it anew: it finds all there is by listing it."""
        assert self._operator is not None  # noqa: S101 (started before)
        self._operator.stop()
        self._operator.start()

    def stop(self) -> None:
        """End it."""
        if self._operator is not None:
            self._operator.stop()
        self._kube.delete("ReleasePolicy", _POLICY)

    def metrics(self) -> str:
        """What its controller tells Prometheus."""
        assert self._operator is not None  # noqa: S101 (started before)
        return self._operator.fetch("/metrics")

    def namespace(self, name: str) -> Object:
        """One that is enforced: that is part of what is measured."""
        return manifests.namespace(name)

    def deploy(self, app: App, env: Mapping[str, str]) -> str:
        """Wait until it counts as good: only then is there something to go back to."""
        self.update(app, env)
        release = ReleaseView(self._kube, app.namespace, NAME)
        first = release.await_that("a revision", lambda: next(iter(release.revisions()), None), 20)
        release.await_active(first.name)
        release.await_good(first.name)
        return release.address()

    def update(self, app: App, env: Mapping[str, str]) -> None:
        """Apply the manifest."""
        template = app.template(env)
        self._kube.apply(manifests.release(NAME, app.namespace, template, replicas=REPLICAS))

    def decided(self, app: App) -> float | None:
        """The time that the failed revision carries."""
        newest = ReleaseView(self._kube, app.namespace, NAME).revisions()[-1]
        failure = newest.raw.get("status", {}).get("failure")
        return datetime.fromisoformat(failure["time"]).timestamp() if failure else None
