"""Nodes and pods that only look real, by kwok: thousands of pods without a container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devcluster import access
from devcluster.layout import NODE_ADDRESS, Layout
from devcluster.part import Part, serves
from devcluster.pki import Authority

USER = "devcluster:kwok"
_PORT = 10247
_MARK = "kwok.x-k8s.io/node"


def kwok(layout: Layout, authority: Authority, program: Path) -> Part:
    """The simulator, with its own fast stages: without stages it stops."""
    kubeconfig = access.write_component(
        layout, authority, "kwok", user=USER, group=access.ADMIN_GROUP
    )
    stages = sorted((program.parent / "data").rglob("*.yaml"))
    argv = [
        str(program),
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={_MARK}=fake",
        f"--node-ip={NODE_ADDRESS}",
        f"--server-address=127.0.0.1:{_PORT}",
        *(f"--config={stage}" for stage in stages if stage.name != "kustomization.yaml"),
    ]
    return Part("kwok", argv, serves(f"http://127.0.0.1:{_PORT}/healthz"), ("127.0.0.1", _PORT))


def node(number: int) -> dict[str, Any]:
    """The fake node of that number."""
    name = f"node-{number}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {_MARK: "fake"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "type": "kwok",
            },
        },
    }
