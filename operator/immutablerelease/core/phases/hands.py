"""What do people ask for? Each ReleaseAction is carried out once, whenever the operator restarts.

The mark that an action leaves (its UID on the revision, the revert or the route) is written
together with its effect, and its answer after both, so an action found unanswered after a crash is
known to have been carried out. The mark names one action, so one is answered at a time.
"""

from collections.abc import Callable, Mapping

from immutablerelease.api.action import ActionKind, ActionPhase, ActionStatus
from immutablerelease.api.objects import Action
from immutablerelease.api.release import Revert
from immutablerelease.api.revision import RevisionPhase

from ..draft import REFUSED, SOON, Draft, clip
from ..plan import EventType, WriteActionStatus
from ..snapshot import RouteRecord
from . import target as targets
from .demand import next_step, steps
from .route import ABORTED, REVERTED, ROLLED_BACK, settle
from .target import Fitness

# Phase and message of the answer.
Answer = tuple[ActionPhase, str]


def carry_out(draft: Draft) -> None:
    """Answer the oldest action that can be answered now.

    While a move that was asked for is under way, only its end or another direction can be asked.
    """
    moving = False
    for action in draft.snapshot.actions:
        running = action.status.phase is ActionPhase.RUNNING
        if action.status.phase in (ActionPhase.SUCCEEDED, ActionPhase.FAILED):
            continue
        if moving and action.spec.action in (ActionKind.PROMOTE, ActionKind.RETRY):
            continue
        if draft.moved:
            draft.wake(draft.now + SOON)
            return
        phase, message = (_follow if running else _ACTIONS[action.spec.action])(draft, action)
        ended = None if phase is ActionPhase.RUNNING else draft.now
        status = ActionStatus(phase=phase, message=clip(message), completed_at=ended)
        if status != action.status:
            draft.answers.append(WriteActionStatus(action.metadata.name, status))
        moving = moving or ended is None
        if ended is not None:
            if action is not draft.snapshot.actions[-1]:
                draft.wake(draft.now + SOON)
            return


def _follow(draft: Draft, action: Action) -> Answer:
    """What became of an action that waits for its target to start."""
    if _routed_by(draft, action):
        return ActionPhase.SUCCEEDED, f"traffic went to {draft.active}"
    revert = draft.status.revert
    if revert is not None and revert.action == action.metadata.uid:
        return ActionPhase.RUNNING, action.status.message
    return (
        ActionPhase.FAILED,
        f"given up, since its target could not take the traffic or something else was decided; "
        f"{_stays(draft)}",
    )


def _promote(draft: Draft, action: Action) -> Answer:
    if _marked(draft, action):
        return ActionPhase.SUCCEEDED, "promotion approved"
    candidate = draft.candidate
    if candidate is None:
        return ActionPhase.FAILED, "nothing to promote: no candidate is in flight"
    if refusal := _another(action, candidate):
        return ActionPhase.FAILED, refusal
    if next_step(draft, candidate) is not None and not action.spec.full:
        return _end_step(draft, candidate, action)
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


def _end_step(draft: Draft, candidate: str, action: Action) -> Answer:
    number, count = draft.revisions[candidate].step, len(steps(draft))
    follows = "the next one" if number + 1 < count else "all of the traffic"
    draft.change(candidate, approved_step=number, last_action=action.metadata.uid)
    return (
        ActionPhase.SUCCEEDED,
        f"step {number + 1} of {count} of {candidate} ends; {follows} follows when its probes pass",
    )


def _another(action: Action, candidate: str) -> str:
    """Why an action that names a revision is not about this one."""
    meant = action.spec.revision
    if meant in (None, candidate):
        return ""
    return f"{meant} is not in flight any more, {candidate} is; nothing was done"


def _abort(draft: Draft, action: Action) -> Answer:
    if _marked(draft, action) or _routed_by(draft, action):
        return ActionPhase.SUCCEEDED, f"aborted; {_stays(draft)}"
    reason = action.spec.reason or "no reason given"
    candidate = draft.candidate
    if candidate is not None:
        if refusal := _another(action, candidate):
            return ActionPhase.FAILED, refusal
        _fail(draft, candidate, action, ABORTED, f"aborted: {reason}")
        return ActionPhase.SUCCEEDED, f"{candidate} aborted; {_stays(draft)}"
    revert = draft.status.revert
    if revert is not None and revert.action not in (None, action.metadata.uid):
        draft.change_release(revert=None)
        return ActionPhase.SUCCEEDED, f"the move to {revert.target} is aborted; {_stays(draft)}"
    active = draft.active
    if active is not None and (refusal := _another(action, active)):
        return ActionPhase.FAILED, refusal
    if active is None or draft.revisions[active].good_since is not None:
        return ActionPhase.FAILED, "nothing to abort: no release is in flight; see Rollback"
    return _go_to(draft, action, targets.known_good(draft, active), ABORTED)


