"""What do people ask for? Each ReleaseAction is carried out once, whenever the operator restarts.

The mark that an action leaves (its UID on the revision or on the route) is written together with
its effect, so an action found unanswered after a crash is known to have been carried out.
"""

from collections.abc import Callable, Mapping

from immutablerelease.api.action import ActionKind, ActionPhase, ActionStatus
from immutablerelease.api.objects import Action
from immutablerelease.api.release import Revert
from immutablerelease.api.revision import Failure, RevisionPhase

from ..draft import REFUSED, Draft
from ..plan import EventType, WriteActionStatus
from ..snapshot import RouteRecord
from . import target as targets
from .route import ABORTED, ROLLED_BACK, settle
from .target import Fitness

# Phase and message of the answer; None while it is not known.
Answer = tuple[ActionPhase, str]


def carry_out(draft: Draft) -> None:
    """Answer all unanswered actions, oldest first."""
    for action in draft.snapshot.actions:
        if action.status.phase in (ActionPhase.SUCCEEDED, ActionPhase.FAILED):
            continue
        phase, message = _ACTIONS[action.spec.action](draft, action)
        ended = None if phase is ActionPhase.RUNNING else draft.now
        status = ActionStatus(phase=phase, message=message, completed_at=ended)
        if status != action.status:
            draft.do(WriteActionStatus(action.metadata.name, status))


def _promote(draft: Draft, action: Action) -> Answer:
    if _done_by(draft, action):
        return ActionPhase.SUCCEEDED, "promotion approved"
    candidate = draft.candidate
    if candidate is None:
        return ActionPhase.FAILED, "nothing to promote: no candidate is in flight"
    draft.change(
        candidate,
        approved=True,
        last_action=action.metadata.uid,
        started_at=draft.revisions[candidate].started_at and draft.now,
    )
    return (
        ActionPhase.SUCCEEDED,
        f"promotion of {candidate} approved; traffic moves when its probes pass",
    )


def _abort(draft: Draft, action: Action) -> Answer:
    if _done_by(draft, action):
        return ActionPhase.SUCCEEDED, "aborted"
    reason = action.spec.reason or "no reason given"
    candidate = draft.candidate
    if candidate is not None:
        _fail(draft, candidate, action, ABORTED, f"aborted: {reason}")
        return ActionPhase.SUCCEEDED, f"{candidate} aborted; {_stays(draft)}"
    active = draft.active
    if active is None or draft.revisions[active].good_since is not None:
        return ActionPhase.FAILED, "nothing to abort: no release is in flight; see Rollback"
    return _go_to(draft, action, targets.known_good(draft, active), ABORTED)


def _rollback(draft: Draft, action: Action) -> Answer:
    if draft.active is None:
        return ActionPhase.FAILED, "nothing to roll back: no revision serves"
    wish = action.spec.revision
    if wish is not None and (refusal := _unusable(draft, wish)):
        return ActionPhase.FAILED, refusal
    if draft.record and draft.record.action == action.metadata.uid:
        return ActionPhase.SUCCEEDED, f"traffic went to {draft.record.revision}"
    if wish == draft.active:
        return ActionPhase.SUCCEEDED, f"{wish} serves already"
    return _go_to(draft, action, wish or targets.known_good(draft, draft.active), ROLLED_BACK)


def _retry(draft: Draft, action: Action) -> Answer:
    if _done_by(draft, action):
        return ActionPhase.SUCCEEDED, "tried again"
    wanted = draft.wanted
    if wanted is None or draft.revisions[wanted].phase not in REFUSED:
        phase = draft.revisions[wanted].phase if wanted else "not known yet"
        return ActionPhase.FAILED, f"nothing to retry: {wanted or 'the revision'} is {phase}"
    draft.change(
        wanted,
        phase=RevisionPhase.PENDING,
        verification=None,
        failure=None,
        started_at=None,
        tested_at=None,
        left_at=None,
        approved=False,
        last_action=action.metadata.uid,
        message="tried again on request",
    )
    draft.tell(EventType.NORMAL, "Retrying", f"{wanted} is tried again on request", wanted)
    return ActionPhase.SUCCEEDED, f"{wanted} is tried again"


_ACTIONS: Mapping[ActionKind, Callable[[Draft, Action], Answer]] = {
    ActionKind.PROMOTE: _promote,
    ActionKind.ABORT: _abort,
    ActionKind.ROLLBACK: _rollback,
    ActionKind.RETRY: _retry,
}


def _done_by(draft: Draft, action: Action) -> bool:
    uid = action.metadata.uid
    if draft.record and draft.record.action == uid:
        return True
    return any(status.last_action == uid for status in draft.revisions.values())


def _unusable(draft: Draft, name: str) -> str:
    status = draft.revisions.get(name)
    if status is None:
        return f"no revision {name} of this release; see kubectl get rrev"
    if status.phase in REFUSED:
        return f"{name} is {status.phase}: {status.message}; roll back to one that served"
    if not draft.verified(name) or status.active_since is None:
        return f"{name} never served; only a revision that served can be rolled back to"
    return ""


def _go_to(draft: Draft, action: Action, name: str | None, reason: str) -> Answer:
    active = draft.active
    if name is None or active is None:
        return ActionPhase.FAILED, "no other revision has served"
    _stop_candidate(draft, action, name)
    message = action.spec.reason or f"asked for by ReleaseAction {action.metadata.name}"
    target = targets.examine(draft, name)
    if target.fitness is Fitness.READY:
        uid = action.metadata.uid
        record = RouteRecord(name, reason, message, draft.now, previous=active, action=uid)
        draft.move(record)
        settle(draft)
        draft.change_release(revert=None)
        draft.tell(EventType.NORMAL, reason, f"traffic went from {active} to {name}: {message}")
        return ActionPhase.SUCCEEDED, f"traffic went from {active} to {name}"
    draft.change_release(
        revert=Revert(
            target=name, source=active, reason=reason, message=message, action=action.metadata.uid
        )
    )
    return ActionPhase.RUNNING, f"{name} is being started; traffic follows when its probes pass"


def _stop_candidate(draft: Draft, action: Action, target: str) -> None:
    candidate = draft.candidate
    if candidate is not None and candidate != target:
        _fail(draft, candidate, action, ROLLED_BACK, f"stopped by the move to {target}")


def _fail(draft: Draft, name: str, action: Action, reason: str, message: str) -> None:
    draft.change(
        name,
        phase=RevisionPhase.FAILED,
        failure=Failure(reason=reason, message=message, time=draft.now),
        last_action=action.metadata.uid,
        message=message,
    )
    draft.tell(EventType.NORMAL, reason, f"{name}: {message}", name)


def _stays(draft: Draft) -> str:
    return f"{draft.active} serves on" if draft.active else "nothing serves yet"
