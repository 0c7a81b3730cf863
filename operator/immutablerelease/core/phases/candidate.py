"""How far is the candidate? Started, tested outside of all traffic, then given the traffic.

Every gate wants positive evidence, and a deadline ends the wait for it.
"""

from datetime import timedelta

from immutablerelease.api.revision import RevisionPhase

from .. import signals
from ..draft import IN_FLIGHT, SOON, Draft
from ..plan import EventType
from ..snapshot import RouteRecord
from . import target as targets
from .demand import (
    awaiting_promotion,
    desired,
    drains,
    full_size,
    held,
    may_promote,
    next_step,
    overtaken,
    size,
)
from .guard import take_charge
from .route import PROMOTED, settle
from .sharing import broken, in_effect, shares, suspend
from .shifting import add, awaited, begin, shift
from .verified import proven

AWAITING = "passed its probes and waits for a ReleaseAction Promote"


def advance(draft: Draft) -> None:
    """Take the candidate one step further."""
    name = draft.candidate
    if name is None:
        return
    if draft.moved:
        draft.wake(draft.now + SOON)
        return
    if draft.spec.paused or draft.snapshot.conflicts or not proven(draft, name):
        # The deadline is for the candidate; it does not count while something else is in the way.
        revert = draft.status.revert
        if revert is None or revert.target != name:
            draft.change(name, started_at=None)
        return
    if draft.revisions[name].phase is RevisionPhase.PENDING:
        _start(draft, name)
        return
    if draft.revisions[name].started_at is None:
        draft.change(name, started_at=draft.now)
    # What has a share was looked at already, by the light of what serves.
    if not shares(draft, name) and (failure := _failure(draft, name)) is not None:
        _fail(draft, name, *failure)
        return
    if overtaken(draft, name):
        # The steps were changed meanwhile: it has taken none of them.
        begin(draft, name)
        return
    if draft.revisions[name].phase is RevisionPhase.STARTING:
        _await_ready(draft, name)
    if draft.revisions[name].phase is not RevisionPhase.STARTING:
        _test(draft, name)
    if draft.revisions[name].phase in IN_FLIGHT and (late := _late(draft, name)) is not None:
        _fail(draft, name, *late)


def _start(draft: Draft, name: str) -> None:
    """Begin, unless Pods of a failed attempt are still there to fail this one too."""
    leaving = desired(draft, name) == 0 or drains(draft, name)
    if leaving and draft.pods(name) and broken(draft, name) is not None:
        draft.change(name, message=_still_there(draft))
        return
    draft.change(
        name, phase=RevisionPhase.STARTING, started_at=draft.now, message="starting its Pods"
    )


def _still_there(draft: Draft) -> str:
    message = "waiting for Pods of its last attempt to be gone"
    return message if in_effect(draft) else f"{message}, and these for {awaited(draft)}"


def _failure(draft: Draft, name: str) -> tuple[str, str] | None:
    refusal = draft.snapshot.refusals.get(name)
    if draft.deployment(name) is None and refusal:
        return "DeploymentRefused", f"the API server refused its objects: {refusal}"
    return broken(draft, name)


def _late(draft: Draft, name: str) -> tuple[str, str] | None:
    started = draft.revisions[name].started_at
    if started is None or awaiting_promotion(draft, name) or held(draft, name):
        return None
    deadline = draft.spec.health.progress_deadline
    if not draft.elapsed(started, deadline):
        return None
    serving, states = draft.serving(name), draft.snapshot.probes.get(name, {})
    ready = len(serving) >= size(draft, name)
    if draft.moved or (ready and signals.unasked(serving, draft.probes(name), states)):
        # An operator that was away has not asked yet; that is not the candidate's fault.
        draft.wake(draft.now + timedelta(seconds=1))
        return None
    return "DeadlineExceeded", f"not proven within {deadline:g} s: {_missing(draft, name)}"


