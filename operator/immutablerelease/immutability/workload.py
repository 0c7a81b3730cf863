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
from immutablerelease.core.identity import content_hash

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
