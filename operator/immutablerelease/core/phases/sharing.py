"""Does the candidate have a part of the traffic, is that in effect, and is it to lose it?

A share is lost in one write, whatever else is going on: all traffic goes to what served before,
which was never made smaller.
"""

from dataclasses import replace

from immutablerelease.api.revision import RevisionPhase

from .. import signals
from ..draft import Draft
from ..plan import EventType
from ..shares import by_weight, receivers, selection
from ..snapshot import EVERY, RouteRecord
from . import target as targets
from .probed import failures
from .route import ABORTED, FAILED, REVERTED, ROLLED_BACK, SHIFTED, WITHDRAWN, settle
from .target import Fitness

# Where no proxy can be asked, a move counts from this long after it was written. Istio collects
# changes for 10 s at most before it sends them (PILOT_DEBOUNCE_MAX); the rest is for the way.
SETTLE = 15.0


def retreat(draft: Draft) -> None:
    """Take the share of a candidate that fails away, where that helps."""
    name = _sharer(draft)
    record = draft.record
    if name is None or record is None or draft.moved or draft.route_taken:
        return
    if name in draft.revisions and (failure := broken(draft, name)) is not None:
        _revert(draft, name, *failure)
    elif not draft.serving(name) and any(signals.died(pod) for pod in draft.pods(name)):
        _revert(draft, name, "NoReadyPods", f"no Pod of {name} is ready")
    elif not draft.serving(name) and draft.serving(record.revision):
        # A router would go on sending requests to nobody; whether it failed is seen later.
        suspend(draft, record, f"no Pod of {name} is ready")


def reroute(draft: Draft) -> None:
    """Take back a share that was given by what does not carry the traffic now; it is given anew.

    The weight of a router is no share of Pods, nor the other way round, and a router that does not
    know of a candidate has to be told of it first.
    """
    record = draft.record
    if record is None or record.candidate is None or record.weight == record.mirror == 0:
        return
    if draft.moved or draft.route_taken or not draft.serving(record.revision):
        return
    if _uncarried(draft):
        suspend(draft, record, "something else carries the traffic by now")


def _uncarried(draft: Draft) -> bool:
    """Whether the share was given by a router and none is asked for, or the other way round."""
    route = draft.snapshot.route
    if by_weight(draft.snapshot.release):
        return route.router.installed and route.router.record is None
    return route.leftover and route.selected != EVERY


def suspend(draft: Draft, record: RouteRecord, why: str) -> None:
    """All traffic to what serves; the candidate keeps its place and its step."""
    name = record.candidate or ""
    draft.move(replace(record, weight=0, mirror=0, at=draft.now))
    if name in draft.revisions:
        draft.change(name, step_at=None, started_at=draft.now)
    draft.tell(EventType.WARNING, "ShareTaken", why, name)


def withdraw(draft: Draft) -> None:
    """What is not the candidate any more has no place in the route."""
    record = draft.record
    if record is None or record.candidate is None or draft.moved or draft.route_taken:
        return
    name = record.candidate
    # A move to what has no Pod would fail, and hold up all that could give it some.
    if name == draft.candidate or not draft.serving(record.revision):
        return
    status = draft.revisions.get(name)
    failure = status.failure if status and status.phase is RevisionPhase.FAILED else None
    if failure is None:
        take_back(draft, name, WITHDRAWN, f"{name} is no candidate any more")
    else:
        asked = failure.reason in (ABORTED, ROLLED_BACK)
        reason = failure.reason if asked else FAILED
        asker = status.last_action if status and reason == ABORTED else None
        take_back(draft, name, reason, failure.message, asker)


def take_back(
    draft: Draft, name: str, reason: str, message: str, action: str | None = None
) -> None:
    """All traffic to what serves, in one write; the mark of who asked for it goes with it."""
    record = draft.record
    if record is None:
        return
    mark = action or record.action
    draft.move(RouteRecord(record.revision, reason, message, draft.now, previous=name, action=mark))
    if name in draft.revisions:
        draft.change(name, left_at=draft.now)
    settle(draft)


def refuge(draft: Draft) -> str | None:
    """The candidate, where it has a share and is all that still answers."""
    name, active = _sharer(draft), draft.active
    if name is None or active is None or draft.serving(active):
        return None
    return name if draft.verified(name) and targets.passes(draft, name) else None


def shares(draft: Draft, name: str) -> bool:
    """Whether a revision has a part of the traffic besides what serves."""
    return _sharer(draft) == name


def crowded(draft: Draft) -> bool:
    """Whether the Service selects every Pod of the release."""
    record = draft.record
    return record is not None and selection(draft.snapshot.release, record) == EVERY


def in_effect(draft: Draft) -> bool:
    """Whether traffic is known to go by the record."""
    record, route = draft.record, draft.snapshot.route
    if record is None or route.record != record or draft.moved:
        return False
    if by_weight(draft.snapshot.release):
        router = route.router
        if router.record != record or not router.faithful or not router.accepted:
            return False
        # Those who cannot be asked are given the time to take it up.
        return draft.elapsed(record.at, SETTLE) if router.proven is None else router.proven
    if route.selected != selection(draft.snapshot.release, record):
        return False
    return all(
        pod.name in route.endpoints for name in receivers(record) for pod in draft.serving(name)
    )


def broken(draft: Draft, name: str) -> tuple[str, str] | None:
    """Reason and message when the Pods of a candidate, or its Deployment, show that it is bad."""
    pods = draft.pods(name)
    if failure := signals.workload_failure(pods):
        return failure
    failing = failures(draft, name, pods)
    if failing:
        return "ProbeFailed", next(iter(failing.values()))
    deployment = draft.deployment(name)
    if deployment is not None and not deployment.intact:
        return "TemplateChanged", f"its {draft.spec.workload} was changed: {deployment.message}"
    return None


def _sharer(draft: Draft) -> str | None:
    record = draft.record
    return record.candidate if record is not None and record.weight > 0 else None


def _revert(draft: Draft, name: str, reason: str, message: str) -> None:
    """Where what serves fails the same way nothing is gained by a revert, and nothing proven."""
    active = draft.active
    if active is None:
        return
    states = draft.snapshot.probes.get(name, {})
    failing = signals.failing(draft.serving(name), draft.probes(name), states, draft.now)
    fitness = targets.examine(draft, active, failing).fitness
    if fitness is Fitness.READY or (fitness is Fitness.UNPROVEN and not draft.serving(name)):
        take_back(draft, name, REVERTED, f"{reason}: {message}")
        draft.tell(
            EventType.WARNING,
            "Reverted",
            f"traffic went from {name} back to {active}: {message}",
            name,
        )
    else:
        targets.look_again(draft, name)


def share(draft: Draft, name: str, weight: int, mirror: int, message: str) -> None:
    """Give the candidate a part of the traffic, once what serves can have the rest."""
    record = draft.record
    if record is not None and draft.serving(record.revision):
        draft.move(
            replace(
                record,
                reason=SHIFTED,
                message=message,
                at=draft.now,
                previous=None,
                candidate=name,
                weight=weight,
                mirror=mirror,
            )
        )
