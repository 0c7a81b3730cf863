"""What Kubernetes and people must be able to do goes on undisturbed."""

import json

import pytest

from tests.api import manifests
from tests.api.enforcement.people import MASTER, OPERATOR_IN_ITS_POD, controller, mighty
from tests.api.enforcement.stage import (
    AGENT,
    AGENT_LABELS,
    LABELS,
    REVISION,
    TIMEOUT,
    Stage,
    bare_pod,
    create,
    enforced_namespace,
    release_into,
    workload,
)
from tests.api.kubectl import Kubectl, Refused
from tests.waiting import eventually

SELECTOR = ",".join(f"{key}={value}" for key, value in LABELS.items())
MADE = (
    "deployments,daemonsets,replicasets,pods,services,poddisruptionbudgets,httproutes,"
    "virtualservices,destinationrules,configmaps,secrets,releaserevisions"
)


def test_a_deployment_of_the_operator_rolls_out(stage: Stage) -> None:
    status = stage.kubectl.get(f"deployment/{REVISION}")["status"]
    assert status["availableReplicas"] == 2
    ready = "jsonpath={.endpoints[*].conditions.ready}"
    endpoints = ("get", f"endpointslice/{stage.slice}", "-o", ready)
    _await_output("true true", stage.kubectl, *endpoints)