def _rollback(draft: Draft, action: Action) -> Answer:
    if _routed_by(draft, action):
        _stop_candidate(draft, action, draft.active)
        return ActionPhase.SUCCEEDED, f"traffic went to {draft.active}"
    if draft.active is None or draft.record is None:
        return ActionPhase.FAILED, "nothing to roll back: no revision serves"
    wish, created = action.spec.revision, action.metadata.created
    if wish is None and draft.record.reason == REVERTED and created and created < draft.record.at:
        # What it was to get away from was left meanwhile; it is not asked to go further back.
        return ActionPhase.SUCCEEDED, f"traffic went to {draft.active} already"
    if wish == draft.active:
        return ActionPhase.SUCCEEDED, f"{wish} serves already"
    if wish is not None and (refusal := _unusable(draft, wish)):
        return ActionPhase.FAILED, refusal
    return _go_to(draft, action, wish or targets.known_good(draft, draft.active), ROLLED_BACK)


def _retry(draft: Draft, action: Action) -> Answer:
    if _marked(draft, action):
        return ActionPhase.SUCCEEDED, "tried again"
    wanted = draft.wanted
    if wanted is None or draft.revisions[wanted].phase not in REFUSED:
        phase = draft.revisions[wanted].phase if wanted else "not known yet"
        return ActionPhase.FAILED, f"nothing to retry: {wanted or 'the revision'} is {phase}"
    draft.change(
        wanted,
        phase=RevisionPhase.PENDING,
        attempt=draft.revisions[wanted].attempt + 1,
        verification=None,
        refusal=None,
        failure=None,
        started_at=None,
        tested_at=None,
        # It proves itself anew: until it serves again it is no place to go back to.
        active_since=None,
        good_since=None,
        step=0,
        step_at=None,
        approved=False,
        approved_step=None,
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


def _marked(draft: Draft, action: Action) -> bool:
    uid = action.metadata.uid
    return any(status.last_action == uid for status in draft.revisions.values())


def _routed_by(draft: Draft, action: Action) -> bool:
    return draft.record is not None and draft.record.action == action.metadata.uid


def _unusable(draft: Draft, name: str) -> str:
    status = draft.revisions.get(name)
    if status is None:
        return f"no revision {name} of this release; see kubectl get rrev"
    if status.phase in REFUSED:
        return f"{name} is {status.phase}: {status.message}; roll back to one that served"
    if not draft.trusted(name) or status.active_since is None:
        return f"{name} never served; only a revision that served can be rolled back to"
    return ""


def _go_to(draft: Draft, action: Action, name: str | None, reason: str) -> Answer:
    active = draft.active
    if name is None or active is None:
        return ActionPhase.FAILED, "no other revision has served"
    _stop_candidate(draft, action, name)
    message = clip(action.spec.reason or f"asked for by ReleaseAction {action.metadata.name}")
    if targets.examine(draft, name).fitness is Fitness.READY and not draft.route_taken:
        uid = action.metadata.uid
        draft.move(RouteRecord(name, reason, message, draft.now, previous=active, action=uid))
        settle(draft)
        draft.change_release(revert=None)
        draft.tell(EventType.NORMAL, reason, f"traffic went from {active} to {name}: {message}")
        return ActionPhase.SUCCEEDED, f"traffic went from {active} to {name}"
    draft.change_release(
        revert=Revert(
            target=name, source=active, reason=reason, message=message, action=action.metadata.uid
        )
    )
    draft.change(name, started_at=draft.now)
    return ActionPhase.RUNNING, f"{name} is being started; traffic follows when its probes pass"


def _stop_candidate(draft: Draft, action: Action, target: str | None) -> None:
    candidate = draft.candidate
    if candidate is not None and candidate != target:
        _fail(draft, candidate, action, ROLLED_BACK, f"stopped by the move to {target}")


def _fail(draft: Draft, name: str, action: Action, reason: str, message: str) -> None:
    draft.change(
        name,
        phase=RevisionPhase.FAILED,
        failure=draft.failure(reason, message),
        last_action=action.metadata.uid,
        message=message,
    )
    draft.tell(EventType.NORMAL, reason, f"{name}: {message}", name)


def _stays(draft: Draft) -> str:
    return f"{draft.active} serves" if draft.active else "nothing serves"
