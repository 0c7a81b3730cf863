"""Where demo and end-to-end tests run: CLUSTER=local, kind or current.

local is the cluster of this package and the default; kind is a stock cluster where Docker answers;
current is whatever the user's kubeconfig points at, and is only touched after asking.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devcluster import kind
from devcluster.cluster import Cluster
from devcluster.down import down
from devcluster.errors import NotUpError, TargetError, UnsupportedMachineError
from devcluster.toolchain import tool
from devcluster.up import up

CHOICES = ("local", "kind", "current")

Ask = Callable[[str], bool]


def _nothing() -> None:
    """Somebody else's cluster stays as it is."""


@dataclass(frozen=True)
class Target:
    """A cluster to work on, wherever it is."""

    kind: str
    context: str
    kubeconfig: Path
    # Where images are pushed to, and how the cluster's own nodes name it.
    registry: str
    # Where the API server, pods and registry are reached from: see `enter`.
    inside: Cluster | None = None
    _teardown: Callable[[], None] = field(default=_nothing, repr=False)

    def enter(self, argv: list[str]) -> list[str]:
        """The command line that runs `argv` where the cluster's addresses are reachable."""
        return self.inside.enter(argv) if self.inside else argv

    @property
    def pods_reachable(self) -> bool:
        """Whether a process started through `enter` reaches pods and Services by address."""
        return self.inside is not None

    def teardown(self) -> None:
        """Take down what was made for this target; what was there before stays."""
        self._teardown()


def target_from_env(
    ask: Ask | None = None, environment: Mapping[str, str] | None = None, *, name: str = "iro"
) -> Target:
    """The target that CLUSTER names, started if it is one of ours.

    Args:
        ask: puts a question to the person and tells whether it was a yes; by default on the
            terminal, where there is one.
        environment: what to read instead of the process's own.
        name: the name of the local cluster or of the kind cluster.

    Raises:
        TargetError: CLUSTER names nothing that can be used here.
    """
    values = os.environ if environment is None else environment
    choice = values.get("CLUSTER", "local")
    if choice == "local":
        return _local(name)
    if choice == "kind":
        return _kind(name)
    if choice == "current":
        return _current(values, ask or _ask_on_terminal)
    raise TargetError(f"CLUSTER is {choice!r}: set it to {', '.join(CHOICES)}.")


def _local(name: str) -> Target:
    try:
        cluster = Cluster.load(name)
        teardown = _nothing
    except NotUpError:
        try:
            cluster = up(name)
        except UnsupportedMachineError as error:
            raise TargetError(str(error)) from error

        def teardown() -> None:
            down(name)

    return Target("local", name, cluster.kubeconfig, cluster.registry, cluster, teardown)


def _kind(name: str) -> Target:
    cluster = kind.start(name)
    return Target(
        kind="kind",
        context=f"kind-{name}",
        kubeconfig=cluster.kubeconfig,
        registry=cluster.registry,
        _teardown=lambda: kind.stop(name),
    )


def _current(values: Mapping[str, str], ask: Ask) -> Target:
    context, kubeconfig = _context_in_use(values)
    registry = values.get("CLUSTER_REGISTRY")
    if not registry:
        raise TargetError(
            f"CLUSTER=current needs a registry that both you and the context {context} reach: set "
            "CLUSTER_REGISTRY to its HOST:PORT or HOST/PATH."
        )
    confirmed = values.get("CLUSTER_CONFIRM")
    question = f"Create and delete namespaces, CRDs and policies in the context {context}?"
    if confirmed != context and not ask(question):
        raise TargetError(
            f"Nothing was done in the context {context}: answer yes, or set "
            f"CLUSTER_CONFIRM={context} where nobody can be asked."
        )
    return Target("current", context, kubeconfig, registry)


def _context_in_use(values: Mapping[str, str]) -> tuple[str, Path]:
    kubectl = shutil.which("kubectl") or str(tool("kubectl"))
    kubeconfig = values.get("KUBECONFIG", str(Path.home() / ".kube" / "config"))
    done = subprocess.run(
        [kubectl, "config", "view", "--minify", "--output=json"],
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise TargetError(
            f"CLUSTER=current finds no context in {kubeconfig} ({done.stderr.strip()}): set "
            "KUBECONFIG, or choose one with `kubectl config use-context`."
        )
    context: str = json.loads(done.stdout)["current-context"]
    return context, Path(kubeconfig.split(os.pathsep)[0])


def _ask_on_terminal(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
