"""The chart as a user installs it: by helm, the operator in its Pod, with the Dockerfile's image.

Everywhere else the operator is a process beside the cluster; here its Pod does the work, under the
restricted Pod security standard and with a token that is bound to it.
"""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo import manifests
from demo.images import Image, Key
from demo.kube import Kube, KubeError, wait_for
from demo.operator_process import (
    CHART,
    NAMESPACE,
    SERVICE_ACCOUNT,
    install_chart,
    write_kubeconfig,
)
from devcluster import Cluster, tool
from tests.e2e import operator_image
from tests.e2e.session import Open
from tests.e2e.shop import Shop

POLICY = "e2e-chart"
REPOSITORY = "immutable-release-operator"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
PATIENCE = 60.0
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
# An upgrade that fails is undone whole: helm would forget the policies that it had made.
SAFELY = ("--wait", "--rollback-on-failure", "--cleanup-on-fail")


@pytest.fixture(scope="module")
def node_registry(cluster: Cluster) -> str:
    """The registry as Pods reach it: at the node's address, not at their own."""
    return f"{cluster.node_address}:{cluster.registry.rpartition(':')[2]}"


@pytest.fixture(scope="module")
def digest(node_registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The operator's image in the registry, by digest."""
    if not operator_image.fetched():
        pytest.fail("outside the cluster, run first: python -m tests.e2e.operator_image")
    operator_image.build()
    written = tmp_path_factory.mktemp("image") / "digest"
    return operator_image.push(f"{node_registry}/{REPOSITORY}:e2e", written)


@pytest.fixture(scope="module")
def operator_pod(kube: Kube, opened_here: Open, node_registry: str, digest: str) -> Iterator[str]:
    """The operator as the chart runs it, ready; its Pod's name. A process again afterwards."""
    opened_here.operator.stop()
    kube.patch("Namespace", NAMESPACE, {"metadata": {"labels": RESTRICTED}})
    image = {"repository": f"{node_registry}/{REPOSITORY}", "digest": digest}
    try:
        helm("upgrade", "--install", SERVICE_ACCOUNT, str(CHART), *SAFELY, *_values(image=image))
        (pod,) = kube.list("Pod", NAMESPACE)
        yield pod["metadata"]["name"]
    finally:
        install_chart()
        _await_no_pod(kube)
        _await_token(kube, opened_here.session.kubeconfig)
        opened_here.operator.start()


@pytest.fixture
def shop_of_the_pod(
    kube: Kube,
    operator_pod: str,
    node_registry: str,
    team: Key,
    image: Image,
    namespace: str,
    tmp_path: Path,
) -> Iterator[Shop]:
    """A release that nobody applied yet, for the operator in its Pod."""
    trusted = {"team": team.public_pem}
    kube.apply(manifests.policy(POLICY, trusted, [node_registry], [namespace]))
    reachable = f"{node_registry}/{image.ref.partition('/')[2]}"
    with ExitStack() as exits:
        exits.callback(kube.delete, "ReleasePolicy", POLICY)
        yield Shop(kube, namespace, reachable, tmp_path, exits)


@pytest.mark.enforce("all")
def test_the_pod_releases_and_reverts_where_nothing_else_may_run(
    kube: Kube, operator_pod: str, shop_of_the_pod: Shop
) -> None:
    """Only a token bound to the operator's Pod passes the policies here."""
    shop = shop_of_the_pod
    v1 = shop.given_serving("v1")
    shop.given_serving("v2")
    answer = shop.when_asked("Rollback", v1.name)
    assert answer["phase"] == "Succeeded", answer
    shop.then_serves(v1)
    (container,) = kube.get("Pod", operator_pod, NAMESPACE)["status"]["containerStatuses"]
    assert container["restartCount"] == 0


def test_the_pod_is_as_confined_as_the_chart_says(kube: Kube, operator_pod: str) -> None:
    pod = kube.get("Pod", operator_pod, NAMESPACE)
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert kube.get("Namespace", NAMESPACE)["metadata"]["labels"].items() >= RESTRICTED.items()


def test_the_metrics_service_leads_to_the_pod(kube: Kube, operator_pod: str) -> None:
    address = kube.get("Service", SERVICE_ACCOUNT, NAMESPACE)["spec"]["clusterIP"]

    def look() -> tuple[str | None, str]:
        try:
            with urllib.request.urlopen(f"http://{address}:8080/metrics", timeout=5) as answer:
                return answer.read().decode(), ""
        except OSError as error:
            # The Pod is ready before nodes lead there.
            return None, str(error)

    assert "# TYPE " in wait_for("an answer", look, PATIENCE)


def test_uninstalling_leaves_releases_and_what_they_serve(
    kube: Kube, shop_of_the_pod: Shop
) -> None:
    shop = shop_of_the_pod
    v1 = shop.given_serving("v1")
    helm("uninstall", SERVICE_ACCOUNT, "--wait")
    assert kube.request("GET", BINDINGS)["items"] == []
    assert shop.release.active() == v1.name
    assert shop.replicas_of(v1) == shop.settings["replicas"]
    users = shop.given_users()
    users.await_calm("v1")
    assert users.so_far().failed == 0
    # Installed again it takes the definitions and the releases over as they are.
    helm("install", SERVICE_ACCOUNT, str(CHART), *_values(replicas=0))
    assert shop.release.active() == v1.name


def _await_no_pod(kube: Kube) -> None:
    def look() -> tuple[bool | None, str]:
        return (None if kube.list("Pod", NAMESPACE) else True), "it is still there"

    wait_for("the operator's Pod to be gone", look, PATIENCE)


def _await_token(kube: Kube, kubeconfig: Path) -> None:
    """The policy that keeps people from it is out of force a moment after it is deleted."""

    def look() -> tuple[bool | None, str]:
        try:
            return write_kubeconfig(kube, kubeconfig).exists(), ""
        except KubeError as refused:
            return None, str(refused)

    wait_for("a token for the operator as a process", look, PATIENCE)


def helm(*arguments: str) -> None:
    """Run the real helm in the operator's namespace."""
    command = (str(tool("helm")), *arguments, "--namespace", NAMESPACE, "--timeout=2m")
    operator_image.run(*command)


def _values(**values: object) -> tuple[str, ...]:
    return tuple(
        part
        for key, value in values.items()
        for part in ("--set-json", f"{key}={json.dumps(value)}")
    )
