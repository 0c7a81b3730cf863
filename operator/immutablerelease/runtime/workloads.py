"""Deployments and DaemonSets as the API server tells them, and what deciding needs of them."""

from collections.abc import Mapping
from typing import Any

from immutablerelease.api.objects import Revision
from immutablerelease.core.snapshot import DeploymentView
from immutablerelease.immutability.difference import difference
from immutablerelease.immutability.workload import pod_template

Object = Mapping[str, Any]


def deployment_view(obj: Object, revision: Revision | None) -> DeploymentView:
    """What deciding needs of a Deployment."""
    status = obj.get("status") or {}
    changed = _changed(obj, revision)
    return DeploymentView(
        revision=obj["metadata"]["name"],
        replicas=obj["spec"].get("replicas", 1),
        observed=_observed(obj),
        available=status.get("availableReplicas", 0),
        intact=not changed,
        message=changed or _replica_failure(status),
    )


def daemon_set_view(obj: Object, revision: Revision | None) -> DeploymentView:
    """What deciding needs of a DaemonSet.

    Its controller tells the number of nodes in the same write as that it has observed it; a number
    from before says nothing.
    """
    status = obj.get("status") or {}
    changed = _changed(obj, revision)
    nodes = status.get("desiredNumberScheduled", 0) if _observed(obj) else 0
    return DeploymentView(
        revision=obj["metadata"]["name"],
        # There it is, even while no node is to have a Pod of it.
        replicas=max(1, nodes),
        observed=_observed(obj),
        available=status.get("numberAvailable", 0),
        intact=not changed,
        message=changed,
        nodes=nodes,
    )


def left_behind(pod: Object, daemon_sets: frozenset[str]) -> bool:
    """Whether the DaemonSet that made a Pod is not among these uids: the Pod is the next to go.

    A DaemonSet of the same name that was made since starts with Pods of its own.
    """
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(item.get("controller") and item["uid"] not in daemon_sets for item in owners)


def _changed(obj: Object, revision: Revision | None) -> str:
    if revision is None:
        return ""
    return difference(pod_template(revision), obj["spec"]["template"])


def _observed(obj: Object) -> bool:
    seen = (obj.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= obj["metadata"].get("generation", 1))


def _replica_failure(status: Object) -> str:
    for condition in status.get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message", ""))
    return ""
