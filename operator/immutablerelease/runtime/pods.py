"""A Pod as the API server tells it, and what deciding and showing need of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from immutablerelease.core.snapshot import ContainerView, PodView

Object = Mapping[str, Any]

_ENDED = frozenset({"Succeeded", "Failed"})


def ended(obj: Object) -> bool:
    """Whether none of its containers will ever run again.

    A Pod that was evicted is kept like that until somebody deletes it, whatever the size of its
    Deployment. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
    """
    return (obj.get("status") or {}).get("phase") in _ENDED


def pod_view(obj: Object) -> PodView:
    """What deciding needs of a Pod."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    ready, scheduled = conditions.get("Ready"), conditions.get("PodScheduled", {})
    changed = ready.get("lastTransitionTime") if ready else None
    containers = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    return PodView(
        name=metadata["name"],
        uid=metadata["uid"],
        ip=status.get("podIP"),
        ready=bool(ready and ready["status"] == "True"),
        deleting="deletionTimestamp" in metadata,
        ready_changed_at=_time(changed),
        created=_time(metadata.get("creationTimestamp")),
        unschedulable=(scheduled.get("message") or "")[:300]
        if scheduled.get("status") == "False"
        else "",
        containers=tuple(_container_view(item) for item in containers),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _container_view(status: Object) -> ContainerView:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    failed = ended.get("exitCode", 0) != 0
    return ContainerView(
        name=status["name"],
        restarts=status.get("restartCount", 0),
        waiting=waiting.get("reason", ""),
        terminated=f"exit code {ended['exitCode']}" if failed else "",
        message=(waiting.get("message") or "")[:300],
    )
