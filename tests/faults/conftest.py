"""The operator as a process behind a proxy, on a cluster with fake nodes.

python -m devcluster up --profile api
python -m devcluster exec -- python -m pytest tests/faults
"""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import manifests
from demo.kube import Kube, wait_for
from demo.operator_process import write_kubeconfig
from tests.api.chart import NAMESPACE, NAMESPACE_OBJECT, apply, delete, render
from tests.api.kubectl import Kubectl
from tests.faults.authority import authority
from tests.faults.background import Background
from tests.faults.fake_pods import FakePods
from tests.faults.proxy import Proxy
from tests.faults.stage import IMAGE, PREFIX, Stage

LOGS = Path(__file__).parents[2] / "build" / "faults"
GONE_TIMEOUT = 60.0


@pytest.fixture(scope="session")
def kube() -> Iterator[Kube]:
    """The API as cluster-admin, with the chart's kinds and permissions, and a lenient policy."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("needs a cluster: python -m devcluster exec -- python -m pytest tests/faults")
    kube, kubectl = Kube(), Kubectl()
    # What an earlier session deleted and did not wait for.
    _await_gone(kube, (NAMESPACE,), "Terminating")
    documents = render("replicas=0", "enforcement.enabled=false", "crds.keep=true")
    definitions = [one for one in documents if one["kind"] == "CustomResourceDefinition"]
    rest = [one for one in documents if one["kind"] != "CustomResourceDefinition"]
    apply(kubectl, definitions)
    names = [f"crd/{one['metadata']['name']}" for one in definitions]
    kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    apply(kubectl, [NAMESPACE_OBJECT, *rest])
    kube.apply(_policy())
    yield kube
    for name in _ours(kube):
        kube.delete("Namespace", name)
    kube.delete("ReleasePolicy", "faults")
    delete(kubectl, [*rest, NAMESPACE_OBJECT])
    _await_gone(kube, (NAMESPACE, *_ours(kube)), "")


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    """Where proxies and fake Pods run."""
    with Background() as background:
        yield background


@pytest.fixture(scope="session")
def stage(kube: Kube, background: Background) -> Iterator[Stage]:
    """All releases, and Pods that answer."""
    pods = FakePods(background)
    yield Stage(kube, pods)
    pods.close()


@pytest.fixture
def proxy(kube: Kube, background: Background) -> Iterator[Proxy]:
    """A proxy that has no plan yet."""
    proxy = Proxy(background, kube.server, authority())
    yield proxy
    proxy.close()


@pytest.fixture
def kubeconfig(kube: Kube, proxy: Proxy, tmp_path: Path) -> Path:
    """The operator's, at the proxy."""
    return write_kubeconfig(kube, tmp_path / "kubeconfig", proxy.url)


@pytest.fixture(scope="module")
def namespaces(kube: Kube) -> Iterator[Callable[[], str]]:
    """Makes namespaces, which are gone after the tests of a module."""
    made = []

    def make() -> str:
        name = f"{PREFIX}{secrets.token_hex(4)}"
        made.append(name)
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    yield make
    for name in made:
        kube.delete("Namespace", name)


def _policy() -> dict[str, object]:
    registry = IMAGE.partition("/")[0]
    policy = manifests.policy("faults", {}, [registry], [f"{PREFIX}*"])
    policy["spec"] = {"match": policy["spec"]["match"], "unsafeAllowUnsigned": True}
    return policy


def _ours(kube: Kube) -> list[str]:
    names = (str(item["metadata"]["name"]) for item in kube.list("Namespace"))
    return [name for name in names if name.startswith(PREFIX)]


def _await_gone(kube: Kube, names: tuple[str, ...], phase: str) -> None:
    """Wait until the namespaces are gone, or those of them that are in a phase."""

    def look() -> tuple[bool | None, str]:
        left = [
            item["metadata"]["name"]
            for item in kube.list("Namespace")
            if item["metadata"]["name"] in names and phase in ("", item["status"]["phase"])
        ]
        return (None if left else True), f"{', '.join(left)} still there"

    wait_for("namespaces of earlier tests to be gone", look, GONE_TIMEOUT)
