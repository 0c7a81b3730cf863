"""How large is the candidate's share? Step by step, each held for as long as the release says.

A step begins when the candidate has the Pods that it needs and all of them pass, and counts from
when the traffic is known to go by it.
"""

from datetime import timedelta

from immutablerelease.api.revision import RevisionPhase
from immutablerelease.api.strategy import CanaryStep

from ..draft import SOON, Draft
from ..plan import EventType
from ..shares import by_weight, clash, router
from .demand import DRAIN, held, next_step, paused, size, steps
from .sharing import crowded, in_effect, share, shares


def shift(draft: Draft, name: str) -> tuple[str, str] | None:
    """Take a candidate whose Pods all pass one step further; the failure, where it cannot be."""
    step = next_step(draft, name)
    active = draft.active
    if step is None or active is None:
        return None
    if shares(draft, name):
        # A status that was lost on the way is caught up with.
        draft.change(name, phase=RevisionPhase.SHIFTING)
    if not _begun(draft, name):
        # It lost its share on the way.
        begin(draft, name)
    elif failure := _unreachable(draft, name, active, step):
        return failure
    elif not _recorded(draft, name, step):
        _move(draft, name, step)
    elif not in_effect(draft):
        draft.change(name, message=f"{_title(draft, name)}: waiting for {awaited(draft)}")
    elif draft.revisions[name].step_at is None:
        _took_effect(draft, name, step)
    elif paused(draft, name):
        draft.change(name, message=f"{_title(draft, name)} and waits for a ReleaseAction Promote")
    elif not held(draft, name):
        _go_on(draft, name)
    return None


def add(draft: Draft, name: str) -> bool:
    """Make a candidate known to the router before it gets traffic; whether it is."""
    record = draft.record
    if draft.snapshot.route.leftover:
        # It sends requests by weights of its own.
        draft.change(name, message=f"waiting for {awaited(draft)}")
        return False
    if record is None or not by_weight(draft.snapshot.release):
        return True
    if record.candidate == name and in_effect(draft):
        return True
    if not draft.serving(record.revision):
        # Nobody answers anyway: what is late can harm no request, and waiting helps none.
        return True
    # The next record names nothing that was left: what was has to be drained by then.
    drained = record.previous is None or draft.elapsed(record.at, DRAIN)
    if record.candidate != name and not drained:
        draft.wake(record.at + timedelta(seconds=DRAIN))
    elif record.candidate != name and in_effect(draft):
        share(draft, name, 0, 0, f"{name} is made known, without traffic")
    draft.change(name, message=f"waiting for {awaited(draft)}")
    return False


def _begun(draft: Draft, name: str) -> bool:
    """Whether the steps that its status tells of are those that the route knows of."""
    status, record = draft.revisions[name], draft.record
    known = record is not None and record.candidate == name
    return known or (status.step == 0 and status.step_at is None)


def begin(draft: Draft, name: str) -> None:
    """From the first step."""
    draft.change(name, step=0, step_at=None, approved_step=None, started_at=draft.now)
    draft.wake(draft.now + SOON)


def _unreachable(draft: Draft, name: str, active: str, step: CanaryStep) -> tuple[str, str] | None:
    if by_weight(draft.snapshot.release) or step.weight == 0:
        return None
    text = clash(draft.ports(active), draft.ports(name))
    advice = "name the ports of the containers, use blueGreen, or a router"
    return ("PortsDiffer", f"one Service cannot serve both: {text}; {advice}") if text else None


def _recorded(draft: Draft, name: str, step: CanaryStep) -> bool:
    record = draft.record
    return record is not None and (record.candidate, record.weight, record.mirror) == (
        name,
        step.weight,
        step.mirror,
    )


def _move(draft: Draft, name: str, step: CanaryStep) -> None:
    if draft.answers or not draft.settled:
        draft.wake(draft.now + SOON)
        return
    draft.change(name, phase=RevisionPhase.SHIFTING, step_at=None)
    if not add(draft, name):
        return
    surplus = _surplus(draft, name)
    if step.weight > 0 and surplus and not by_weight(draft.snapshot.release):
        draft.change(name, message=f"waiting for Pods of {', '.join(surplus)} to be gone")
        return
    title = _title(draft, name)
    share(draft, name, step.weight, step.mirror, title)
    draft.change(name, message=title)


def _surplus(draft: Draft, name: str) -> list[str]:
    """Revisions with Pods that a Service that selects every Pod would send too much traffic to.

    The candidate is one of them when it comes back from being warm, larger than its step.
    """
    allowed = {name: size(draft, name)}
    return sorted(
        other
        for other in draft.snapshot.pods
        if other != draft.active and len(draft.pods(other)) > allowed.get(other, 0)
    )


def awaited(draft: Draft) -> str:
    """What is missing for traffic to go by the record."""
    asked, route = router(draft.snapshot.release), draft.snapshot.route
    if route.leftover:
        return "what carried the traffic before to be gone"
    if asked is not None:
        refused = route.router.refused
        message = f"the API server refuses it: {refused}" if refused else route.router.message
        return f"{asked.called}: {message}" if message else f"{asked.called} to route by it"
    return "its Pods to be endpoints of the Service" if crowded(draft) else "the Service"


def _took_effect(draft: Draft, name: str, step: CanaryStep) -> None:
    title = _title(draft, name)
    until = draft.now + timedelta(seconds=step.hold)
    wait = f" until {until:%H:%M:%S} UTC" if step.hold else ""
    draft.change(name, step_at=draft.now, message=f"{title}{wait}")
    draft.tell(EventType.NORMAL, "StepReached", f"{name} is {title}", name)
    draft.wake(draft.now + SOON)


def _go_on(draft: Draft, name: str) -> None:
    passed = draft.revisions[name].step + 1
    left = passed < len(steps(draft))
    draft.change(
        name,
        step=passed,
        step_at=None,
        approved_step=None,
        started_at=draft.now,
        message="getting ready for its next step" if left else "growing to full size",
    )
    draft.wake(draft.now + SOON)


def _title(draft: Draft, name: str) -> str:
    step = next_step(draft, name)
    number = draft.revisions[name].step + 1
    weight = step.weight if step else 100
    return f"at step {number} of {len(steps(draft))}, {weight}% of the traffic"
