"""Nobody changes by hand what was released, not even cluster-admin; breaking the glass is seen."""

import json
import subprocess
from collections.abc import Sequence

import pytest

from demo.interference import ATTEMPTS, Attempt, Target
from demo.kube import Kube, KubeError, wait_for
from demo.releases import ReleaseView
from devcluster import Cluster
from tests.e2e.shop import PATIENCE, Shop

BREAK_GLASS = "immutablerelease:break-glass"


def _delete_revision(target: Target) -> Sequence[str]:
    return ["delete", "releaserevision", target.revision]


def _delete_deployment(target: Target) -> Sequence[str]:
    return ["delete", "deployment", target.revision]


def _delete_service(target: Target) -> Sequence[str]:
    return ["delete", "service", target.release]


def _debug(target: Target) -> Sequence[str]:
    return ["debug", target.pod, f"--image={target.image}", "--target=web"]


def _forward(target: Target) -> Sequence[str]:
    return ["port-forward", target.pod, "18080:8080"]


def _take_label(target: Target) -> Sequence[str]:
    return ["label", "pod", target.pod, "immutablerelease.io/revision-"]


def _open_namespace(target: Target) -> Sequence[str]:
    return ["label", "namespace", target.namespace, "immutablerelease.io/enforce-"]


def _write_verdict(target: Target) -> Sequence[str]:
    patch = {"status": {"message": "trust me"}}
    return [
        *("patch", "releaserevision", target.revision, "--subresource=status"),
        *("--type=merge", f"--patch={json.dumps(patch)}"),
    ]


MORE = (
    Attempt("delete the ReleaseRevision", _delete_revision),
    Attempt("delete the Deployment", _delete_deployment),
    Attempt("delete the Service", _delete_service),
    Attempt("add a debug container", _debug),
    Attempt("forward a port", _forward),
    Attempt("take a label off a Pod", _take_label),
    Attempt("take the label off the namespace", _open_namespace),
    Attempt("write a verdict", _write_verdict),
)


def test_every_attempt_is_refused_and_changes_nothing(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    users = shop.given_users()
    pods = _names(shop.release, v1.name)
    image = shop.manifest("v1")["spec"]["template"]["spec"]["containers"][0]["image"]
    for attempt in (*ATTEMPTS, *MORE):
        message = attempt.refusal(shop.release, v1.name, image)
        assert len(message.split()) > 5, f"{attempt.title}: a person is told too little: {message}"
    users.await_calm("v1")
    assert users.so_far().failed == 0
    assert _names(shop.release, v1.name) == pods
    assert shop.release.selected() == v1.name


def test_a_pod_without_the_labels_may_run_where_only_releases_are_enforced(
    kube: Kube, namespace: str, image_ref: str
) -> None:
    _await_account(kube, namespace)
    assert kube.create(_pod(namespace, image_ref))["metadata"]["name"] == "free"


@pytest.mark.enforce("all")
def test_where_all_is_enforced_nothing_but_releases_runs(shop: Shop, image_ref: str) -> None:
    _await_account(shop.kube, shop.namespace)
    with pytest.raises(Exception, match="only releases run in this namespace"):
        shop.kube.create(_pod(shop.namespace, image_ref))
    shop.given_serving("v1")


def test_breaking_the_glass_is_possible_and_leaves_a_trace(shop: Shop, cluster: Cluster) -> None:
    v1 = shop.given_serving("v1")
    pod = shop.release.pods(v1.name)[0]["metadata"]["name"]
    patch = json.dumps({"metadata": {"labels": {"immutablerelease.io/revision": "elsewhere"}}})
    _kubectl(shop, "patch", "pod", pod, "--type=merge", f"--patch={patch}")

    def trace() -> str | None:
        lines = cluster.audit_log.read_text(encoding="utf-8").splitlines()
        found = (line for line in reversed(lines) if "broke the glass" in line and pod in line)
        return next(found, None)

    assert shop.then("a trace in the audit log", trace)


def test_a_selector_that_was_changed_behind_the_glass_is_put_right(shop: Shop) -> None:
    v1 = shop.given_serving("v1")
    patch = json.dumps({"spec": {"selector": {"immutablerelease.io/revision": "elsewhere"}}})
    _kubectl(shop, "patch", "service", "shop", "--type=merge", f"--patch={patch}")
    shop.then_serves(v1)
    assert shop.event("RouteRestored")


def _kubectl(shop: Shop, *arguments: str) -> None:
    """As an admin who breaks the glass."""
    groups = (f"--as-group={BREAK_GLASS}", "--as-group=system:masters")
    command = ["kubectl", "--as=alice", *groups, "--namespace", shop.namespace, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def _await_account(kube: Kube, namespace: str) -> None:
    """Nobody makes a Pod before its controller has made the ServiceAccount of a new namespace."""

    def look() -> tuple[bool | None, str]:
        try:
            kube.request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        except KubeError as error:
            if error.status == 404:
                return None, str(error)
            raise
        return True, ""

    wait_for(f"the ServiceAccount of {namespace}", look, PATIENCE)


def _names(release: ReleaseView, revision: str) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in release.pods(revision))


def _pod(namespace: str, image: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "free", "namespace": namespace},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
