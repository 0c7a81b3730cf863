"""Are the images of the candidate proven? Nothing starts before they are."""

from immutablerelease.api.conditions import Status
from immutablerelease.api.revision import RevisionPhase, Verification

from .. import evidence
from ..draft import IN_FLIGHT, LONGEST_REASON, Draft, clip
from ..plan import EventType, Verify
from ..snapshot import VerdictView

# A pass for which nobody made an exception: whoever signed says it all.
_SIGNED = "Signed"
_STATUS = {"Verified": Status.TRUE, "Refused": Status.FALSE, "Unknown": Status.UNKNOWN}


def verify(draft: Draft) -> None:
    """Have the wanted revision verified by the policies that hold now, and take the verdict.

    So is one that the traffic goes to though nothing is known of it, as after a restore from a
    backup without statuses: once it is verified its record can be trusted again.
    """
    for name, status in list(draft.revisions.items()):
        rejected = status.phase is RevisionPhase.REJECTED and status.refusal is None
        undecided = status.phase in IN_FLIGHT or rejected
        if undecided and name != draft.active and name in (draft.wanted, draft.lost):
            _verify(draft, name)


def _verify(draft: Draft, name: str) -> None:
    if decided(draft, name):
        return
    verdict = draft.snapshot.verdicts.get(name)
    if verdict is None or verdict.policies != draft.snapshot.policies:
        draft.verify.append(Verify(name, draft.snapshot.policies))
        return
    _take(draft, name, verdict)


def decided(draft: Draft, name: str) -> bool:
    """Whether the present policies have given a verdict that stands."""
    status = draft.revisions[name]
    if status.refusal is not None:
        return status.refusal.policies == draft.snapshot.policies
    return (
        status.verification is not None
        and status.verification.policies == draft.snapshot.policies
        and status.verification.verdict != "Unknown"
    )


def proven(draft: Draft, name: str) -> bool:
    """Whether the present policies have verified it."""
    return decided(draft, name) and draft.trusted(name)


def as_status(verdict: VerdictView) -> Verification:
    """A verdict as the status of a revision keeps it."""
    return Verification.model_validate(
        {
            "verdict": verdict.verdict,
            "reason": clip(verdict.reason, LONGEST_REASON),
            "message": clip(verdict.message),
            "policies": verdict.policies,
            "time": verdict.at,
            "due": verdict.due,
            "evidence": verdict.evidence,
            "source": verdict.source,
        }
    )


def reject(draft: Draft, name: str, verdict: VerdictView) -> None:
    """Refuse what has not served yet."""
    draft.change(name, verification=as_status(verdict))
    draft.mark(name, "Verified", Status.FALSE, verdict.reason, verdict.message)
    _reject(draft, name, verdict)


def _take(draft: Draft, name: str, verdict: VerdictView) -> None:
    verification = as_status(verdict)
    before = draft.revisions[name].verification
    # Not knowing does not undo what was known: it may be the place that a revert goes to.
    unsure = verdict.verdict == "Unknown" and draft.verified(name)
    if not unsure and (before is None or _news(before, verification)):
        draft.change(name, verification=verification)
    draft.mark(name, "Verified", _STATUS[verdict.verdict], verdict.reason, verdict.message)
    if verdict.verdict == "Unknown":
        draft.verify.append(Verify(name, draft.snapshot.policies))
        draft.change(name, message=f"not verified yet: {verdict.message}")
    elif verdict.verdict == "Refused":
        _reject(draft, name, verdict)
    else:
        _admit(draft, name, verdict)


def _news(before: Verification, now: Verification) -> bool:
    same = before.model_copy(update={"time": now.time, "due": now.due})
    return same != now


def _reject(draft: Draft, name: str, verdict: VerdictView) -> None:
    draft.change(name, phase=RevisionPhase.REJECTED, message=f"{verdict.reason}: {verdict.message}")
    draft.tell(EventType.WARNING, "Rejected", f"{name}: {verdict.message}", name)


def _admit(draft: Draft, name: str, verdict: VerdictView) -> None:
    if draft.revisions[name].phase is RevisionPhase.REJECTED:
        draft.change(name, phase=RevisionPhase.PENDING)
    draft.change(name, message="verified")
    if name == draft.lost and name != draft.wanted:
        # It serves and is not to be tested again: what its status told was lost.
        draft.change(name, tested_at=draft.now)
    draft.tell(EventType.NORMAL, "Verified", _told(name, verdict), name)


def _told(name: str, verdict: VerdictView) -> str:
    """Who signed what, for people; where a policy let something pass, that comes first."""
    if verdict.reason != _SIGNED or not verdict.evidence:
        return f"{name}: {verdict.message}"
    subject = f"{name}, {evidence.origin(verdict.source)}" if verdict.source else name
    return evidence.note(subject, verdict.evidence)
