"""Is a revert under way whose target had to be started? It takes the traffic once it is proven."""

from datetime import timedelta

from immutablerelease.api.revision import Failure, RevisionPhase

from .. import signals
from ..draft import REFUSED, Draft
from ..plan import EventType
from ..signals import Health, Verdict
from ..snapshot import RouteRecord
from . import target as targets
from .guard import judge
from .route import REVERTED, ROLLED_BACK, settle


def continue_revert(draft: Draft) -> None:
    """Take a recorded revert one step further, or end it."""
    revert = draft.status.revert
    if revert is None:
        return
    status = draft.revisions.get(revert.target)
    if status is None or revert.source != draft.active or status.phase in REFUSED:
        draft.change_release(revert=None)
        return
    if failure := signals.workload_failure(draft.pods(revert.target)):
        _give_up(draft, revert.target, *failure)
        return
    if not targets.started(draft, revert.target) and not _last_resort(draft, revert.target):
        return
    reason = ROLLED_BACK if revert.action else REVERTED
    health = Health(Verdict.FAILING, revert.reason, revert.message)
    record = RouteRecord(
        revert.target,
        reason,
        f"{health.reason}: {health.message}",
        draft.now,
        previous=revert.source,
        action=revert.action,
    )
    draft.move(record)
    settle(draft)
    draft.change_release(revert=None)
    draft.tell(
        EventType.WARNING,
        reason,
        f"traffic went from {revert.source} to {revert.target}: {revert.message}",
        revert.source,
    )


def _last_resort(draft: Draft, target: str) -> bool:
    """Any ready Pod is better than none, as long as nothing is ready where traffic goes now."""
    active = draft.active
    if active is None or draft.serving(active) or not draft.serving(target):
        return False
    return judge(draft, active).verdict is Verdict.FAILING


def _give_up(draft: Draft, target: str, reason: str, message: str) -> None:
    """A target that cannot run is no target; the guard looks for the next one."""
    draft.change(
        target,
        phase=RevisionPhase.FAILED,
        failure=Failure(reason=reason, message=message, time=draft.now),
        message=f"could not take the traffic back: {message}",
    )
    draft.change_release(revert=None)
    draft.tell(EventType.WARNING, "RevertTargetFailed", f"{target}: {message}", target)
    draft.wake(draft.now + RETARGET)


# The decision that follows sees the target as failed and looks for another.
RETARGET = timedelta(milliseconds=10)
