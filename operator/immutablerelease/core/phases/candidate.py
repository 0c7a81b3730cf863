"""How far is the candidate? Started, tested outside of all traffic, then given the traffic.

Every gate wants positive evidence, and a deadline ends the wait for it.
"""

from immutablerelease.api.release import Promotion
from immutablerelease.api.revision import Failure, RevisionPhase

from .. import signals
from ..draft import Draft
from ..plan import EventType, StartRevision
from ..snapshot import RouteRecord
from .route import PROMOTED, settle
from .verified import proven

AWAITING = "passed its probes and waits for a ReleaseAction Promote"


def advance(draft: Draft) -> None:
    """Take the candidate one step further."""
    name = draft.candidate
    if name is None or draft.spec.paused or draft.snapshot.conflicts or not proven(draft, name):
        return
    if draft.revisions[name].phase is RevisionPhase.PENDING:
        _start(draft, name)
    elif (failure := _failure(draft, name)) is not None:
        _fail(draft, name, *failure)
    elif draft.revisions[name].phase is RevisionPhase.STARTING:
        _await_ready(draft, name)
    else:
        _test(draft, name)


def full_size(draft: Draft) -> int:
    """Pods that a revision needs before it may serve; one at least, or nothing could be proven."""
    return max(1, draft.spec.replicas)


def size(draft: Draft, name: str) -> int:
    """Pods that the candidate needs where it is now."""
    preview = draft.spec.strategy.blue_green.preview_replicas
    if preview is None or _growing(draft, name):
        return full_size(draft)
    return min(preview, full_size(draft))


def awaiting_promotion(draft: Draft, name: str) -> bool:
    """Whether all that is missing is somebody's word."""
    status = draft.revisions[name]
    return status.tested_at is not None and not _may_promote(draft, name)


def _may_promote(draft: Draft, name: str) -> bool:
    automatic = draft.spec.strategy.blue_green.promotion is Promotion.AUTOMATIC
    return automatic or draft.revisions[name].approved


def _growing(draft: Draft, name: str) -> bool:
    return draft.revisions[name].tested_at is not None and _may_promote(draft, name)


def _start(draft: Draft, name: str) -> None:
    refusal = draft.snapshot.refusals.get(name)
    if refusal:
        _fail(draft, name, "DeploymentRefused", f"the API server refused its objects: {refusal}")
        return
    draft.do(StartRevision(name, size(draft, name)))
    draft.change(
        name, phase=RevisionPhase.STARTING, started_at=draft.now, message="starting its Pods"
    )


def _failure(draft: Draft, name: str) -> tuple[str, str] | None:
    pods = draft.pods(name)
    if failure := signals.workload_failure(pods):
        return failure
    failing = signals.probe_failures(pods, draft.snapshot.probes.get(name, {}))
    if failing:
        return "ProbeFailed", next(iter(failing.values()))
    deployment = draft.deployment(name)
    if deployment is not None and not deployment.intact:
        return "TemplateChanged", f"its Deployment was changed: {deployment.message}"
    return _late(draft, name)


def _late(draft: Draft, name: str) -> tuple[str, str] | None:
    started = draft.revisions[name].started_at
    if started is None or awaiting_promotion(draft, name):
        return None
    deadline = draft.spec.health.progress_deadline
    if not draft.elapsed(started, deadline):
        return None
    return "DeadlineExceeded", f"not proven within {deadline:g} s: {_missing(draft, name)}"


def _missing(draft: Draft, name: str) -> str:
    pods, serving = draft.pods(name), draft.serving(name)
    needed = size(draft, name)
    if len(serving) < needed:
        return f"{len(serving)} of {needed} Pods ready{signals.waiting_for(pods)}"
    states = draft.snapshot.probes.get(name, {})
    pending = signals.pending_probes(serving, draft.spec.health.probes, states)
    return f"probe {', '.join(pending)} has not passed" if pending else "nothing is missing"


def _await_ready(draft: Draft, name: str) -> None:
    deployment = draft.deployment(name)
    if deployment is None:
        draft.do(StartRevision(name, size(draft, name)))
    elif deployment.observed and len(draft.serving(name)) >= size(draft, name):
        draft.change(name, phase=RevisionPhase.TESTING, message="ready; its probes are asked")
        _test(draft, name)


def _test(draft: Draft, name: str) -> None:
    serving = draft.serving(name)
    states = draft.snapshot.probes.get(name, {})
    passed = len(serving) >= size(draft, name) and signals.all_pass(
        serving, draft.spec.health.probes, states
    )
    if not passed:
        return
    if draft.revisions[name].tested_at is None:
        draft.change(name, tested_at=draft.now, message="passed its probes")
        draft.tell(EventType.NORMAL, "Tested", f"{name} passed its probes", name)
    if not _may_promote(draft, name):
        draft.change(name, message=AWAITING)
    elif len(serving) < full_size(draft):
        draft.change(name, message="passed its probes; growing to full size")
    else:
        _promote(draft, name)


def _promote(draft: Draft, name: str) -> None:
    previous = draft.active
    message = f"{name} passed its probes"
    draft.move(RouteRecord(name, PROMOTED, message, draft.now, previous=previous))
    settle(draft)
    came_from = f" from {previous}" if previous else ""
    draft.tell(EventType.NORMAL, "Promoted", f"traffic moved{came_from} to {name}", name)


def _fail(draft: Draft, name: str, reason: str, message: str) -> None:
    draft.change(
        name,
        phase=RevisionPhase.FAILED,
        failure=Failure(reason=reason, message=message, time=draft.now),
        message=f"{reason}: {message}",
    )
    draft.tell(EventType.WARNING, reason, f"{name} failed before it served: {message}", name)
