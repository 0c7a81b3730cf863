"""Whether an image has the attestations that a policy wants: signed by whom, saying what.

The signature is checked before anything is read. Then the payload decides what it is and which
image it is about; annotations only spare requests. One that does not count takes nothing away from
another that does, as with signatures: so an old attestation stays good until its rules, which may
look at its age, or its authority say otherwise.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from immutablerelease.api.attestations import Attestation, AttestationFormat
from immutablerelease.api.policy import Policy

from .artifact import Artifact
from .attestation import Attested, parse_attestation
from .authorities import Authorities
from .discovery import Attachments
from .errors import (
    AttestationError,
    IntegrityError,
    InvalidPolicy,
    VerificationError,
    WrongIdentity,
    WrongKey,
    WrongLogEntry,
    WrongPredicateType,
    WrongSubject,
    quote,
)
from .evaluation import Signer, distinct, signed_by
from .provenance import SLSA_TYPES, Provenance, parse_provenance, require_provenance
from .rules import RuleEvaluator
from .sbom import is_wanted, require_sbom
from .statement import SIGNATURE_PREDICATE
from .verdict import Outcome, Reason

# Which of several problems names the refusal: what a trusted authority did wrong says most.
_TELLING = (
    AttestationError,
    WrongSubject,
    WrongPredicateType,
    WrongLogEntry,
    IntegrityError,
    WrongIdentity,
    WrongKey,
)
_SHOWN_PROBLEMS = 3
_ATTEST = "attest it with a trusted authority, then ask for a Retry"


@dataclass(frozen=True)
class _Held:
    """An attestation that counts."""

    signer: Signer
    provenance: Provenance | None


class AttestationCheck:
    """Judges the attestations of one image."""

    def __init__(self, attachments: Attachments, digest: str, rules: RuleEvaluator) -> None:
        self._attachments = attachments
        self._digest = digest
        self._rules = rules

    async def outcome(self, policy: str, wanted: Attestation, authorities: Authorities) -> Outcome:
        """Whether enough of the authorities attested what the policy of that name wants.

        Raises:
            VerificationError: it could not be established, or the policy is not one.
        """
        wants = predicate_types(wanted)
        held: list[_Held] = []
        problems: list[VerificationError] = []
        for format_ in (item for item in AttestationFormat if item in wanted.formats):
            found = await self._attachments.attestations(format_, wants)
            problems += found.problems
            for artifact in found.artifacts:
                try:
                    item = await self._judge(artifact, wanted, authorities)
                except InvalidPolicy:
                    raise
                except VerificationError as error:
                    problems.append(error)
                    continue
                held.append(item)
                counted = _distinct(held)
                if len(counted) >= wanted.quorum:
                    return _attested(policy, wanted, counted)
            # What could not be read may be what is missing: neither refuse, nor look elsewhere.
            unknown = next((problem for problem in problems if problem.retry), None)
            if unknown is not None:
                raise unknown
        return _refused(policy, wanted, _distinct(held), problems)

    async def _judge(
        self, artifact: Artifact, wanted: Attestation, authorities: Authorities
    ) -> _Held:
        signer, attested, provenance = await asyncio.to_thread(
            _read, artifact, wanted, authorities, self._digest
        )
        await self._rules.require(wanted.predicate_rules, attested.predicate)
        return _Held(replace(signer, predicate_type=attested.predicate_type), provenance)


def _distinct(held: Sequence[_Held]) -> tuple[_Held, ...]:
    """Of each signer its first attestation, and of those as many as stand for an authority each."""
    first: dict[str, _Held] = {}
    for item in held:
        first.setdefault(item.signer.name, item)
    signers = distinct([item.signer for item in first.values()])
    return tuple(replace(first[signer.name], signer=signer) for signer in signers)


def narrowed(policy: Policy, wanted: Attestation) -> Policy:
    """The policy with the authorities and the quorum of one of its attestations."""
    spec = policy.spec
    unknown = set(wanted.authorities) - {authority.name for authority in spec.authorities}
    if unknown or not spec.authorities:
        missing = ", ".join(sorted(unknown)) or "any"
        raise InvalidPolicy(
            f"policy {policy.metadata.name}, attestation {wanted.name}: no authority {missing}"
        )
    chosen = [
        authority
        for authority in spec.authorities
        if not wanted.authorities or authority.name in wanted.authorities
    ]
    changes = {"authorities": tuple(chosen), "quorum": wanted.quorum}
    return replace(policy, spec=spec.model_copy(update=changes))


def predicate_types(wanted: Attestation) -> Callable[[str], bool]:
    """Whether a predicate type is of the kind that is wanted; raises InvalidPolicy.

    The API server checks by CEL that exactly one kind is named; what got past it must not pass.
    """
    kinds = [kind for kind in (wanted.predicate_type, wanted.slsa, wanted.sbom) if kind is not None]
    if len(kinds) != 1 or wanted.predicate_type in ("", SIGNATURE_PREDICATE):
        raise InvalidPolicy(
            f"attestation {wanted.name}: expected one of predicateType, slsa and sbom"
        )
    if wanted.slsa is not None:
        return SLSA_TYPES.__contains__
    sbom = wanted.sbom
    if sbom is not None:
        return lambda found: is_wanted(sbom, found)
    return lambda found: found == wanted.predicate_type


def _read(
    artifact: Artifact, wanted: Attestation, authorities: Authorities, digest: str
) -> tuple[Signer, Attested, Provenance | None]:
    """What a trusted authority attested, if it is what is wanted but for the rules."""
    signer, payload = signed_by(artifact, authorities)
    attested = parse_attestation(payload, digest)
    if not predicate_types(wanted)(attested.predicate_type):
        raise WrongPredicateType(
            f"attestation of type {quote(attested.predicate_type)}, expected {_kind(wanted)}"
        )
    provenance = None
    if wanted.slsa is not None:
        provenance = parse_provenance(attested.predicate_type, attested.predicate)
        require_provenance(wanted.slsa, provenance)
    if wanted.sbom is not None:
        require_sbom(attested.predicate_type, attested.predicate)
    return signer, attested, provenance


def _attested(policy: str, wanted: Attestation, held: tuple[_Held, ...]) -> Outcome:
    names = ", ".join(item.signer.authority for item in held)
    source = held[0].provenance
    built = f", built from {source.repository} at {source.commit[:12]}" if source else ""
    return Outcome(
        "Verified",
        Reason.SIGNED,
        f"attestation {wanted.name} by {names} as policy {policy} wants{built}",
        tuple((policy, item.signer) for item in held),
        source=source,
    )


def _refused(
    policy: str, wanted: Attestation, held: tuple[_Held, ...], problems: list[VerificationError]
) -> Outcome:
    whose = f" of {', '.join(wanted.authorities)}" if wanted.authorities else ""
    what = f"attestation {wanted.name}, {_kind(wanted)}, by {wanted.quorum}{whose}"
    wants = f"policy {policy} wants {what}"
    ranked = sorted(problems, key=_rank)
    told = "; ".join(str(problem) for problem in ranked[:_SHOWN_PROBLEMS])
    if held:
        names = ", ".join(item.signer.authority for item in held)
        detail = f" ({told})" if told else ""
        return Outcome(
            "Refused", Reason.QUORUM_NOT_MET, f"{wants}, found {names}{detail}; {_ATTEST}"
        )
    if ranked:
        advice = (
            ranked[0].advice
            if isinstance(ranked[0], AttestationError | IntegrityError)
            else _ATTEST
        )
        return Outcome("Refused", ranked[0].reason, f"{wants}, but {told}; {advice}")
    return Outcome("Refused", Reason.ATTESTATION_MISSING, f"{wants}, found none; {_ATTEST}")


def _kind(wanted: Attestation) -> str:
    if wanted.slsa is not None:
        return "SLSA provenance"
    if wanted.sbom is not None:
        return "SBOM" if wanted.sbom == "Any" else f"SBOM in {wanted.sbom}"
    return quote(wanted.predicate_type)


def _rank(problem: VerificationError) -> int:
    kinds = (index for index, kind in enumerate(_TELLING) if isinstance(problem, kind))
    return next(kinds, len(_TELLING))
