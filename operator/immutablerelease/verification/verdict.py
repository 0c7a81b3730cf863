"""Outcomes per image and the one verdict on all of them.

Every container must verify. One that is definitely refused decides; otherwise one that is unknown
leaves the whole unknown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from immutablerelease.api.revision import ContainerEvidence

from .errors import VerificationError
from .evaluation import Signer
from .provenance import Provenance

# Bounds of the fields in the status.
MAX_MESSAGE = 2048
MAX_EVIDENCE = 256

VerdictKind = Literal["Verified", "Refused", "Unknown"]


class Reason(StrEnum):
    """Reasons that are no errors; an error brings its own."""

    SIGNED = "Signed"
    # Nobody had to sign: an admin's policy says so.
    UNSIGNED_ALLOWED = "UnsignedAllowed"
    # Only policies in mode Audit speak of the image.
    NOT_ENFORCED = "NotEnforced"
    UNSIGNED = "Unsigned"
    QUORUM_NOT_MET = "QuorumNotMet"
    ATTESTATION_MISSING = "AttestationMissing"
    NO_POLICY = "NoPolicy"
    NO_IMAGES = "NoImages"


@dataclass(frozen=True)
class ImageUse:
    """An image, by digest, and the container that runs it or the volume that mounts it."""

    container: str
    init: bool
    image: str
    volume: bool = False
    # Probe whose job runs it.
    job: str | None = None

    def __str__(self) -> str:
        kind = "image volume" if self.volume else "init container" if self.init else "container"
        of_job = f" of job {self.job}" if self.job else ""
        return f"{kind} {self.container}{of_job}, {self.image}"


@dataclass(frozen=True)
class Outcome:
    """What one policy, or all of them, make of one image."""

    verdict: VerdictKind
    reason: str
    message: str
    # Name of the policy and who satisfied it.
    evidence: tuple[tuple[str, Signer], ...] = ()
    # What it was built from, where a policy wanted that proven.
    source: Provenance | None = None
    # Asking again may change it: it is not remembered.
    retry: bool = False
    # Policies that refuse the image.
    refused_by: frozenset[str] = frozenset()

    @classmethod
    def of_error(cls, error: VerificationError) -> "Outcome":
        """An error is never a pass."""
        return cls(error.verdict, error.reason, error.diagnostics(), retry=error.retry)


@dataclass(frozen=True)
class Verdict:
    """The answer on all images of a revision."""

    verdict: VerdictKind
    reason: str
    message: str
    evidence: tuple[ContainerEvidence, ...] = ()
    # Proven source of the first container that has one.
    source: Provenance | None = None
    # Whether asking again may change it with nothing else changed.
    retry: bool = False
    # Policies that refuse one of the images; none where no policy speaks of one.
    refused_by: frozenset[str] = frozenset()


# The weakest pass names the whole: a reader must see that something ran unsigned.
_PASS_ORDER = (Reason.NOT_ENFORCED, Reason.UNSIGNED_ALLOWED, Reason.SIGNED)


def combine_policies(outcomes: Sequence[Outcome]) -> Outcome:
    """All must hold: the policies that speak of an image, or the parts of one."""
    blocking = _worst(outcomes)
    if blocking is not None:
        return replace(blocking, refused_by=_refused_by(outcomes))
    return Outcome(
        "Verified",
        _weakest(outcomes),
        "; ".join(outcome.message for outcome in outcomes),
        tuple(item for outcome in outcomes for item in outcome.evidence),
        source=_first_source(outcomes),
        retry=any(outcome.retry for outcome in outcomes),
    )


def combine_images(uses: Sequence[ImageUse], outcomes: Sequence[Outcome]) -> Verdict:
    """All containers must run verified images; the message names those that do not."""
    if not uses:
        return Verdict("Refused", Reason.NO_IMAGES, "there is no image to verify")
    messages = [
        (outcome, f"{use}: {outcome.message}") for use, outcome in zip(uses, outcomes, strict=True)
    ]
    blocking = _worst(outcomes)
    if blocking is not None:
        shown = [text for outcome, text in messages if outcome.verdict == blocking.verdict]
        return Verdict(
            blocking.verdict,
            blocking.reason,
            _joined(shown),
            retry=blocking.retry,
            refused_by=_refused_by(outcomes),
        )
    return Verdict(
        "Verified",
        _weakest(outcomes),
        _joined([text for _, text in messages]),
        tuple(
            _evidence(use, policy, signer)
            for use, outcome in zip(uses, outcomes, strict=True)
            for policy, signer in outcome.evidence
        )[:MAX_EVIDENCE],
        source=_first_source(
            outcome
            for use, outcome in zip(uses, outcomes, strict=True)
            if not (use.init or use.volume)
        ),
    )


def _worst(outcomes: Sequence[Outcome]) -> Outcome | None:
    for kind in ("Refused", "Unknown"):
        for outcome in outcomes:
            if outcome.verdict == kind:
                return outcome
    return None


def _refused_by(outcomes: Sequence[Outcome]) -> frozenset[str]:
    return frozenset().union(*(outcome.refused_by for outcome in outcomes))


def _weakest(outcomes: Sequence[Outcome]) -> str:
    reasons = {outcome.reason for outcome in outcomes}
    return next(reason for reason in _PASS_ORDER if reason in reasons)


def _first_source(outcomes: Iterable[Outcome]) -> Provenance | None:
    return next((outcome.source for outcome in outcomes if outcome.source is not None), None)


def _joined(messages: Sequence[str]) -> str:
    text = "\n".join(messages)
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 3]}..."


def _evidence(use: ImageUse, policy: str, signer: Signer) -> ContainerEvidence:
    return ContainerEvidence(
        container=use.container,
        volume=use.volume,
        image=use.image,
        policy=policy,
        authority=signer.authority,
        signer=signer.identity.subject if signer.identity else signer.fingerprint,
        identity=signer.identity.subject if signer.identity else None,
        issuer=signer.identity.issuer if signer.identity else None,
        log_index=signer.log_index,
        signed_at=signer.time,
        format=signer.format,
        signature=signer.manifest,
        predicate_type=signer.predicate_type or None,
        parent=signer.parent or None,
    )
