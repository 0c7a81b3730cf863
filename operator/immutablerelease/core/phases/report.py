"""What is told to people and GitOps tools: phase, conditions and numbers, as kstatus reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from immutablerelease.api.conditions import Condition, Status, find_condition
from immutablerelease.api.meta import RELEASE_LABEL, REVISION_LABEL
from immutablerelease.api.release import ReleasePhase, StepStatus, TrafficShare
from immutablerelease.api.revision import RevisionPhase

from ..draft import REFUSED, Draft, Told
from ..plan import Intent, WriteReleaseStatus, WriteRevisionStatus
from ..shares import Router, router
from ..snapshot import Unresolved
from . import target as targets
from .candidate import AWAITING
from .demand import awaiting_promotion, next_step, steps
from .route import REVOKED
from .sharing import crowded, in_effect


@dataclass(frozen=True)
class Summary:
    """Where the release is, in one word, one reason and one sentence."""

    phase: ReleasePhase
    reason: str
    message: str
    ready: bool = False
    reconciling: bool = False
    stalled: bool = False


def report(draft: Draft) -> None:
    """Bring the numbers and conditions of all statuses up to date."""
    for name in draft.revisions:
        draft.change(name, ready_replicas=len(draft.serving(name)))
    summary = summarise(draft)
    active = draft.active
    draft.change_release(
        observed_generation=draft.snapshot.release.metadata.generation,
        phase=summary.phase,
        active_revision=active,
        candidate_revision=draft.candidate,
        known_good_revision=targets.known_good(draft, active),
        traffic=tuple(_traffic(draft)),
        step=_step(draft),
        replicas=len(draft.pods(active)) if active else 0,
        ready_replicas=len(draft.serving(active)) if active else 0,
        selector=_selector(draft, active),
        conditions=_conditions(draft, summary),
    )


def changed_statuses(draft: Draft) -> Iterator[Intent]:
    """Writes for the statuses that differ from what was observed; the release's is the last."""
    for name, status in draft.revisions.items():
        if status != draft.revision(name).status:
            yield WriteRevisionStatus(name, status)
    if draft.status != draft.snapshot.release.status and not _outdated_at_once(draft):
        yield WriteReleaseStatus(draft.status)


def _outdated_at_once(draft: Draft) -> bool:
    """Whether the next decision tells more right away.

    What is not only told but remembered by the status waits for nothing.
    """
    status, known = draft.status, draft.snapshot.release.status
    remembered = (status.revert, status.source) == (known.revert, known.source)
    return draft.followed and remembered and not draft.moved


def summarise(draft: Draft) -> Summary:
    """Where the release is; the first thing that stands in the way of being ready."""
    views = (
        _conflict,
        _failing,
        _reverting,
        _distrusted,
        _unresolved,
        _refused,
        _in_flight,
        _unrouted,
    )
    for view in views:
        summary = view(draft)
        if summary is not None:
            return summary
    return _settled(draft)


def _conflict(draft: Draft) -> Summary | None:
    if not draft.snapshot.conflicts:
        return None
    names = ", ".join(draft.snapshot.conflicts)
    return Summary(
        ReleasePhase.DEGRADED,
        "NameConflict",
        f"{names} exists and is not this release's; rename or delete it, or rename the release",
        stalled=True,
    )


def _reverting(draft: Draft) -> Summary | None:
    revert = draft.status.revert
    if revert is None:
        return None
    message = f"{revert.target} is being started to take over from {revert.source}"
    return Summary(
        ReleasePhase.REVERTING, "Reverting", f"{message}: {revert.message}", reconciling=True
    )


def _failing(draft: Draft) -> Summary | None:
    active = draft.active
    if active is None or draft.status.revert is not None:
        return None
    healthy = find_condition(draft.revisions[active].conditions, "Healthy")
    if healthy is None or healthy.status is not Status.FALSE:
        return None
    held = healthy.reason in (
        "AlertOnly",
        "NothingToRevertTo",
        "TargetFailsToo",
        "FailsSinceRevert",
    )
    in_flight = draft.candidate is not None
    return Summary(
        ReleasePhase.DEGRADED,
        healthy.reason,
        f"{active}: {healthy.message}",
        stalled=held and not in_flight,
        reconciling=in_flight or not held,
    )


