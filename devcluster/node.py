"""The real node: containerd, kubelet and kube-proxy, all below the state directory."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from devcluster import access
from devcluster.cgroups import Group
from devcluster.files import write_json, write_text
from devcluster.images import PAUSE
from devcluster.layout import NODE_ADDRESS, POD_RANGE, REGISTRY, REGISTRY_WITH_REFERRERS, Layout
from devcluster.part import Check, Part, serves
from devcluster.pki import Authority

_PLUGINS = "/usr/lib/cni"
_KUBELET_PORT = 10250
_KUBELET_HEALTH_PORT = 10248
_KUBE_PROXY_HEALTH_PORT = 10256

# containerd 1.6 to 2.x read version 2. `restrict_oom_score_adj`: where the machine does not let
# even root lower a score, runc would fail to start every container.
_CONTAINERD = """\
version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{runc}"
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{networks}"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{mirrors}"
"""


def network_name(cluster: str) -> str:
    """The name of the pods' network; what its plugins leave on the machine starts with it."""
    return f"devcluster-{cluster}"


def containerd(layout: Layout, snapshotter: str) -> Part:
    """The container runtime, pulling from both registries over plain http."""
    config = layout.config / "containerd.toml"
    networks = layout.config / "cni"
    mirrors = layout.config / "registries"
    write_json(networks / "10-pods.conflist", _pod_network(layout))
    for registry in (REGISTRY, REGISTRY_WITH_REFERRERS, *_at_node_address()):
        # containerd 1.6 believes a lone `server` only for loopback addresses.
        hosts = f'server = "http://{registry}"\n\n[host."http://{registry}"]\n'
        write_text(mirrors / registry / "hosts.toml", hosts)
    write_text(
        config,
        _CONTAINERD.format(
            root=layout.containerd / "root",
            state=layout.containerd / "state",
            socket=layout.containerd_socket,
            runc=layout.containerd / "runc",
            pause=PAUSE,
            snapshotter=snapshotter,
            plugins=_PLUGINS,
            networks=networks,
            mirrors=mirrors,
        ),
    )
    argv = ["containerd", f"--config={config}", "--log-level=warn"]
    return Part("containerd", argv, _listens(layout.containerd_socket))


def kubelet(layout: Layout, authority: Authority, program: Path, group: Group) -> Part:
    """The kubelet, quick to notice and to retry."""
    kubeconfig = access.write_component(
        layout,
        authority,
        "kubelet",
        user=f"system:node:{layout.node_name}",
        group="system:nodes",
    )
    serving = authority.server(
        "kubelet", host_names=(layout.node_name,), addresses=(NODE_ADDRESS, "127.0.0.1")
    )
    config = layout.config / "kubelet.json"
    write_json(
        config,
        _kubelet_config(layout, authority, group)
        | {
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
        },
    )
    argv = [
        str(program),
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={layout.kubelet}",
        f"--cert-dir={layout.pki}",
        f"--hostname-override={layout.node_name}",
        f"--node-ip={NODE_ADDRESS}",
    ]
    check = serves(f"http://127.0.0.1:{_KUBELET_HEALTH_PORT}/healthz")
    return Part("kubelet", argv, check, (NODE_ADDRESS, _KUBELET_PORT))


def kube_proxy(layout: Layout, authority: Authority, program: Path) -> Part:
    """Routes Services, by nftables rules that exist only inside the namespace."""
    kubeconfig = access.write_component(layout, authority, "kube-proxy", user="system:kube-proxy")
    config = layout.config / "kube-proxy.json"
    write_json(
        config,
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "hostnameOverride": layout.node_name,
            "clusterCIDR": POD_RANGE,
            "nodePortAddresses": [f"{NODE_ADDRESS}/32"],
            "healthzBindAddress": f"127.0.0.1:{_KUBE_PROXY_HEALTH_PORT}",
            "metricsBindAddress": "127.0.0.1:10249",
            # The limits of connection tracking belong to the machine, not to this namespace.
            "conntrack": {"maxPerCore": 0, "min": 0},
            "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        },
    )
    check = serves(f"http://127.0.0.1:{_KUBE_PROXY_HEALTH_PORT}/healthz")
    argv = [str(program), f"--config={config}"]
    return Part("kube-proxy", argv, check, ("127.0.0.1", _KUBE_PROXY_HEALTH_PORT))


def _pod_network(layout: Layout) -> dict[str, Any]:
    # Point to point, not a bridge: every packet passes the node's own rules, also between two pods
    # of a Service, for which a bridge would need a kernel module that many machines lack.
    return {
        "cniVersion": "0.4.0",
        "name": network_name(layout.name),
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_RANGE}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(layout.state_dir / "addresses"),
                },
            }
        ],
    }


def _kubelet_config(layout: Layout, authority: Authority, group: Group) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "address": NODE_ADDRESS,
        "healthzBindAddress": "127.0.0.1",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": group.path,
        "failCgroupV1": False,
        "failSwapOn": False,
        # The node is a folder of somebody's machine: it reserves nothing and evicts nobody.
        "enforceNodeAllocatable": [],
        "evictionHard": {},
        "localStorageCapacityIsolation": False,
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        # Nothing answers there, so a look-up fails at once; with no address at all, every pod
        # would get a warning event.
        "clusterDNS": [NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "podLogsDir": str(layout.state_dir / "pod-logs"),
        "volumePluginDir": str(layout.kubelet / "volume-plugins"),
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "nodeLeaseDurationSeconds": 10,
        "crashLoopBackOff": {"maxContainerRestartPeriod": "10s"},
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }


def _at_node_address() -> tuple[str, str]:
    """The registries as pods reach them."""
    ports = (address.rpartition(":")[2] for address in (REGISTRY, REGISTRY_WITH_REFERRERS))
    first, second = (f"{NODE_ADDRESS}:{port}" for port in ports)
    return first, second


def _listens(path: Path) -> Check:
    def check() -> str | None:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except OSError as failure:
                return f"{path}: {failure.strerror}"
        return None

    return check
