"""Kubeconfigs: who may enter, and from where.

They are JSON, which every reader of YAML reads.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from devcluster.files import write_json
from devcluster.layout import Layout
from devcluster.pki import Authority, Identity

ADMIN_GROUP = "system:masters"
CLUSTER_ADMIN = "cluster-admin"
CLUSTER_ADMIN_GROUP = "devcluster:cluster-admins"

# Lets a person act as cluster-admin under RBAC, which the group system:masters bypasses.
CLUSTER_ADMIN_BINDING: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "devcluster:cluster-admins"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    },
    "subjects": [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": CLUSTER_ADMIN_GROUP}
    ],
}


def admin(authority: Authority) -> Identity:
    """The identity that nothing is forbidden to."""
    return authority.client("admin", user="admin", group=ADMIN_GROUP)


def write_admin(layout: Layout, authority: Authority, server: str, path: Path) -> None:
    """Write the person's kubeconfig: context NAME is admin, NAME-cluster-admin goes by RBAC."""
    by_rbac = authority.client(CLUSTER_ADMIN, user=CLUSTER_ADMIN, group=CLUSTER_ADMIN_GROUP)
    users = {"admin": admin(authority), CLUSTER_ADMIN: by_rbac}
    contexts = {layout.name: "admin", f"{layout.name}-{CLUSTER_ADMIN}": CLUSTER_ADMIN}
    write_json(path, _config(layout.name, server, authority, users, contexts))


def write_component(
    layout: Layout, authority: Authority, name: str, *, user: str, group: str | None = None
) -> Path:
    """Write a part's kubeconfig and return its path."""
    identity = authority.client(name, user=user, group=group)
    path = layout.kubeconfig(name)
    config = _config(layout.name, layout.server, authority, {name: identity}, {layout.name: name})
    write_json(path, config)
    return path


def _config(
    cluster: str,
    server: str,
    authority: Authority,
    users: dict[str, Identity],
    contexts: dict[str, str],
) -> dict[str, Any]:
    trusted = {"server": server, "certificate-authority-data": _encoded(authority.certificate)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": trusted}],
        "users": [{"name": name, "user": _user(identity)} for name, identity in users.items()],
        "contexts": [
            {"name": name, "context": {"cluster": cluster, "user": user}}
            for name, user in contexts.items()
        ],
        "current-context": next(iter(contexts)),
    }


def _user(identity: Identity) -> dict[str, str]:
    return {
        "client-certificate-data": _encoded(identity.certificate),
        "client-key-data": _encoded(identity.key),
    }


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
