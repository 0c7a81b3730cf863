"""The PodDisruptionBudget of a revision: how many Pods a drain of nodes may take at a time."""

from typing import Any

from immutablerelease.api.meta import MANAGED_BY_LABEL, MANAGER, RELEASE_LABEL, REVISION_LABEL
from immutablerelease.api.objects import Revision, owner


def budget(revision: Revision, max_unavailable: int | str) -> dict[str, Any]:
    """The budget of one revision, so that no Pod of another one counts for it."""
    name = revision.metadata.name
    labels = {RELEASE_LABEL: revision.spec.release, REVISION_LABEL: name}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": name,
            "namespace": revision.metadata.namespace,
            "labels": {MANAGED_BY_LABEL: MANAGER, **labels},
            "ownerReferences": [owner("ReleaseRevision", name, revision.metadata.uid)],
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "maxUnavailable": max_unavailable,
            # A Pod that does not work protects nothing, and would keep its node for ever.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
