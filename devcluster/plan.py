"""Which parts make a cluster, and in which order they start."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from devcluster import (
    access,
    control_plane,
    fake_nodes,
    gateway,
    monitoring,
    mounts,
    node,
    registries,
)
from devcluster.cgroups import Group
from devcluster.layout import API_SERVER_PORT, NODE_ADDRESS, Layout
from devcluster.part import ApiClient, Part, serves
from devcluster.pki import Authority

PROFILES = ("api", "full")
FORWARDER = "forwarder"


@dataclass(frozen=True)
class Stage:
    """Parts that start together, once those of the stage before serve."""

    title: str
    parts: list[Part]


def stages(
    layout: Layout, profile: str, tools: dict[str, Path], client: ApiClient, outside_port: int
) -> list[Stage]:
    """The stages of a profile. Writes the parts' keys, kubeconfigs and configuration files."""
    authority = client.authority
    stores = [control_plane.etcd(layout, tools["etcd"])]
    workers = [
        control_plane.controller_manager(layout, authority, tools["kube-controller-manager"]),
        control_plane.scheduler(layout, authority, tools["kube-scheduler"]),
        _forwarder(layout, authority, outside_port),
    ]
    if profile == "full":
        group = Group.of(layout.name)
        stores += [
            registries.without_referrers(layout, tools["registry"]),
            registries.with_referrers(layout, tools["registry-with-referrers"]),
            node.containerd(layout, _snapshotter(layout)),
        ]
        workers += [
            node.kubelet(layout, authority, tools["kubelet"], group),
            node.kube_proxy(layout, authority, tools["kube-proxy"]),
            gateway.traefik(layout, authority),
            monitoring.scrape_targets(layout),
            monitoring.prometheus(layout),
        ]
    else:
        workers += [fake_nodes.kwok(layout, authority, tools["kwok"])]
    server = control_plane.api_server(layout, authority, tools["kube-apiserver"], client)
    return [Stage("stores", stores), Stage("API server", [server]), Stage("workers", workers)]


def api_client(layout: Layout) -> ApiClient:
    """The admin's client, for use inside the namespace."""
    authority = Authority(layout.pki)
    return ApiClient(layout.server, authority, access.admin(authority))


def _forwarder(layout: Layout, authority: Authority, port: int) -> Part:
    argv = [
        sys.executable,
        "-m",
        "devcluster.forwarder",
        f"--listen={port}",
        f"--netns={layout.namespace}",
        f"--to={NODE_ADDRESS}:{API_SERVER_PORT}",
    ]
    root = Path(__file__).parent.parent
    check = serves(f"https://127.0.0.1:{port}/readyz", authority)
    environment = {"PYTHONPATH": str(root)}
    return Part(FORWARDER, argv, check, ("127.0.0.1", port), environment, outside=True)


def _snapshotter(layout: Layout) -> str:
    # On an overlay (the file system of most containers) no second overlay can be mounted.
    return "overlayfs" if mounts.overlay_works(layout.state_dir / "probe") else "native"
