"""What people try on a release, row by row of the table in docs/enforcement.md.

Each attempt is a command line of kubectl, with `$pod`, `$replicaset`, `$slice` and `$ns` for the
names of the release at hand, and the policy that must refuse it.
"""

import json
import shlex
from dataclasses import dataclass, field
from string import Template
from typing import Any

from tests.api import manifests
from tests.api.enforcement.people import OPERATOR_IN_ITS_POD, Who, controller, mighty
from tests.api.enforcement.stage import (
    AGENT,
    AGENT_LABELS,
    JOB,
    LABELS,
    REVISION,
    bare_pod,
    budget,
    destination_rule,
    http_route,
    job,
    pod_template,
    virtual_service,
    workload,
)
from tests.api.kubectl import Kubectl

D = f"deployment/{REVISION}"
DS = f"daemonset/{AGENT}"
ROUTE = "httproute/shop"
MESH_ROUTE = "virtualservice/shop"
SUBSET = f"destinationrule/{REVISION}"
BUDGET = f"poddisruptionbudget/{REVISION}"
HIJACK = {"app": "hijack"}


@dataclass(frozen=True)
class Attempt:
    """A request that must be refused."""

    row: str
    what: str
    policy: str
    command: str
    stdin: Any = None
    # Whose identity it takes; without it, that of an admin.
    who: Who = ()
    # Commands that have no dry run are really carried out when nothing refuses them.
    dry_run: bool = field(default=True)

    def __str__(self) -> str:
        return f"{self.row} {self.what}"

    def run(self, kubectl: Kubectl, names: dict[str, str], who: Who) -> str:
        """Try it as somebody; raises Refused when the API server says no."""
        command = shlex.split(Template(self.command).substitute(names))
        stdin = "" if self.stdin is None else json.dumps(self.stdin)
        if self.stdin is not None:
            command += ["-f", "-"]
        if self.dry_run and "--raw" not in command:
            command.append("--dry-run=server")
        text = Template(stdin).substitute(names)
        # Who asks comes first: what follows `--` is for the container.
        return kubectl(*(self.who or who), *command, stdin=text)


def _labelled(kind: str) -> Any:
    metadata = {"name": "forged", "labels": LABELS}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def _owned_by(kind: str) -> list[dict[str, Any]]:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "x", "controller": True}
    return [reference]


def _hidden_claim(kind: str) -> Any:
    """A workload that does not look like the release's, whose Pods would get its traffic."""
    made = workload(kind, "hijack", HIJACK)
    made["spec"]["template"]["metadata"]["labels"] = {**HIJACK, **LABELS}
    return made


_BINDING = {
    "apiVersion": "v1",
    "kind": "Binding",
    "metadata": {"name": "$pod", "labels": LABELS},
    "target": {"kind": "Node", "name": "nowhere"},
}
_SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "forged", "labels": {"kubernetes.io/service-name": "shop"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["198.51.100.7"]}],
    "ports": [{"name": "http", "port": 8080}],
}
_JOB_POD = {"immutablerelease.io/job": REVISION}
_SERVICE = {**_labelled("Service"), "spec": {"ports": [{"port": 80}]}}
_TRUSTED_TEMPLATE = "spec: {template: {spec: {containers: [{name: main, image: 'evil:1'}]}}}"

