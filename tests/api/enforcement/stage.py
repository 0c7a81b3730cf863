"""A release as the operator makes it, in a namespace of its own, with kwok's Pods behind it."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from tests.api import manifests
from tests.api.enforcement.people import MASTER, OPERATOR_IN_ITS_POD
from tests.api.kubectl import Kubectl
from tests.waiting import eventually

Manifest = dict[str, Any]

RELEASE = "shop"
REVISION = "shop-0123456789"
JOB = f"{REVISION}-smoke-0"
# A release has Deployments or DaemonSets; here it has one of either, for both to be attacked.
AGENT = "shop-abcdef0123"
LABELS = {"immutablerelease.io/release": RELEASE, "immutablerelease.io/revision": REVISION}
AGENT_LABELS = {**LABELS, "immutablerelease.io/revision": AGENT}
MANAGED = {"app.kubernetes.io/managed-by": "immutable-release-operator", **LABELS}
AGENT_MANAGED = {**MANAGED, **AGENT_LABELS}
DIGEST = f"registry.example.com/shop@{manifests.DIGEST}"
TIMEOUT = "--timeout=60s"
# kwok plays the kubelet of the fake nodes, under the name that devcluster gives it.
FAKE_KUBELET = "devcluster:kwok"


@dataclass(frozen=True)
class Stage:
    """A namespace in which a release runs, and the names of what it is made of."""

    kubectl: Kubectl
    pod: str
    replicaset: str
    slice: str

    @property
    def names(self) -> dict[str, str]:
        """What the table of attempts refers to."""
        return {
            "ns": self.kubectl.namespace,
            "pod": self.pod,
            "replicaset": self.replicaset,
            "slice": self.slice,
        }


def enforced_namespace(kubectl: Kubectl, mode: str) -> Kubectl:
    """A new namespace in which the policies are in force."""
    name = f"enforced-{secrets.token_hex(4)}"
    label = {"immutablerelease.io/enforce": mode}
    metadata = {"name": name, "labels": label}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    return kubectl.within(name)


def release_into(kubectl: Kubectl) -> Stage:
    """Do what the operator does for a release of two Pods, and wait until they are ready."""
    kubectl.apply(manifests.release(RELEASE))
    release_uid = kubectl.get(f"immutablerelease/{RELEASE}")["metadata"]["uid"]
    revision = manifests.revision(REVISION)
    revision["metadata"] |= _metadata(REVISION, "ImmutableRelease", RELEASE, release_uid)
    as_operator(kubectl, revision)
    revision_uid = kubectl.get(f"releaserevision/{REVISION}")["metadata"]["uid"]
    for name, kind, uid in (
        (RELEASE, "ImmutableRelease", release_uid),
        (REVISION, "ReleaseRevision", revision_uid),
    ):
        metadata = _metadata(name, kind, RELEASE if name == RELEASE else REVISION, uid)
        as_operator(kubectl, _service(metadata))
    route = _metadata(RELEASE, "ImmutableRelease", RELEASE, release_uid)
    as_operator(kubectl, http_route(route))
    as_operator(kubectl, virtual_service(route))
    subset = _metadata(REVISION, "ReleaseRevision", REVISION, revision_uid)
    as_operator(kubectl, destination_rule(subset))
    for kind in ("ConfigMap", "Secret"):
        frozen = _metadata("frozen", "ImmutableRelease", RELEASE, release_uid)
        as_operator(
            kubectl, {"apiVersion": "v1", "kind": kind, "metadata": frozen, "immutable": True}
        )
    as_operator(kubectl, deployment(owner=revision_uid))
    made = job(JOB, LABELS, {"immutablerelease.io/job": REVISION})
    made["metadata"] = _metadata(JOB, "ReleaseRevision", REVISION, revision_uid)
    as_operator(kubectl, made)
    as_operator(kubectl, daemon_set(owner=revision_uid))
    kubectl("rollout", "status", f"deployment/{REVISION}", TIMEOUT)
    kubectl("wait", f"job/{JOB}", "--for=condition=Complete", TIMEOUT)
    eventually(lambda: _on_every_node(kubectl), "the DaemonSet runs on every node", 60)
    as_operator(kubectl, budget(_metadata(REVISION, "ReleaseRevision", REVISION, revision_uid)))
    await_disruptions(kubectl, 1)
    selector = ",".join(f"{key}={value}" for key, value in LABELS.items())
    names = "jsonpath={.items[0].metadata.name}"
    pod = kubectl("get", "pod", "-l", selector, "-o", names)
    _report_resources(kubectl, pod)
    of_service = f"kubernetes.io/service-name={RELEASE}"
    kubectl("wait", "endpointslice", "-l", of_service, "--for=create", TIMEOUT)
    return Stage(
        kubectl,
        pod=pod,
        replicaset=kubectl("get", "replicaset", "-l", selector, "-o", names),
        slice=kubectl("get", "endpointslice", "-l", of_service, "-o", names),
    )


def _report_resources(kubectl: Kubectl, pod: str) -> None:
    """What a kubelet reports and kwok does not; without it nobody may resize the Pod."""
    container = {"name": "main", "resources": {"requests": {"cpu": "10m"}}}
    patch = json.dumps({"status": {"containerStatuses": [container]}})
    who = (f"--as={FAKE_KUBELET}", "--as-group=system:masters")
    kubectl("patch", f"pod/{pod}", "--subresource=status", "-p", patch, *who)


def as_operator(kubectl: Kubectl, manifest: Manifest) -> None:
    """Create as the operator does, with its own identity and permissions."""
    create(kubectl, manifest, *OPERATOR_IN_ITS_POD)


def create(kubectl: Kubectl, manifest: Manifest, *who: str) -> None:
    """Create an object, as an admin unless told otherwise."""
    kubectl("create", "-f", "-", *(who or MASTER), stdin=json.dumps(manifest))


def pod_template(labels: dict[str, str], image: str = DIGEST) -> Manifest:
    """Pods that any node takes, the fake ones too."""
    return {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [
                {"name": "main", "image": image, "resources": {"requests": {"cpu": "10m"}}}
            ],
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 0,
        },
    }


def workload(kind: str, name: str, labels: dict[str, str], **spec: Any) -> Manifest:
    """A workload of the group apps whose Pods carry the labels."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": pod_template(labels), **spec},
    }