def _distrusted(draft: Draft) -> Summary | None:
    """What serves is refused by now, and no policy wants it left."""
    active = draft.active
    if active is None or draft.trusted(active):
        return None
    verified = find_condition(draft.revisions[active].conditions, "Verified")
    in_flight = draft.candidate is not None
    return Summary(
        ReleasePhase.DEGRADED,
        REVOKED,
        f"{active}: {verified.message if verified else 'refused'}",
        stalled=not in_flight,
        reconciling=in_flight,
    )


def _unresolved(draft: Draft) -> Summary | None:
    if draft.wanted is not None:
        return None
    if draft.spec.paused:
        return Summary(
            ReleasePhase.PAUSED, "Paused", "the spec changed; set paused to false to release it"
        )
    if draft.unrecorded is not None:
        return Summary(
            ReleasePhase.PENDING,
            "NotRecorded",
            f"the API server refuses to record {draft.unrecorded}; raise the quota, grant the "
            "permission or correct the template, whichever it names: it is tried again",
            stalled=True,
        )
    resolution = draft.snapshot.resolution
    if isinstance(resolution, Unresolved) and (
        resolution.template_hash == draft.snapshot.template_hash
    ):
        return Summary(
            ReleasePhase.PENDING, resolution.reason, resolution.message, reconciling=True
        )
    return Summary(
        ReleasePhase.PENDING,
        "Resolving",
        "image tags are being resolved to digests",
        reconciling=True,
    )


def _refused(draft: Draft) -> Summary | None:
    wanted = draft.wanted
    if wanted is None or draft.revisions[wanted].phase not in REFUSED:
        return None
    status = draft.revisions[wanted]
    serving = f"; {draft.active} serves" if draft.active else "; nothing serves"
    message = f"{wanted} {status.message}{serving}; change the spec, or ask for Retry"
    if status.phase is RevisionPhase.REJECTED:
        verdict = status.refusal or status.verification
        reason = verdict.reason if verdict else "Rejected"
        return Summary(ReleasePhase.REJECTED, reason, message, stalled=True)
    reason = status.failure.reason if status.failure else "Failed"
    served = status.active_since is not None or status.left_at is not None
    reverted = served and draft.active is not None
    phase = ReleasePhase.REVERTED if reverted else ReleasePhase.FAILED
    return Summary(phase, reason, message, stalled=True)


def _in_flight(draft: Draft) -> Summary | None:
    name = draft.candidate
    if name is None:
        return None
    status = draft.revisions[name]
    if draft.spec.paused:
        return Summary(ReleasePhase.PAUSED, "Paused", f"{name} waits; set paused to false")
    tested = status.phase in (RevisionPhase.TESTING, RevisionPhase.SHIFTING)
    if tested and awaiting_promotion(draft, name):
        return Summary(
            ReleasePhase.AWAITING_PROMOTION,
            "AwaitingPromotion",
            f"{name}{' is' if status.phase is RevisionPhase.SHIFTING else ''} "
            f"{status.message or AWAITING}",
            reconciling=True,
        )
    message = f"{name} is {status.phase}: {status.message or 'its images are being verified'}"
    return Summary(ReleasePhase.PROGRESSING, str(status.phase), message, reconciling=True)


def _unrouted(draft: Draft) -> Summary | None:
    """The router does not do what it is asked, or nobody knows whether it does."""
    asked, view = router(draft.snapshot.release), draft.snapshot.route.router
    if draft.record is None or asked is None or in_effect(draft):
        return None
    if not view.installed:
        return Summary(ReleasePhase.DEGRADED, _MISSING[asked], view.message, stalled=True)
    if view.refused:
        message = f"the API server refuses the {asked}: {view.refused}; {_CORRECT}"
        return Summary(ReleasePhase.DEGRADED, "RouteRefused", message, stalled=True)
    reason = "RouteNotProven" if view.accepted else "RouteNotAccepted"
    return Summary(ReleasePhase.PROGRESSING, reason, view.message, reconciling=True)