def test_the_operator_scales_up_and_to_nothing(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    for replicas in (3, 0):
        _scale(kubectl, replicas)
        kubectl("rollout", "status", f"deployment/{REVISION}", TIMEOUT)
        kubectl(
            "wait", f"rs/{own_stage.replicaset}", f"--for=jsonpath={{.spec.replicas}}={replicas}"
        )
    kubectl("wait", "pod", "-l", SELECTOR, "--for=delete", TIMEOUT)


def test_the_operator_deletes_a_daemon_set_and_its_pods_go(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    selector = ",".join(f"{key}={value}" for key, value in AGENT_LABELS.items())
    assert kubectl("get", "pods", "-l", selector, "-o", "name")
    kubectl("delete", f"daemonset/{AGENT}", *OPERATOR_IN_ITS_POD)
    kubectl("wait", "pod", "-l", selector, "--for=delete", TIMEOUT)


def _scale(kubectl: Kubectl, replicas: int) -> None:
    """As the operator does it, which only ever writes the scale subresource."""
    patch = ("--subresource=scale", "-p", f"spec: {{replicas: {replicas}}}")
    kubectl("patch", f"deployment/{REVISION}", *patch, *mighty(OPERATOR_IN_ITS_POD))


def test_what_a_revision_owns_goes_with_it(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    kubectl("delete", f"releaserevision/{REVISION}", "--wait=false", *OPERATOR_IN_ITS_POD)
    of_revision = (f"deployment/{REVISION}", f"daemonset/{AGENT}", f"service/{REVISION}")
    for made in (*of_revision, f"rs/{own_stage.replicaset}"):
        kubectl("wait", made, "--for=delete", TIMEOUT)
    kubectl("wait", "pod", "-l", SELECTOR, "--for=delete", TIMEOUT)
    kubectl("get", "service/shop", "configmap/frozen")


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_what_a_release_owns_goes_with_it(own_stage: Stage, cascade: str) -> None:
    kubectl = own_stage.kubectl
    kubectl("delete", "immutablerelease/shop", f"--cascade={cascade}", "--wait=false", *MASTER)
    kubectl("wait", MADE, "-l", "immutablerelease.io/release=shop", "--for=delete", TIMEOUT)


def test_a_namespace_is_deleted_to_the_end(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    kubectl("delete", "namespace", kubectl.namespace, TIMEOUT, *MASTER)


def test_a_pod_is_evicted_and_replaced(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    _evict(kubectl, own_stage.pod)
    kubectl("wait", f"pod/{own_stage.pod}", "--for=delete", TIMEOUT)
    kubectl("rollout", "status", f"deployment/{REVISION}", TIMEOUT)


@pytest.mark.parametrize("replicas", [1, 2, 0])
def test_a_drain_comes_to_its_end_however_few_pods_there_are(
    own_stage: Stage, replicas: int
) -> None:
    kubectl = own_stage.kubectl
    names = kubectl("get", "pod", "-l", SELECTOR, "-o", "jsonpath={.items[*].metadata.name}")
    _scale(kubectl, replicas)
    left = set(names.split())
    # As `kubectl drain` does it: asked again until it is let.
    eventually(lambda: not _drained(kubectl, left), "a drain to end")
    assert kubectl("get", "poddisruptionbudget", REVISION), "it is there all the time"


def _drained(kubectl: Kubectl, left: set[str]) -> set[str]:
    """Names of Pods that are still to be evicted, after each was asked for once."""
    for name in sorted(left):
        try:
            _evict(kubectl, name)
        except Refused as error:
            if "NotFound" in str(error):
                left.discard(name)
            else:
                assert "disruption budget" in str(error)
    return left


def _evict(kubectl: Kubectl, pod: str) -> None:
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": kubectl.namespace},
    }
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "-f", "-", *MASTER, stdin=json.dumps(eviction))


def test_a_pod_is_deleted_and_replaced(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    kubectl("delete", f"pod/{own_stage.pod}", *MASTER)
    kubectl("rollout", "status", f"deployment/{REVISION}", TIMEOUT)


def test_a_pod_gets_annotations_and_labels_that_decide_nothing(stage: Stage) -> None:
    pod = f"pod/{stage.pod}"
    options = ("--overwrite", "--dry-run=server", *MASTER)
    stage.kubectl("annotate", pod, "controller.kubernetes.io/pod-deletion-cost=7", *options)
    stage.kubectl("label", pod, "team=shop", *options)


@pytest.mark.parametrize(
    "who",
    [
        "disruption-controller",
        "node-controller",
        "pod-garbage-collector",
        "resource-claim-controller",
    ],
)
def test_controllers_report_on_pods(stage: Stage, who: str) -> None:
    patch = "status: {message: reported}"
    options = ("--subresource=status", "--dry-run=server", *mighty(controller(who)))
    stage.kubectl("patch", f"pod/{stage.pod}", "-p", patch, *options)


def test_the_scheduler_reports_on_pods(stage: Stage) -> None:
    patch = "status: {message: reported}"
    who = mighty(("--as=system:kube-scheduler",))
    options = ("--subresource=status", "--dry-run=server", *who)
    stage.kubectl("patch", f"pod/{stage.pod}", "-p", patch, *options)


def test_a_load_balancer_reports_on_a_service(stage: Stage) -> None:
    """A finalizer and its status, both through the status subresource; labels it may not touch."""
    condition = {
        "type": "Balanced",
        "status": "True",
        "reason": "Balanced",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch = {
        "metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]},
        "status": {"conditions": [condition]},
    }
    who = mighty(controller("service-controller"))
    stage.kubectl.patch("service/shop", patch, "--subresource=status", "--dry-run=server", *who)


def test_a_gateway_reports_on_an_httproute(stage: Stage) -> None:
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    told = {
        "parentRef": {"name": "public"},
        "controllerName": "example.com/gateway",
        "conditions": [condition],
    }
    patch = {"status": {"parents": [told]}}
    options = ("--dry-run=server", *MASTER)
    stage.kubectl.patch("httproute/shop", patch, "--subresource=status", *options)
    # Some clean up behind themselves.
    finalizers = {"metadata": {"finalizers": ["example.com/gateway"]}}
    stage.kubectl.patch("httproute/shop", finalizers, *options)


def test_istio_reports_on_what_it_routes_by(stage: Stage) -> None:
    """Where an installation writes a status at all."""
    condition = {"type": "Reconciled", "status": "True"}
    patch = {"status": {"observedGeneration": 1, "conditions": [condition]}}
    options = ("--dry-run=server", *MASTER)
    for target in ("virtualservice/shop", f"destinationrule/{REVISION}"):
        stage.kubectl.patch(target, patch, "--subresource=status", *options)


def test_people_and_autoscalers_scale_the_release(own_stage: Stage) -> None:
    own_stage.kubectl("scale", "immutablerelease/shop", "--replicas=4", *MASTER)
    own_stage.kubectl(
        *("patch", "immutablerelease/shop", "--subresource=scale", "--type=merge"),
        *("-p", "spec: {replicas: 5}", *mighty(controller("horizontal-pod-autoscaler"))),
    )
    assert own_stage.kubectl.get("immutablerelease/shop")["spec"]["replicas"] == 5


def test_people_write_releases_and_actions(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    kubectl.apply(manifests.release("shop", spec__paused=True))
    create(kubectl, manifests.action("promote"))
    kubectl("delete", "releaseaction/promote", *MASTER)


def test_the_operator_reports_on_what_it_did(own_stage: Stage) -> None:
    kubectl = own_stage.kubectl
    for target, status in (
        ("immutablerelease/shop", f"activeRevision: {REVISION}"),
        (f"releaserevision/{REVISION}", "phase: Active"),
    ):
        options = ("--subresource=status", "--type=merge", *mighty(OPERATOR_IN_ITS_POD))
        kubectl("patch", target, "-p", f"status: {{{status}}}", *options)


def test_the_operator_moves_traffic(own_stage: Stage) -> None:
    patch = "spec: {selector: {immutablerelease.io/revision: shop-aaaaaaaaaa}}"
    own_stage.kubectl("patch", "service/shop", "-p", patch, *OPERATOR_IN_ITS_POD)
    # The endpoint controller follows.
    addresses = "jsonpath={.endpoints[*].addresses}"
    _await_output("", own_stage.kubectl, "get", f"endpointslice/{own_stage.slice}", "-o", addresses)


def test_the_operator_deletes_configuration_that_no_revision_names(own_stage: Stage) -> None:
    own_stage.kubectl("delete", "configmap/frozen", "secret/frozen", *OPERATOR_IN_ITS_POD)


def test_other_workloads_run_beside_releases(enforced: Kubectl) -> None:
    kubectl = enforced_namespace(enforced, "releases")
    release_into(kubectl)
    labels = {"app": "other"}
    create(kubectl, workload("Deployment", "other", labels))
    kubectl("rollout", "status", "deployment/other", TIMEOUT)
    kubectl("scale", "deployment/other", "--replicas=2", *MASTER)
    kubectl("set", "image", "deployment/other", "main=registry.example.com/other:2", *MASTER)
    kubectl("rollout", "status", "deployment/other", TIMEOUT)
    create(kubectl, bare_pod("alone", labels))
    kubectl("wait", "pod/alone", "--for=condition=Ready", TIMEOUT)
    kubectl("delete", "deployment/other", "pod/alone", *MASTER)
    kubectl("delete", "namespace", kubectl.namespace, "--wait=false")


def test_another_service_may_select_the_pods_of_a_release(stage: Stage) -> None:
    """It changes neither what runs nor where the release's own Service leads."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-of-shop"},
        "spec": {"selector": {"immutablerelease.io/release": "shop"}, "ports": [{"port": 9090}]},
    }
    manifest = json.dumps(service)
    stage.kubectl("create", "--dry-run=server", "-f", "-", *MASTER, stdin=manifest)


def _await_output(wanted: str, kubectl: Kubectl, *command: str) -> None:
    """Until a command prints what is wanted; `kubectl wait` cannot wait for nothing."""
    eventually(lambda: kubectl(*command) == wanted, f"{' '.join(command)} prints {wanted!r}", 30)
