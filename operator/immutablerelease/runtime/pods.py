"""A Pod as the API server tells it, and what deciding and showing need of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from immutablerelease.core.snapshot import ContainerView, PodView

Object = Mapping[str, Any]

_LONGEST = 300
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
        *(_container_view(item) for item in status.get("initContainerStatuses") or ()),
        *(_main_container_view(item) for item in status.get("containerStatuses") or ()),
    ]
    return PodView(
        name=metadata["name"],
        uid=metadata["uid"],
        ip=status.get("podIP"),
        ready=bool(ready and ready["status"] == "True"),
        deleting="deletionTimestamp" in metadata,
        ready_changed_at=_time(changed),
        created=_time(metadata.get("creationTimestamp")),
        unschedulable=(scheduled.get("message") or "")[:_LONGEST]
        if scheduled.get("status") == "False"
        else "",
        containers=tuple(containers),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _main_container_view(status: Object) -> ContainerView:
    # Those that run before it are not ready as long as they do what they are for.
    running = "running" in (status.get("state") or {})
    return replace(_container_view(status), unready=running and status.get("ready") is False)


def _container_view(status: Object) -> ContainerView:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    failed = ended.get("exitCode", 0) != 0
    reason = waiting.get("reason", "")
    # That it is started again later is no news; how it ended is.
    last_words = failed and reason in ("", "CrashLoopBackOff")
    told = _end(ended.get("message")) if last_words else waiting.get("message") or ""
    return ContainerView(
        name=status["name"],
        restarts=status.get("restartCount", 0),
        waiting=reason,
        terminated=_how(ended) if failed else "",
        message=told[:_LONGEST],
    )


def _how(ended: Object) -> str:
    """How it ended: OOMKilled says more than its exit code."""
    code, reason = f"exit code {ended['exitCode']}", ended.get("reason") or "Error"
    return code if reason == "Error" else f"{reason}, {code}"


def _end(message: str | None) -> str:
    """The end of what it wrote, on one line: the last words tell the most."""
    line = " ".join((message or "").split())
    return line if len(line) <= _LONGEST else f"...{line[3 - _LONGEST :]}"