# In namespaces of either mode.
ON_A_RELEASE = [
    Attempt("1", "set the image of the Deployment", "deployments", f"set image {D} main=evil:1"),
    Attempt("1", "restart the rollout", "deployments", f"rollout restart {D}", dry_run=False),
    Attempt("1", "pause the Deployment", "deployments", f"patch {D} -p 'spec: {{paused: true}}'"),
    Attempt(
        "1",
        "change the strategy",
        "deployments",
        f"patch {D} -p 'spec: {{strategy: {{type: Recreate, rollingUpdate: null}}}}'",
    ),
    Attempt(
        "1",
        "set replicas past the scale subresource",
        "deployments",
        f"patch {D} -p 'spec: {{replicas: 0}}'",
    ),
    Attempt(
        "1",
        "take over the template by server-side apply",
        "deployments",
        "apply --server-side --force-conflicts",
        workload("Deployment", REVISION, LABELS),
    ),
    Attempt(
        "1",
        "change the template as the operator",
        "deployments",
        f"patch {D} -p '{_TRUSTED_TEMPLATE}'",
        who=mighty(OPERATOR_IN_ITS_POD),
    ),
    Attempt(
        "1",
        "create a Deployment with the labels of the release",
        "deployments",
        "create",
        workload("Deployment", "hijack", LABELS),
    ),
    Attempt(
        "1",
        "create a Deployment whose Pods alone carry the labels",
        "deployments",
        "create",
        _hidden_claim("Deployment"),
    ),
    Attempt("1", "set the image of the DaemonSet", "daemonsets", f"set image {DS} main=evil:1"),
    Attempt("1", "restart the DaemonSet", "daemonsets", f"rollout restart {DS}", dry_run=False),
    Attempt(
        "1",
        "take over the template of the DaemonSet by server-side apply",
        "daemonsets",
        "apply --server-side --force-conflicts",
        workload("DaemonSet", AGENT, AGENT_LABELS),
    ),
    Attempt(
        "1",
        "change the template of the DaemonSet as the operator",
        "daemonsets",
        f"patch {DS} -p '{_TRUSTED_TEMPLATE}'",
        who=mighty(OPERATOR_IN_ITS_POD),
    ),
    Attempt(
        "1",
        "have the DaemonSet replace its Pods",
        "daemonsets",
        f"patch {DS} -p 'spec: {{updateStrategy: {{type: RollingUpdate}}}}'",
    ),
    Attempt(
        "1",
        "create a DaemonSet with the labels of the release",
        "daemonsets",
        "create",
        workload("DaemonSet", "hijack", LABELS),
    ),
    Attempt(
        "1",
        "create a DaemonSet whose Pods alone carry the labels",
        "daemonsets",
        "create",
        _hidden_claim("DaemonSet"),
    ),
    Attempt(
        "2", "set the image of the ReplicaSet", "replicasets", "set image rs/$replicaset *=e:1"
    ),
    Attempt(
        "2",
        "change its template as the Deployment controller",
        "replicasets",
        f"patch rs/$replicaset -p '{_TRUSTED_TEMPLATE}'",
        who=mighty(controller("deployment-controller")),
    ),
    Attempt(
        "2",
        "create a ReplicaSet with the labels of the release",
        "replicasets",
        "create",
        workload("ReplicaSet", "hijack", LABELS),
    ),
    Attempt(
        "2",
        "create a ReplicaSet whose Pods alone carry the labels",
        "replicasets",
        "create",
        _hidden_claim("ReplicaSet"),
    ),
    Attempt(
        "2",
        "create a ReplicaSet of no Deployment as the Deployment controller",
        "replicasets",
        "create",
        workload("ReplicaSet", "hijack", LABELS),
        who=mighty(controller("deployment-controller")),
    ),
    Attempt("2", "delete the ReplicaSet", "replicasets", "delete rs/$replicaset"),
    Attempt("3", "set the image of a Pod", "running-pods", "set image pod/$pod main=evil:1"),
    Attempt(
        "3",
        "give a Pod a deadline",
        "running-pods",
        "patch pod/$pod -p 'spec: {activeDeadlineSeconds: 1}'",
    ),
    Attempt(
        "4",
        "resize a Pod",
        "running-pods",
        "patch pod/$pod --subresource=resize"
        " -p 'spec: {containers: [{name: main, resources: {requests: {cpu: 1m}}}]}'",
    ),
    Attempt(
        "5",
        "add a debug container",
        "running-pods",
        "debug pod/$pod --image=busybox --profile=general",
        dry_run=False,
    ),
    Attempt("6", "exec", "connect", "exec $pod -- true", dry_run=False),
    Attempt("6", "attach", "connect", "attach $pod", dry_run=False),
    Attempt("6", "forward a port", "connect", "port-forward $pod :8080", dry_run=False),
    Attempt(
        "6",
        "reach a Pod through the proxy",
        "connect",
        "get --raw /api/v1/namespaces/$ns/pods/$pod:8080/proxy/",
        dry_run=False,
    ),
    Attempt(
        "6",
        "reach a Service through the proxy",
        "connect",
        "get --raw /api/v1/namespaces/$ns/services/shop:http/proxy/",
        dry_run=False,
    ),
    Attempt(
        "9",
        "detach a Pod from its revision",
        "running-pods",
        "label pod/$pod immutablerelease.io/revision=other --overwrite",
    ),
    Attempt(
        "9",
        "take a Pod out of the release",
        "running-pods",
        "label pod/$pod immutablerelease.io/release-",
    ),
    Attempt(
        "9", "detach a Pod from its ReplicaSet", "running-pods", "label pod/$pod pod-template-hash-"
    ),
    Attempt(
        "9",
        "strip the owner of a Pod",
        "running-pods",
        "patch pod/$pod --type=merge -p 'metadata: {ownerReferences: null}'",
    ),
    Attempt(
        "9",
        "hold a Pod by a finalizer",
        "running-pods",
        "patch pod/$pod -p 'metadata: {finalizers: [example.com/hold]}'",
    ),
    Attempt(
        "9",
        "label a Pod by the binding that places it",
        "bindings",
        "create --raw /api/v1/namespaces/$ns/pods/$pod/binding?dryRun=All",
        _BINDING,
    ),
    Attempt(
        "9",
        "label a Pod by a binding of the namespace",
        "bindings",
        "create --raw /api/v1/namespaces/$ns/bindings?dryRun=All",
        _BINDING,
    ),
    Attempt(
        "10",
        "create a Pod with the labels of the release",
        "pods",
        "create",
        bare_pod("hijack", LABELS),
    ),
    Attempt(
        "10",
        "create a Pod with a forged owner",
        "pods",
        "create",
        bare_pod("hijack", LABELS, ownerReferences=_owned_by("ReplicaSet")),
    ),
    Attempt(
        "10",
        "create a Pod of no ReplicaSet as its controller",
        "pods",
        "create",
        bare_pod("hijack", LABELS, ownerReferences=_owned_by("Job")),
        who=controller("replicaset-controller"),
    ),
    Attempt(
        "10",
        "create a Pod of a ReplicaSet as the DaemonSet controller",
        "pods",
        "create",
        bare_pod("hijack", LABELS, ownerReferences=_owned_by("ReplicaSet")),
        who=controller("daemon-set-controller"),
    ),
    Attempt(
        "10",
        "create a Pod of a DaemonSet as somebody",
        "pods",
        "create",
        bare_pod("hijack", LABELS, ownerReferences=_owned_by("DaemonSet")),
    ),
    Attempt(
        "10",
        "create a Pod of the release as another controller",
        "pods",
        "create",
        bare_pod("hijack", LABELS, ownerReferences=_owned_by("ReplicaSet")),
        who=controller("statefulset-controller"),
    ),
    Attempt(
        "10",
        "create a Pod with the label of a probe's job",
        "pods",
        "create",
        bare_pod("hijack", _JOB_POD),
    ),
    Attempt(
        "10",
        "create a Pod of no Job as the controller of Jobs",
        "pods",
        "create",
        bare_pod("hijack", _JOB_POD, ownerReferences=_owned_by("ReplicaSet")),
        who=controller("job-controller"),
    ),
    Attempt(
        "10",
        "have a Job make Pods that get traffic",
        "pods",
        "create",
        bare_pod("hijack", LABELS, ownerReferences=_owned_by("Job")),
        who=controller("job-controller"),
    ),
    Attempt("24", "create a Job of the release", "jobs", "create", job("forged", LABELS, {})),
    Attempt(
        "24",
        "create a Job whose Pods look like a probe's",
        "jobs",
        "create",
        job("forged", HIJACK, _JOB_POD),
    ),
    Attempt(
        "24",
        "create a Job whose Pods would get traffic",
        "jobs",
        "create",
        job("forged", HIJACK, LABELS),
    ),
    Attempt("24", "delete the Job of a probe", "jobs", f"delete job/{JOB}"),
    Attempt(
        "24",
        "give the Job of a probe more time",
        "jobs",
        f"patch job/{JOB} --type=merge -p 'spec: {{activeDeadlineSeconds: 9999}}'",
    ),
    Attempt(
        "19",
        "call the Job of a probe complete",
        "workload-status",
        f"patch job/{JOB} --subresource=status --type=merge -p 'status: {{succeeded: 1}}'",
    ),
    Attempt(
        "11",
        "point the Service elsewhere",
        "services",
        "patch service/shop -p 'spec: {selector: {immutablerelease.io/revision: other}}'",
    ),
    Attempt(
        "11",
        "change a port of the Service",
        "services",
        "patch service/shop --type=json"
        """ -p '[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 22}]'""",
    ),
    Attempt(
        "11",
        "give the Service an external address",
        "services",
        "patch service/shop -p 'spec: {externalIPs: [198.51.100.7]}'",
    ),
    Attempt(
        "11",
        "publish addresses that are not ready",
        "services",
        "patch service/shop -p 'spec: {publishNotReadyAddresses: true}'",
    ),
    Attempt(
        "11",
        "rewrite the record of the route",
        "services",
        "annotate service/shop immutablerelease.io/route={} --overwrite",
    ),
    Attempt(
        "11",
        "rewrite the record of the route through the status",
        "services",
        "patch service/shop --subresource=status"
        " -p 'metadata: {annotations: {immutablerelease.io/route: x}}'",
    ),
    Attempt("11", "delete the Service", "services", "delete service/shop"),
    Attempt("11", "create a Service of the release", "services", "create", _SERVICE),
    Attempt("11", "delete the Service of a revision", "services", f"delete service/{REVISION}"),
    Attempt(
        "11",
        "point the Service of a revision elsewhere",
        "services",
        f"patch service/{REVISION}"
        " -p 'spec: {selector: {immutablerelease.io/revision: other}}'",
    ),
    Attempt(
        "11",
        "send requests elsewhere",
        "httproutes",
        f"patch {ROUTE} --type=merge"
        " -p 'spec: {rules: [{backendRefs: [{name: evil, port: 80}]}]}'",
    ),
    Attempt(
        "11",
        "rewrite the record of the HTTPRoute",
        "httproutes",
        f"annotate {ROUTE} immutablerelease.io/route={{}} --overwrite",
    ),
    Attempt(
        "11",
        "take the HTTPRoute out of the release",
        "httproutes",
        f"label {ROUTE} immutablerelease.io/release-",
    ),
    Attempt("11", "delete the HTTPRoute", "httproutes", f"delete {ROUTE}"),
    Attempt(
        "11",
        "create an HTTPRoute of the release",
        "httproutes",
        "create",
        http_route({"name": "forged", "labels": LABELS}),
    ),
    Attempt(
        "11",
        "send requests of a mesh elsewhere",
        "istio",
        f"patch {MESH_ROUTE} --type=merge"
        " -p 'spec: {http: [{route: [{destination: {host: evil}}]}]}'",
    ),
    Attempt(
        "11",
        "rewrite the record of the VirtualService",
        "istio",
        f"annotate {MESH_ROUTE} immutablerelease.io/route={{}} --overwrite",
    ),
    Attempt(
        "11",
        "take the VirtualService out of the release",
        "istio",
        f"label {MESH_ROUTE} immutablerelease.io/release-",
    ),
    Attempt("11", "delete the VirtualService", "istio", f"delete {MESH_ROUTE}"),
    Attempt(
        "11",
        "create a VirtualService of the release",
        "istio",
        "create",
        virtual_service({"name": "forged", "labels": LABELS}),
    ),
    Attempt(
        "11",
        "widen the subset of a revision",
        "istio",
        f"patch {SUBSET} --type=merge"
        f" -p 'spec: {{subsets: [{{name: {REVISION}, labels: {{app: evil}}}}]}}'",
    ),
    Attempt(
        "11",
        "strip the DestinationRule of its owner",
        "istio",
        f"patch {SUBSET} --type=merge -p 'metadata: {{ownerReferences: []}}'",
    ),
    Attempt("11", "delete the DestinationRule", "istio", f"delete {SUBSET}"),
    Attempt(
        "11",
        "create a DestinationRule of the release",
        "istio",
        "create",
        destination_rule({"name": "forged", "labels": LABELS}),
    ),
    Attempt(
        "11",
        "let a drain take all of it",
        "disruption",
        f"patch {BUDGET} --type=merge -p 'spec: {{maxUnavailable: 100%}}'",
    ),
    Attempt(
        "11",
        "take the budget out of the release through the status",
        "disruption",
        f"patch {BUDGET} --subresource=status --type=merge"
        " -p 'metadata: {labels: {immutablerelease.io/release: null}}'",
    ),
    Attempt("11", "delete the budget", "disruption", f"delete {BUDGET}"),
    Attempt(
        "11",
        "create a budget that keeps every node",
        "disruption",
        "create",
        budget({"name": "forged", "labels": LABELS}),
    ),
    Attempt("12", "add a slice of endpoints", "endpoints", "create", _SLICE),
    Attempt(
        "12",
        "put an address into a slice",
        "endpoints",
        "patch endpointslice/$slice --type=merge -p 'endpoints: [{addresses: [198.51.100.7]}]'",
    ),
    Attempt(
        "12",
        "rename the Service of a slice",
        "endpoints",
        "label endpointslice/$slice kubernetes.io/service-name=other --overwrite",
    ),
    Attempt("12", "delete a slice", "endpoints", "delete endpointslice/$slice"),
    Attempt(
        "12",
        "put an address into Endpoints",
        "endpoints",
        "patch endpoints/shop --type=merge"
        " -p 'subsets: [{addresses: [{ip: 198.51.100.7}], ports: [{port: 80}]}]'",
    ),
    Attempt("13", "scale the Deployment", "scale", f"scale {D} --replicas=0"),
    Attempt("13", "scale the ReplicaSet", "scale", "scale rs/$replicaset --replicas=0"),
    Attempt(
        "13",
        "scale the Deployment as the autoscaler",
        "scale",
        f"patch {D} --subresource=scale -p 'spec: {{replicas: 5}}'",
        who=mighty(controller("horizontal-pod-autoscaler")),
    ),
    Attempt("14", "delete frozen configuration", "frozen-config", "delete configmap/frozen"),
    Attempt("14", "delete a frozen Secret", "frozen-config", "delete secret/frozen"),
    Attempt(
        "14",
        "take frozen configuration out of the release",
        "frozen-config",
        "label configmap/frozen immutablerelease.io/release-",
    ),
    Attempt("14", "forge frozen configuration", "frozen-config", "create", _labelled("ConfigMap")),
    Attempt("14", "forge a frozen Secret", "frozen-config", "create", _labelled("Secret")),
    Attempt("18", "delete the Deployment", "deployments", f"delete {D}"),
    Attempt("18", "delete the DaemonSet", "daemonsets", f"delete {DS}"),
    Attempt(
        "18",
        "strip the owner of the DaemonSet",
        "daemonsets",
        f"patch {DS} --type=merge -p 'metadata: {{ownerReferences: null}}'",
    ),
    Attempt("18", "delete all Deployments", "deployments", "delete deployments --all"),
    Attempt(
        "18",
        "strip the owner of the Deployment",
        "deployments",
        f"patch {D} --type=merge -p 'metadata: {{ownerReferences: null}}'",
    ),
    Attempt(
        "18",
        "hold the Deployment by a finalizer",
        "deployments",
        f"patch {D} -p 'metadata: {{finalizers: [example.com/hold]}}'",
    ),
    Attempt(
        "18",
        "strip the owner of the ReplicaSet",
        "replicasets",
        "patch rs/$replicaset --type=merge -p 'metadata: {ownerReferences: null}'",
    ),
    Attempt(
        "18",
        "delete the release and leave its Pods behind",
        "releases",
        "delete immutablerelease/shop --cascade=orphan",
    ),
    Attempt(
        "18",
        "have a later deletion of the release leave its Pods behind",
        "releases",
        "patch immutablerelease/shop --type=merge -p 'metadata: {finalizers: [orphan]}'",
    ),
    Attempt("18", "delete a ReleaseRevision", "revisions", f"delete releaserevision/{REVISION}"),
    Attempt(
        "18",
        "take a ReleaseRevision from its release",
        "revisions",
        f"patch releaserevision/{REVISION} --type=merge -p 'metadata: {{ownerReferences: null}}'",
    ),
    Attempt(
        "18",
        "record a ReleaseRevision",
        "revisions",
        "create",
        manifests.revision("shop-aaaaaaaaaa"),
    ),
    Attempt(
        "19",
        "call a Pod unready",
        "workload-status",
        "patch pod/$pod --subresource=status"
        " -p 'status: {conditions: [{type: Ready, status: \"False\"}]}'",
    ),
    Attempt(
        "19",
        "call a Deployment available",
        "workload-status",
        f"patch {D} --subresource=status"
        " -p 'status: {replicas: 2, readyReplicas: 2, availableReplicas: 2}'",
    ),
    Attempt(
        "19",
        "say that no node is to have the DaemonSet",
        "workload-status",
        f"patch {DS} --subresource=status -p 'status: {{desiredNumberScheduled: 0}}'",
    ),
    Attempt(
        "19",
        "call a ReplicaSet ready",
        "workload-status",
        "patch rs/$replicaset --subresource=status -p 'status: {readyReplicas: 2}'",
    ),
    Attempt(
        "19",
        "name another active revision",
        "verdicts",
        "patch immutablerelease/shop --subresource=status --type=merge"
        " -p 'status: {activeRevision: other}'",
    ),
    Attempt(
        "19",
        "call a ReleaseRevision active",
        "verdicts",
        f"patch releaserevision/{REVISION} --subresource=status --type=merge"
        " -p 'status: {phase: Active}'",
    ),
    Attempt(
        "opt-out",
        "remove the label of the namespace",
        "enforce-label",
        "label namespace/$ns immutablerelease.io/enforce-",
    ),
    Attempt(
        "opt-out",
        "misspell the label of the namespace",
        "enforce-label",
        "label namespace/$ns immutablerelease.io/enforce=off --overwrite",
    ),
    Attempt(
        "opt-out",
        "remove the label through the status of the namespace",
        "enforce-label",
        "patch namespace/$ns --subresource=status --type=merge"
        " -p 'metadata: {labels: {immutablerelease.io/enforce: null}}'",
    ),
    Attempt(
        "opt-out",
        "remove the label by finalizing the namespace",
        "enforce-label",
        "replace --raw /api/v1/namespaces/$ns/finalize?dryRun=All",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "$ns"}},
    ),
]


