"""etcd, the API server, the controller manager and the scheduler: their flags, and why.

Timings are those of a test bed: a controller that waits a minute by default waits seconds here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devcluster import access
from devcluster.files import write_json
from devcluster.layout import (
    API_SERVER_PORT,
    ETCD_PORT,
    KUBERNETES_SERVICE_ADDRESS,
    NODE_ADDRESS,
    SERVICE_RANGE,
    Layout,
)
from devcluster.part import ApiClient, Part, serves
from devcluster.pki import Authority

_ETCD = f"http://127.0.0.1:{ETCD_PORT}"
_ETCD_PEER = "http://127.0.0.1:2380"
_CONTROLLER_MANAGER_PORT = 10257
_SCHEDULER_PORT = 10259

_COMPONENTS = [
    "system:apiserver",
    "system:kube-scheduler",
    "system:kube-controller-manager",
    "system:kube-proxy",
]
_COMPONENT_GROUPS = ["system:nodes", "system:serviceaccounts:kube-system"]
_READS = ["get", "list", "watch"]

# Everything at level Metadata, which includes what admission policies annotate, but for the reads
# of the system's own parts: they are most of the traffic and say nothing about anybody.
AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": _COMPONENTS, "verbs": _READS},
        {"level": "None", "userGroups": _COMPONENT_GROUPS, "verbs": _READS},
        {"level": "Metadata"},
    ],
}


def etcd(layout: Layout, program: Path) -> Part:
    """The store. It does not sync its writes to disk: a machine crash may cost the cluster."""
    argv = [
        str(program),
        "--name=devcluster",
        f"--data-dir={layout.state_dir / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={_ETCD_PEER}",
        f"--initial-advertise-peer-urls={_ETCD_PEER}",
        f"--initial-cluster=devcluster={_ETCD_PEER}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    return Part("etcd", argv, serves(f"{_ETCD}/health"), ("127.0.0.1", ETCD_PORT))


def api_server(layout: Layout, authority: Authority, program: Path, client: ApiClient) -> Part:
    """The API server, with its audit log."""
    policy = layout.config / "audit-policy.json"
    write_json(policy, AUDIT_POLICY)
    argv = [
        str(program),
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0",
        f"--secure-port={API_SERVER_PORT}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        *_api_server_keys(authority),
        f"--audit-policy-file={policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=1024",
        # A restart is a kill: the lease of the one that is gone must not linger in the endpoints.
        "--endpoint-reconciler-type=lease",
    ]
    listens = ("0.0.0.0", API_SERVER_PORT)  # noqa: S104 - all addresses of a namespace of its own
    return Part("kube-apiserver", argv, client.check("/readyz"), listens)


def controller_manager(layout: Layout, authority: Authority, program: Path) -> Part:
    """The controllers, quick to see a node go and with enough workers for thousands of objects."""
    name = "kube-controller-manager"
    kubeconfig = access.write_component(layout, authority, name, user=f"system:{name}")
    serving = authority.server(name, addresses=("127.0.0.1",))
    argv = [
        str(program),
        f"--kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={authority.token_signer}",
        f"--root-ca-file={authority.certificate}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.folder / 'ca.key'}",
        "--node-monitor-period=1s",
        # Fake nodes beat every 20 to 45 s.
        "--node-monitor-grace-period=90s",
        "--horizontal-pod-autoscaler-sync-period=2s",
        "--concurrent-deployment-syncs=20",
        "--concurrent-replicaset-syncs=20",
        "--concurrent-service-endpoint-syncs=20",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
    check = serves(f"https://127.0.0.1:{_CONTROLLER_MANAGER_PORT}/healthz", authority)
    return Part(name, argv, check, ("127.0.0.1", _CONTROLLER_MANAGER_PORT))


def scheduler(layout: Layout, authority: Authority, program: Path) -> Part:
    """The scheduler."""
    name = "kube-scheduler"
    kubeconfig = access.write_component(layout, authority, name, user=f"system:{name}")
    serving = authority.server(name, addresses=("127.0.0.1",))
    argv = [
        str(program),
        f"--kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
    check = serves(f"https://127.0.0.1:{_SCHEDULER_PORT}/healthz", authority)
    return Part(name, argv, check, ("127.0.0.1", _SCHEDULER_PORT))


def _api_server_keys(authority: Authority) -> list[str]:
    serving = authority.server(
        "kube-apiserver",
        host_names=("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"),
        addresses=("127.0.0.1", NODE_ADDRESS, KUBERNETES_SERVICE_ADDRESS),
    )
    to_kubelet = authority.client(
        "kubelet-client", user="kube-apiserver-kubelet-client", group=access.ADMIN_GROUP
    )
    return [
        f"--client-ca-file={authority.certificate}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={authority.token_verifier}",
        f"--service-account-signing-key-file={authority.token_signer}",
        f"--kubelet-client-certificate={to_kubelet.certificate}",
        f"--kubelet-client-key={to_kubelet.key}",
        f"--kubelet-certificate-authority={authority.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
    ]
