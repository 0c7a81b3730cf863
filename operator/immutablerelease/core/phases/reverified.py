"""Is what runs still proven? It is verified again when policies change, and when its time is over.

What was verified when it was admitted stays admitted: the record of the route names it rightly, and
its Pods are kept while it serves. That it is refused by now is told beside that, and no revert,
rollback or promotion goes to it.
"""

from immutablerelease.api.conditions import Status, find_condition
from immutablerelease.api.revision import Refusal, RevisionPhase

from ..draft import IN_FLIGHT, LONGEST_REASON, REFUSED, Draft, clip
from ..plan import EventType, Verify
from ..snapshot import VerdictView
from . import target as targets
from .route import REVOKED
from .verified import as_status, decided, proven, reject


def reverify(draft: Draft) -> None:
    """Have all that runs or may run again verified anew where that is due, and take the verdicts.

    Without a verdict the last one stands: a registry that is down refuses nothing.
    """
    for name in list(draft.revisions):
        _bar(draft, name)
        if not _concerned(draft, name):
            continue
        again = decided(draft, name)
        if again and not _due(draft, name):
            _tell_what_stands(draft, name)
            continue
        verdict = draft.snapshot.verdicts.get(name)
        if verdict is None or not _news(draft, name, verdict):
            draft.verify.append(Verify(name, draft.snapshot.policies, again=again))
        elif verdict.verdict == "Unknown":
            draft.verify.append(Verify(name, draft.snapshot.policies, again=again))
            _doubt(draft, name, verdict)
        elif verdict.verdict == "Verified":
            _confirm(draft, name, verdict)
        else:
            _refuse(draft, name, verdict)


def revoked(draft: Draft, name: str) -> bool:
    """Whether a policy that refuses it by now wants its traffic moved."""
    refusal = draft.revisions[name].refusal
    return refusal is not None and refusal.revert


def replacement(draft: Draft, leaving: str) -> str | None:
    """Where the traffic of a refused revision goes: the newest that the present policies verify."""
    return next((name for name in targets.eligible(draft, leaving) if proven(draft, name)), None)


def undecided(draft: Draft, leaving: str) -> bool:
    """Whether a verdict is being reached on a better place to go to than is known."""
    for name in targets.eligible(draft, leaving):
        if decided(draft, name):
            return False
        verdict = draft.snapshot.verdicts.get(name)
        if verdict is None or verdict.policies != draft.snapshot.policies:
            return True
        if verdict.verdict == "Verified":
            # Reached, and on record after this plan.
            return True
    return False


def _bar(draft: Draft, name: str) -> None:
    """What is refused and does not serve any more is no place to go to."""
    status = draft.revisions[name]
    if status.refusal is None or name == draft.leaving or status.phase in REFUSED:
        return
    message = f"refused since: {status.refusal.reason}: {status.refusal.message}"
    draft.change(name, phase=RevisionPhase.REJECTED, message=message)


def _concerned(draft: Draft, name: str) -> bool:
    """Whether it was admitted, and serves or may serve again; the rest is `verify`'s."""
    status = draft.revisions[name]
    if not draft.verified(name) or name == draft.lost:
        return False
    if name == draft.active:
        return True
    if status.phase in IN_FLIGHT:
        return name == draft.wanted and decided(draft, name)
    if status.phase is RevisionPhase.REJECTED:
        return status.refusal is not None
    return status.phase is not RevisionPhase.FAILED


def _due(draft: Draft, name: str) -> bool:
    """Whether its verdict is too old; what was refused and is wanted waits for other policies."""
    status = draft.revisions[name]
    if status.phase is RevisionPhase.REJECTED and name == draft.wanted:
        return False
    newest = status.refusal or status.verification
    if newest is None or newest.due is None:
        return False
    if draft.now >= newest.due:
        return True
    draft.wake(newest.due)
    return False


def _news(draft: Draft, name: str, verdict: VerdictView) -> bool:
    """Whether the verdict is by the present policies, and younger than the one that stands."""
    newest = draft.revisions[name].refusal or draft.revisions[name].verification
    if verdict.policies != draft.snapshot.policies or newest is None:
        return False
    return newest.policies != verdict.policies or verdict.at > newest.time


def _doubt(draft: Draft, name: str, verdict: VerdictView) -> None:
    status, reason, message = _stands(draft, name)
    doubt = f"could not be verified again: {verdict.reason}: {verdict.message}"
    draft.mark(name, "Verified", status, reason, f"{doubt}; before that: {message}")


def _tell_what_stands(draft: Draft, name: str) -> None:
    if find_condition(draft.revisions[name].conditions, "Verified") is not None:
        draft.mark(name, "Verified", *_stands(draft, name))


def _stands(draft: Draft, name: str) -> tuple[Status, str, str]:
    """The verdict that stands, as a condition tells it."""
    status = draft.revisions[name]
    if status.refusal is not None:
        advice = (
            "it serves on; release a version that the policies verify, or correct the policy"
            if name == draft.active
            else "no traffic goes to it unless the policies verify it again"
        )
        return Status.FALSE, status.refusal.reason, f"{status.refusal.message}; {advice}"
    if status.verification is None:
        return Status.UNKNOWN, "Pending", f"not known yet of {name}"
    return Status.TRUE, status.verification.reason, status.verification.message


def _confirm(draft: Draft, name: str, verdict: VerdictView) -> None:
    refused = draft.revisions[name].refusal is not None
    draft.change(name, verification=as_status(verdict), refusal=None)
    draft.mark(name, "Verified", *_stands(draft, name))
    if refused:
        _readmit(draft, name)
        draft.tell(EventType.NORMAL, "Verified", f"{name}, verified again: {verdict.message}", name)


def _readmit(draft: Draft, name: str) -> None:
    """Where it goes on, now that it may: what is wanted is tested anew."""
    if draft.revisions[name].phase is not RevisionPhase.REJECTED:
        return
    if name != draft.wanted:
        draft.change(name, phase=RevisionPhase.SUPERSEDED, message="verified again")
        return
    draft.change(
        name,
        phase=RevisionPhase.PENDING,
        started_at=None,
        tested_at=None,
        approved=False,
        message="verified again",
    )


def _refuse(draft: Draft, name: str, verdict: VerdictView) -> None:
    status = draft.revisions[name]
    if name != draft.active and status.phase in IN_FLIGHT:
        reject(draft, name, verdict)
        return
    refusal = Refusal(
        reason=clip(verdict.reason, LONGEST_REASON),
        message=clip(verdict.message),
        policies=verdict.policies,
        time=verdict.at,
        due=verdict.due,
        revert=verdict.revert,
    )
    draft.change(name, refusal=refusal)
    _bar(draft, name)
    draft.mark(name, "Verified", *_stands(draft, name))
    if status.refusal is None:
        draft.tell(EventType.WARNING, REVOKED, f"{name}: {verdict.message}", name)