_CORRECT = "correct spec.traffic, or what refuses it; it is tried again"
_MISSING = {Router.GATEWAY: "GatewayApiMissing", Router.ISTIO: "IstioMissing"}


def _settled(draft: Draft) -> Summary:
    active = draft.active
    if active is None:
        return Summary(ReleasePhase.PENDING, "Pending", "nothing serves yet", reconciling=True)
    serving, wanted = (
        len(draft.serving(active)),
        0 if draft.idle(active) else draft.replicas(active),
    )
    message = f"{active} serves with {serving} of {wanted} Pods"
    if serving < wanted:
        return Summary(ReleasePhase.PROGRESSING, "Scaling", message, reconciling=True)
    return Summary(ReleasePhase.ACTIVE, "Active", message, ready=True)


def _traffic(draft: Draft) -> Iterator[TrafficShare]:
    """Percent by revision: weights of a router; on a Service, shares of Pods."""
    record = draft.record
    if record is None:
        return
    weight = record.weight if record.candidate is not None else 0
    if weight and record.candidate and crowded(draft):
        theirs, ours = len(draft.serving(record.candidate)), len(draft.serving(record.revision))
        weight = round(100 * theirs / (theirs + ours)) if theirs + ours else 0
    yield TrafficShare(revision=record.revision, weight=100 - weight)
    if record.candidate is not None:
        yield TrafficShare(revision=record.candidate, weight=weight)


def _step(draft: Draft) -> StepStatus | None:
    name = draft.candidate
    step = next_step(draft, name) if name is not None else None
    if name is None or step is None or draft.revisions[name].phase is not RevisionPhase.SHIFTING:
        return None
    since = draft.revisions[name].step_at
    return StepStatus(
        index=draft.revisions[name].step + 1,
        count=len(steps(draft)),
        weight=step.weight,
        since=since,
        until=since + timedelta(seconds=step.hold) if since and step.hold else None,
    )


def _selector(draft: Draft, active: str | None) -> str:
    release = draft.snapshot.release.metadata.name
    revision = f",{REVISION_LABEL}={active}" if active else ""
    return f"{RELEASE_LABEL}={release}{revision}"


def _conditions(draft: Draft, summary: Summary) -> tuple[Condition, ...]:
    told = {"Ready": (Status.TRUE if summary.ready else Status.FALSE)}
    told |= {"Reconciling": Status.TRUE} if summary.reconciling else {}
    told |= {"Stalled": Status.TRUE} if summary.stalled else {}
    wished = {type_: (status, summary.reason, summary.message) for type_, status in told.items()}
    wished |= _of_revision(draft, "Verified", _in_question(draft))
    wished |= _of_revision(draft, "Healthy", draft.active)
    conditions = tuple(item for item in draft.status.conditions if item.type in wished)
    generation = draft.snapshot.release.metadata.generation
    for type_, told_of in wished.items():
        conditions = draft.told(conditions, type_, told_of, generation)
    return conditions


def _in_question(draft: Draft) -> str | None:
    """The revision whose verification matters most: what serves and is refused, or what is next."""
    active = draft.active
    if active is not None and draft.revisions[active].refusal is not None:
        return active
    return draft.wanted or active


def _of_revision(draft: Draft, type_: str, name: str | None) -> dict[str, Told]:
    """What a condition of a revision says, for the release to say the same."""
    if name is None:
        return {}
    found = find_condition(draft.revisions[name].conditions, type_)
    if found is None:
        return {type_: (Status.UNKNOWN, "Pending", f"not known yet of {name}")}
    return {type_: (found.status, found.reason, found.message)}


_VIEWS = (
    _conflict,
    _failing,
    _reverting,
    _distrusted,
    _unresolved,
    _refused,
    _in_flight,
    _unrouted,
)
