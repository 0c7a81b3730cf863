"""Is a revert under way whose target had to be started? It takes the traffic once it is proven."""

from immutablerelease.api.release import Revert
from immutablerelease.api.revision import RevisionPhase

from .. import signals
from ..draft import REFUSED, SOON, Draft
from ..plan import EventType
from ..signals import Verdict
from ..snapshot import RouteRecord
from . import target as targets
from .route import NAMED, REVERTED, REVOKED, settle
from .target import Fitness
from .verified import proven


def continue_revert(draft: Draft) -> None:
    """Take a recorded revert one step further, or end it."""
    revert = draft.status.revert
    if revert is None:
        return
    if not _stands(draft, revert):
        draft.change_release(revert=None)
        return
    if failure := signals.workload_failure(draft.pods(revert.target)):
        _give_up(draft, revert, *failure)
    elif revert.reason == REVOKED and not proven(draft, revert.target):
        # Policies that are new have not spoken of it; the guard looks for another if they refuse.
        return
    elif revert.action is None and _recovering(draft):
        # Some Pods of what serves are back: the guard cancels the revert once all of it is.
        return
    elif _proven(draft, revert.target) or _last_resort(draft, revert.target):
        _take_over(draft, revert)
    elif _late(draft, revert.target):
        _end_wait(draft, revert)


def _stands(draft: Draft, revert: Revert) -> bool:
    status = draft.revisions.get(revert.target)
    return (
        status is not None
        and status.phase not in REFUSED
        and revert.source == draft.leaving
        and draft.trusted(revert.target)
    )


def _recovering(draft: Draft) -> bool:
    return draft.health is not None and draft.health.verdict is not Verdict.FAILING


def _proven(draft: Draft, target: str) -> bool:
    return targets.full(draft, target) and targets.passes(draft, target)


def _last_resort(draft: Draft, target: str) -> bool:
    """Any ready Pod is better than none, as long as nothing is ready where traffic goes now."""
    if not draft.serving(target):
        return False
    if draft.active is None:
        return True
    failing = draft.health is not None and draft.health.verdict is Verdict.FAILING
    return failing and not draft.serving(draft.active)


def _late(draft: Draft, target: str) -> bool:
    started = draft.revisions[target].started_at
    if started is None:
        draft.change(target, started_at=draft.now)
    return draft.elapsed(started or draft.now, draft.spec.health.progress_deadline)


def _end_wait(draft: Draft, revert: Revert) -> None:
    """After the deadline: with the Pods that it has, or elsewhere, or not at all.

    The last place to go back to is not given up: nothing is gained by having none. Nor is one that
    fails the probes that what serves fails too: others would fail them as well.
    """
    deadline = draft.spec.health.progress_deadline
    waited = f"not at full size and proven within {deadline:g} s"
    fitness = targets.examine(draft, revert.target).fitness
    if revert.action is not None:
        draft.change_release(revert=None)
        draft.tell(EventType.WARNING, "RevertTargetFailed", f"{revert.target}: {waited}")
    elif targets.passes(draft, revert.target):
        _take_over(draft, revert)
    elif fitness is not Fitness.FAILING and _other(draft, revert) is not None:
        _give_up(draft, revert, "DeadlineExceeded", waited)


def _other(draft: Draft, revert: Revert) -> str | None:
    """Where a revert would go if its target were out of the question."""
    phase = draft.revisions[revert.target].phase
    draft.change(revert.target, phase=RevisionPhase.FAILED)
    other = targets.known_good(draft, revert.source)
    draft.change(revert.target, phase=phase)
    return other


def _take_over(draft: Draft, revert: Revert) -> None:
    reason = revert.reason if revert.action or revert.reason in NAMED else REVERTED
    message = revert.message if revert.action else f"{revert.reason}: {revert.message}"
    draft.move(
        RouteRecord(
            revert.target,
            reason,
            message,
            draft.now,
            previous=revert.source,
            action=revert.action,
        )
    )
    settle(draft)
    draft.change_release(revert=None)
    draft.tell(
        EventType.WARNING,
        reason,
        f"traffic went from {revert.source} to {revert.target}: {revert.message}",
        revert.source,
    )


def _give_up(draft: Draft, revert: Revert, reason: str, message: str) -> None:
    """A target that cannot run is no target; the decision that follows looks for the next one."""
    draft.change(
        revert.target,
        phase=RevisionPhase.FAILED,
        failure=draft.failure(reason, message),
        message=f"could not take the traffic back: {message}",
    )
    draft.change_release(revert=None)
    draft.tell(EventType.WARNING, "RevertTargetFailed", f"{revert.target}: {message}")
    draft.wake(draft.now + SOON)