def _missing(draft: Draft, name: str) -> str:
    pods, serving = draft.pods(name), draft.serving(name)
    needed = size(draft, name)
    if draft.nowhere(name):
        return "no node is to have a Pod of it, see its nodeSelector, affinity and tolerations"
    if len(serving) < needed:
        waits = signals.waiting_for(pods, draft.deployment(name))
        return f"{len(serving)} of {needed} Pods ready{waits}"
    states = draft.snapshot.probes.get(name, {})
    pending = signals.pending_probes(serving, draft.probes(name), states)
    if pending:
        return f"probe {', '.join(pending)} has not passed"
    return "nothing is missing" if in_effect(draft) else f"it waits for {awaited(draft)}"


def _await_ready(draft: Draft, name: str) -> None:
    deployment = draft.deployment(name)
    ready = len(draft.serving(name)) >= size(draft, name)
    if ready and deployment is not None and deployment.observed:
        draft.change(name, phase=RevisionPhase.TESTING, message="ready; its probes are asked")
    else:
        stuck = signals.stuck(draft.pods(name), deployment)
        draft.change(name, message=f"starting its Pods{stuck}")


def _test(draft: Draft, name: str) -> None:
    """Promote what passed, once all that the move would overwrite or rely on is on record.

    That is: marks of actions, how the last revision was left, and that this one passed.
    """
    serving = draft.serving(name)
    states = draft.snapshot.probes.get(name, {})
    passed = len(serving) >= size(draft, name) and signals.all_pass(
        serving, draft.probes(name), states
    )
    if not passed:
        return
    if signals.wavering(serving, states):
        # It may be about to fail; what is no verdict yet is no evidence either.
        targets.look_again(draft, name)
        return
    if draft.revisions[name].tested_at is None:
        draft.change(name, tested_at=draft.now, message="passed its probes")
        draft.tell(EventType.NORMAL, "Tested", f"{name} passed its probes", name)
    if next_step(draft, name) is not None:
        _shift(draft, name)
    elif not may_promote(draft, name) and _gets_requests(draft, name):
        _take_share(draft, name)
    elif not may_promote(draft, name):
        if _recorded(draft, name) and draft.settled and not draft.answers:
            # A preview is looked at before somebody gives the word.
            add(draft, name)
        draft.change(name, message=AWAITING)
    elif len(serving) < full_size(draft, name):
        draft.change(name, message="passed its probes; growing to full size")
    elif draft.answers or not draft.settled:
        draft.wake(draft.now + SOON)
    elif not _recorded(draft, name):
        draft.followed = True
        draft.wake(draft.now + SOON)
    elif add(draft, name):
        _promote(draft, name)


def _gets_requests(draft: Draft, name: str) -> bool:
    record = draft.record
    return record is not None and record.candidate == name and record.weight + record.mirror > 0


def _take_share(draft: Draft, name: str) -> None:
    """The steps that it had its share from are no part of the strategy any more."""
    record = draft.record
    if record is not None and draft.serving(record.revision):
        suspend(draft, record, f"{name} waits for somebody's word, and gets no traffic before")


def _shift(draft: Draft, name: str) -> None:
    if draft.status.revert is not None:
        return
    if not _recorded(draft, name):
        draft.wake(draft.now + SOON)
    elif (failure := shift(draft, name)) is not None:
        _fail(draft, name, *failure)


def _recorded(draft: Draft, name: str) -> bool:
    """Whether its status tells already that it passed; else the record would look forged."""
    return draft.revision(name).status.tested_at is not None


def _promote(draft: Draft, name: str) -> None:
    previous = draft.leaving
    message = f"{name} passed its probes"
    draft.move(RouteRecord(name, PROMOTED, message, draft.now, previous=previous))
    settle(draft)
    take_charge(draft, name)
    came_from = f" from {previous}" if previous else ""
    draft.tell(EventType.NORMAL, "Promoted", f"traffic moved{came_from} to {name}", name)


def _fail(draft: Draft, name: str, reason: str, message: str) -> None:
    draft.change(
        name,
        phase=RevisionPhase.FAILED,
        failure=draft.failure(reason, message),
        message=f"{reason}: {message}",
    )
    draft.tell(EventType.WARNING, reason, f"{name} failed before it served: {message}", name)
