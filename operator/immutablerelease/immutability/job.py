"""The Job of a probe: written once from its recorded template, and read as the state of the probe.

Its Pod carries no label of the release: a Service of the release may select every Pod that does,
and must not send traffic to a test.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from immutablerelease.api.meta import (
    ATTEMPT_LABEL,
    JOB_LABEL,
    MANAGED_BY_LABEL,
    MANAGER,
    PROBE_LABEL,
    RELEASE_LABEL,
    REVISION_LABEL,
)
from immutablerelease.api.objects import Release, Revision, owner
from immutablerelease.api.probe import Probe
from immutablerelease.core.identity import job_name
from immutablerelease.core.probing import Outcome, ProbeState

Object = Mapping[str, Any]

# What a container ends with is the last of what it logs, unless it writes its own message.
_MESSAGE_POLICY: Final = "FallbackToLogsOnError"


def job_templates(release: Release) -> dict[str, Any]:
    """Templates of a release's jobs, by name of the probe."""
    return {
        probe.name: probe.job.template
        for probe in release.spec.health.probes
        if probe.job is not None and probe.job.template is not None
    }


def job(revision: Revision, probe: Probe, attempt: int) -> dict[str, Any]:
    """The Job that runs a probe for a revision."""
    name, namespace = revision.metadata.name, revision.metadata.namespace
    template = next(item.template for item in revision.spec.jobs if item.name == probe.name)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(name, probe.name, attempt),
            "namespace": namespace,
            "labels": {
                MANAGED_BY_LABEL: MANAGER,
                RELEASE_LABEL: revision.spec.release,
                REVISION_LABEL: name,
                PROBE_LABEL: probe.name,
                ATTEMPT_LABEL: str(attempt),
            },
            "ownerReferences": [owner("ReleaseRevision", name, revision.metadata.uid)],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": max(1, round(probe.job.timeout if probe.job else 0)),
            "template": _pod_template(revision, template),
        },
    }


def _pod_template(revision: Revision, template: Object) -> dict[str, Any]:
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {
        **(metadata.get("labels") or {}),
        MANAGED_BY_LABEL: MANAGER,
        JOB_LABEL: revision.metadata.name,
    }
    spec = dict(template["spec"])
    variables = [
        {"name": "IMMUTABLE_RELEASE", "value": revision.spec.release},
        {"name": "IMMUTABLE_REVISION", "value": revision.metadata.name},
        {
            "name": "IMMUTABLE_ADDRESS",
            "value": f"{revision.metadata.name}.{revision.metadata.namespace}.svc",
        },
    ]
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [_told(container, variables) for container in spec[field]]
    return {**template, "metadata": metadata, "spec": {**spec, "restartPolicy": "Never"}}


def _told(container: Object, variables: list[dict[str, str]]) -> dict[str, Any]:
    """A container that is told whom to ask; what it says itself comes later and wins."""
    told = {"terminationMessagePolicy": _MESSAGE_POLICY, **container}
    return told | {"env": [*variables, *(container.get("env") or ())]}


def state(live: Object, words: str) -> ProbeState:
    """State of the probe that a Job is for; `words` are the last ones of its Pod."""
    about = f"Job {live['metadata']['name']}"
    status = live.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("status") != "True":
            continue
        at = datetime.fromisoformat(condition["lastTransitionTime"])
        if condition["type"] == "Complete":
            return ProbeState(
                Outcome.PASSING, successes=1, message=f"{about} completed", last_at=at, passed=True
            )
        if condition["type"] == "Failed":
            why = words or condition.get("message") or condition.get("reason") or "no reason given"
            late = condition.get("reason") == "DeadlineExceeded"
            message = f"{about} was not done in time" if late else f"{about} failed: {why}"
            return ProbeState(
                Outcome.FAILING, failures=1, message=message, last_at=at, failing_since=at
            )
    return ProbeState(message=f"{about} runs")


def failed(live: Object) -> bool:
    """Whether a Job has failed for good."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Failed" and item["status"] == "True" for item in conditions)


def last_words(pods: list[dict[str, Any]]) -> str:
    """What the container said that made a Job fail."""
    for pod in pods:
        status = pod.get("status") or {}
        for container in (
            *(status.get("initContainerStatuses") or ()),
            *(status.get("containerStatuses") or ()),
        ):
            ended = (container.get("state") or {}).get("terminated") or {}
            if ended.get("exitCode", 0) != 0:
                text = " ".join(str(ended.get("message") or ended.get("reason") or "").split())
                code = f"container {container['name']} ended with exit code {ended['exitCode']}"
                return f"{code}: {text[-500:]}" if text else code
    return ""