def _job() -> Any:
    template = pod_template({})
    template["spec"]["restartPolicy"] = "Never"
    metadata = {"name": "foreign"}
    spec = {"template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _cron_job() -> Any:
    spec = {"schedule": "0 0 * * *", "jobTemplate": {"spec": _job()["spec"]}}
    metadata = {"name": "foreign"}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


def _replication_controller() -> Any:
    spec = {"selector": {"app": "x"}, "template": pod_template({"app": "x"})}
    metadata = {"name": "foreign"}
    kind = "ReplicationController"
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


def _tagged(**spec: Any) -> Any:
    """A Pod as the ReplicaSet controller would create it, with something not named by digest."""
    made = bare_pod("tagged", LABELS, ownerReferences=_owned_by("ReplicaSet"))
    made["spec"] |= spec
    return made


_TAGGED = {"name": "tagged", "image": "registry.example.com/sidecar:1"}
_DIGESTED = {"name": "main", "image": f"registry.example.com/shop@{manifests.DIGEST}"}

# In namespaces of mode `all`, on top of the above.
ON_ALL_ELSE = [
    *(
        Attempt("all", f"run a foreign {made['kind']}", "only-releases", "create", made)
        for made in (
            bare_pod("foreign", {"app": "x"}),
            workload("Deployment", "foreign", {"app": "x"}),
            workload("ReplicaSet", "foreign", {"app": "x"}),
            workload("StatefulSet", "foreign", {"app": "x"}, serviceName="x"),
            workload("DaemonSet", "foreign", {"app": "x"}),
            _job(),
            _cron_job(),
            _replication_controller(),
        )
    ),
    Attempt(
        "all",
        "run a foreign Deployment as the operator",
        "only-releases",
        "create",
        workload("Deployment", "foreign", {"app": "x"}),
        who=OPERATOR_IN_ITS_POD,
    ),
    Attempt(
        "15",
        "run a sidecar by tag",
        "only-digests",
        "create",
        _tagged(containers=[_DIGESTED, _TAGGED]),
        who=controller("replicaset-controller"),
    ),
    Attempt(
        "15",
        "run an init container by tag",
        "only-digests",
        "create",
        _tagged(initContainers=[_TAGGED]),
        who=controller("replicaset-controller"),
    ),
    Attempt(
        "15",
        "mount an image by tag",
        "only-digests",
        "create",
        _tagged(volumes=[{"name": "files", "image": {"reference": "registry.example.com/f:1"}}]),
        who=controller("replicaset-controller"),
    ),
    Attempt(
        "opt-out",
        "weaken the label of the namespace",
        "enforce-label",
        "label namespace/$ns immutablerelease.io/enforce=releases --overwrite",
    ),
]
