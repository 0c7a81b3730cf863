"""The cluster that a command speaks to: chosen as kubectl chooses it, by kubeconfig and context."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from immutablerelease.runtime.client import Api
from immutablerelease.runtime.following import Watchable

from .errors import BAD_CALL, Complaint

if TYPE_CHECKING:
    from kubernetes.aio.client.configuration import Configuration

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Field manager and user agent: who asked is told apart from the operator.
CLIENT = "kubectl-immutable"


class ClusterApi(Api, Watchable, Protocol):
    """The API server, as far as commands need it."""


@dataclass(frozen=True)
class Cluster:
    """Where a command acts."""

    api: ClusterApi
    namespace: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    # What a command needs besides a name to find it here again, such as ` -n web`.
    place: str = ""


Connect = Callable[[argparse.Namespace], AbstractAsyncContextManager[Cluster]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of kubectl that say where."""
    group = parser.add_argument_group("where")
    group.add_argument(
        "-n", "--namespace", help="namespace; without it, the one of the kubeconfig's context"
    )
    group.add_argument("--context", help="context of the kubeconfig; without it, the current one")
    group.add_argument("--kubeconfig", metavar="FILE", help="kubeconfig to use")


@asynccontextmanager
async def connect(arguments: argparse.Namespace) -> AsyncIterator[Cluster]:
    """The cluster of the kubeconfig; inside a Pod without one, the cluster around it."""
    # A large package, and not all commands need a cluster.
    from kubernetes.aio.client.configuration import Configuration

    from immutablerelease.runtime.kubeapi import KubeApi

    configuration = Configuration()
    own_namespace = await _load(arguments, configuration)

    async def renew(configuration: "Configuration") -> None:
        await _load(arguments, configuration)

    api = KubeApi(configuration, load=renew, manager=CLIENT)
    try:
        options = {"-n": arguments.namespace, "--context": arguments.context}
        place = "".join(f" {option} {value}" for option, value in options.items() if value)
        yield Cluster(api, arguments.namespace or own_namespace, place=place)
    finally:
        await api.close()


async def _load(arguments: argparse.Namespace, configuration: "Configuration") -> str:
    """Fill in address and credentials; the namespace that goes with them."""
    import yaml
    from kubernetes.aio.config import ConfigException, load_kube_config
    from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

    from immutablerelease.runtime.kubeapi import load_configuration

    chosen = arguments.kubeconfig or arguments.context
    place = arguments.kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION
    try:
        if not chosen and _in_pod():
            await load_configuration(configuration)
            return await asyncio.to_thread(_POD_NAMESPACE.read_text, "utf-8")
        _check_exists(place)
        loader = await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=arguments.kubeconfig,
            context=arguments.context,
            client_configuration=configuration,
            persist_config=False,
        )
        return str(loader.current_context["context"].get("namespace") or "default")
    except (ConfigException, OSError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise Complaint(
            f"the kubeconfig {place} cannot be used: {_said(error)}", _ELSEWHERE, BAD_CALL
        ) from error


_ELSEWHERE = "set KUBECONFIG, or name a file with --kubeconfig and a context with --context"
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def _in_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")


def _check_exists(place: str) -> None:
    if not any(Path(path).expanduser().exists() for path in place.split(os.pathsep) if path):
        raise Complaint(f"there is no kubeconfig at {place}", _ELSEWHERE, BAD_CALL)


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