def job(name: str, labels: dict[str, str], pod_labels: dict[str, str]) -> Manifest:
    """A Job with these labels, whose Pod has those."""
    template = pod_template(pod_labels)
    template["spec"]["restartPolicy"] = "Never"
    # kwok ends Pods of Jobs by itself.
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {"backoffLimit": 0, "template": template},
    }


def deployment(owner: str) -> Manifest:
    """The Deployment of the revision, owned by the ReleaseRevision with that uid."""
    made = workload("Deployment", REVISION, LABELS, replicas=2, revisionHistoryLimit=0)
    made["metadata"] = _metadata(REVISION, "ReleaseRevision", REVISION, owner)
    made["spec"]["template"]["metadata"]["labels"] = MANAGED
    return made


def daemon_set(owner: str) -> Manifest:
    """The DaemonSet of a revision, owned by the ReleaseRevision with that uid."""
    made = workload("DaemonSet", AGENT, AGENT_LABELS, updateStrategy={"type": "OnDelete"})
    made["metadata"] = _metadata(AGENT, "ReleaseRevision", REVISION, owner)
    made["metadata"]["labels"] = made["spec"]["template"]["metadata"]["labels"] = AGENT_MANAGED
    return made


def _on_every_node(kubectl: Kubectl) -> bool:
    status = kubectl.get(f"daemonset/{AGENT}").get("status") or {}
    nodes = status.get("desiredNumberScheduled", 0)
    return bool(nodes > 0 and status.get("numberReady") == nodes)


def bare_pod(name: str, labels: dict[str, str], **metadata: Any) -> Manifest:
    """A Pod that comes from no workload, unless the metadata says so."""
    template = pod_template(labels)
    template["metadata"] |= {"name": name, **metadata}
    return {"apiVersion": "v1", "kind": "Pod", **template}


def _service(metadata: Manifest) -> Manifest:
    spec = {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def budget(metadata: Manifest) -> Manifest:
    """What a drain of nodes may take of the revision."""
    spec = {
        "selector": {"matchLabels": LABELS},
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    kind = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    return {**kind, "metadata": metadata, "spec": spec}


def await_disruptions(kubectl: Kubectl, allowed: int) -> None:
    """Wait until so many Pods of the revision may be evicted."""
    state = f"--for=jsonpath={{.status.disruptionsAllowed}}={allowed}"
    kubectl("wait", f"poddisruptionbudget/{REVISION}", state, TIMEOUT)


def http_route(metadata: Manifest) -> Manifest:
    """What a gateway routes by."""
    backend = {"name": REVISION, "port": 80, "weight": 100}
    spec = {"parentRefs": [{"name": "public"}], "rules": [{"backendRefs": [backend]}]}
    version = "gateway.networking.k8s.io/v1"
    return {"apiVersion": version, "kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def virtual_service(metadata: Manifest) -> Manifest:
    """What a mesh routes by."""
    route = [{"destination": {"host": REVISION, "subset": REVISION}, "weight": 100}]
    spec = {"hosts": [RELEASE], "gateways": ["mesh"], "http": [{"route": route}]}
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    return {**kind, "metadata": metadata, "spec": spec}


def destination_rule(metadata: Manifest) -> Manifest:
    """What the route of a mesh leads to."""
    spec = {"host": REVISION, "subsets": [{"name": REVISION, "labels": LABELS}]}
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule"}
    return {**kind, "metadata": metadata, "spec": spec}


def _metadata(name: str, kind: str, owner: str, uid: str) -> Manifest:
    reference = {
        "apiVersion": "immutablerelease.io/v1alpha1",
        "kind": kind,
        "name": owner,
        "uid": uid,
        "controller": True,
    }
    return {"name": name, "labels": MANAGED, "ownerReferences": [reference]}
