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
from tests.api.chart import NAMESPACE, NAMESPACE_OBJECT, apply, delete, render
from tests.api.kubectl import Kubectl
from tests.faults.background import Background
from tests.faults.fake_pods import FakePods
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
    _await_gone(kube, "Terminating")
    documents = render("replicas=0", "enforcement.enabled=false", "crds.keep=true")
    definitions = [one for one in documents if one["kind"] == "CustomResourceDefinition"]
    rest = [one for one in documents if one["kind"] != "CustomResourceDefinition"]
    apply(kubectl, definitions)
    names = [f"crd/{one['metadata']['name']}" for one in definitions]
    kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    apply(kubectl, [NAMESPACE_OBJECT, *rest])
    kube.apply(_policy())
    yield kube
    kube.delete("ReleasePolicy", "faults")
    delete(kubectl, [*rest, NAMESPACE_OBJECT])
    _await_gone(kube, "")
    # Last, and not waited for: there are so many that it takes minutes, and nobody has their names.
    for item in kube.list("Namespace"):
        if item["metadata"]["name"].startswith(PREFIX):
            kube.delete("Namespace", item["metadata"]["name"])


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


@pytest.fixture(scope="session")
def namespaces(kube: Kube) -> Callable[[], str]:
    """Makes namespaces."""

    def make() -> str:
        name = f"{PREFIX}{secrets.token_hex(4)}"
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    return make


def _policy() -> dict[str, object]:
    registry = IMAGE.partition("/")[0]
    policy = manifests.policy("faults", {}, [registry], [f"{PREFIX}*"])
    policy["spec"] = {"match": policy["spec"]["match"], "unsafeAllowUnsigned": True}
    return policy


def _await_gone(kube: Kube, phase: str) -> None:
    """Wait until the operator's namespace is gone, if it is in a phase."""

    def look() -> tuple[bool | None, str]:
        found = kube.find("Namespace", NAMESPACE)
        left = found is not None and phase in ("", found["status"]["phase"])
        return (None if left else True), "it is still there"

    wait_for(f"namespace {NAMESPACE} of earlier tests to be gone", look, GONE_TIMEOUT)
