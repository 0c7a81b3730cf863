"""The workload of a revision: written once from its recorded template, never edited again."""

from collections.abc import Mapping
from typing import Any

from immutablerelease.api.meta import (
    MANAGED_BY_LABEL,
    MANAGER,
    RELEASE_LABEL,
    REVISION_LABEL,
    TEMPLATE_HASH_ANNOTATION,
)
from immutablerelease.api.objects import Revision, owner
from immutablerelease.core.identity import canonical, content_hash

Object = Mapping[str, Any]


def deployment(revision: Revision, replicas: int) -> dict[str, Any]:
    """The Deployment that runs a revision."""
    return _workload("Deployment", revision, replicas=replicas)


def daemon_set(revision: Revision) -> dict[str, Any]:
    """The DaemonSet that runs a revision on each node that its template allows."""
    # Should somebody change its template all the same, no Pod that runs is replaced for it.
    return _workload("DaemonSet", revision, updateStrategy={"type": "OnDelete"})


def _workload(kind: str, revision: Revision, **spec: Any) -> dict[str, Any]:
    name = revision.metadata.name
    labels = {RELEASE_LABEL: revision.spec.release, REVISION_LABEL: name}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": revision.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, **labels},
            "annotations": {TEMPLATE_HASH_ANNOTATION: content_hash(revision.spec.template)},
            "ownerReferences": [owner("ReleaseRevision", name, revision.metadata.uid)],
        },
        "spec": {
            # Its template never changes, so there is never another version of it to keep.
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": labels},
            "template": pod_template(revision),
            **spec,
        },
    }


def pod_template(revision: Revision) -> dict[str, Any]:
    """The recorded template with the labels that tie its Pods to the revision."""
    template = dict(revision.spec.template)
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {
        **(metadata.get("labels") or {}),
        MANAGED_BY_LABEL: MANAGER,
        RELEASE_LABEL: revision.spec.release,
        REVISION_LABEL: revision.metadata.name,
    }
    return {**template, "metadata": metadata}


def difference(wanted: Any, live: Any, path: str = "template") -> str:
    """First place where a live template is not what was written, or nothing.

    The API server adds defaults, so maps of the live object may hold more; lists may not, and
    neither may fields whose presence alone changes what runs.
    """
    if isinstance(wanted, Mapping):
        return _map_difference(wanted, live, path)
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(live) != len(wanted):
            return f"{path} has other entries"
        pairs = enumerate(zip(wanted, live, strict=True))
        found = (difference(ours, theirs, f"{path}[{at}]") for at, (ours, theirs) in pairs)
        return next((text for text in found if text), "")
    return "" if _equal(wanted, live) else f"{path} is {live!r}, expected {wanted!r}"


# Fields that the API server never fills in by itself; one that appears was put there by somebody.
_NEVER_DEFAULTED = frozenset(
    {
        "args",
        "command",
        "env",
        "envFrom",
        "ephemeralContainers",
        "hostNetwork",
        "hostPID",
        "initContainers",
        "lifecycle",
        "nodeName",
        "volumeMounts",
        "volumes",
    }
)


def _map_difference(wanted: Object, live: Any, path: str) -> str:
    if not isinstance(live, Mapping):
        return f"{path} is missing" if canonical(wanted) else ""
    for key, value in wanted.items():
        # Null is absent.
        if value is not None and (text := difference(value, live.get(key), f"{path}.{key}")):
            return text
    added = sorted(key for key in _NEVER_DEFAULTED & live.keys() - wanted.keys() if live[key])
    return f"{path}.{added[0]} was added" if added else ""


def _equal(wanted: Any, live: Any) -> bool:
    # Quantities and ports may come back as text or number, an empty text may come back as nothing.
    return wanted == live or str(wanted) == str(live) or (wanted in ("", False, 0) and live is None)
