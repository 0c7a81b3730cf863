"""One image against the policies that speak of it: its signatures and what is attested of it.

All policies in mode Enforce must hold. One in mode Audit only adds to the message. An image of
which no policy speaks is refused.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from immutablerelease.api.attestations import Attestation, SignatureNeed
from immutablerelease.api.authorities import SignatureFormat
from immutablerelease.api.policy import Mode, Policy

from .artifact import Artifact, Found
from .attestations import AttestationCheck, narrowed
from .authorities import Authorities, load_authorities
from .discovery import Attachments
from .errors import (
    DigestMismatch,
    IntegrityError,
    RegistryUnavailable,
    VerificationError,
    WrongIdentity,
    WrongKey,
    WrongLogEntry,
    WrongPredicateType,
    WrongSubject,
)
from .evaluation import Evaluation, evaluate
from .multiarch import find_parent
from .reference import Reference
from .registry import Registry
from .rules import RuleEvaluator
from .trust import NO_TRUST, Trust
from .verdict import Outcome, Reason, combine_policies

# Which of several problems names the refusal: what a trusted key did wrong says most.
_TELLING = (
    WrongSubject,
    WrongPredicateType,
    WrongLogEntry,
    DigestMismatch,
    IntegrityError,
    WrongIdentity,
    WrongKey,
)
_SHOWN_PROBLEMS = 3
_SIGN = "sign the image with a trusted key, then ask for a Retry"


class ImageCheck:
    """Judges one image; what is attached to it is fetched once for all policies, when needed."""

    def __init__(
        self,
        registry: Registry,
        reference: Reference,
        digest: str,
        *,
        seconds: float,
        rules: RuleEvaluator,
        trust: Trust = NO_TRUST,
    ) -> None:
        """`seconds` bounds the time for one policy, so that none takes that of another."""
        self._trust = trust
        self._seconds = seconds
        self._rules = rules
        self._registry = registry
        self._reference = reference
        self._digest = digest
        self._attachments = Attachments(registry, reference, digest)

    async def run(self, policies: Sequence[Policy]) -> Outcome:
        """The outcome of all the policies, which are those that match the image."""
        enforced = [policy for policy in policies if policy.spec.mode is Mode.ENFORCE]
        audited = [policy for policy in policies if policy.spec.mode is Mode.AUDIT]
        outcomes = [_named(policy, await self._policy(policy)) for policy in enforced]
        outcomes += [_audited(policy, await self._policy(policy)) for policy in audited]
        if not outcomes:
            return no_policy(self._reference)
        if enforced:
            # What is only audited must not make the whole look less enforced than it is.
            notes = outcomes[len(enforced) :]
            whole = combine_policies(outcomes[: len(enforced)])
            return replace(
                whole,
                message="; ".join([whole.message, *(note.message for note in notes)]),
                retry=whole.retry or any(note.retry for note in notes),
            )
        return combine_policies(outcomes)

    async def _policy(self, policy: Policy) -> Outcome:
        try:
            async with asyncio.timeout(self._seconds):
                outcome = await self._required(policy)
                if outcome.verdict == "Refused" and policy.spec.parents:
                    return await self._through_parent(policy, outcome)
                return outcome
        except VerificationError as error:
            return Outcome.of_error(error)
        except TimeoutError:
            late = f"signatures of {self._reference.name} were not read in {self._seconds:g} s"
            return Outcome.of_error(RegistryUnavailable(late))

    async def _through_parent(self, policy: Policy, alone: Outcome) -> Outcome:
        """What the policy makes of an index that it names and that lists the image."""
        parents = policy.spec.parents
        parent = await find_parent(self._registry, self._reference, self._digest, parents)
        if parent is None:
            return replace(alone, message=f"{alone.message}; no index in `parents` lists the image")
        check = ImageCheck(
            self._registry,
            self._reference,
            parent,
            seconds=self._seconds,
            rules=self._rules,
            trust=self._trust,
        )
        outcome = await check._required(policy)
        return replace(
            outcome,
            message=f"through the index {parent}: {outcome.message}",
            evidence=tuple(
                (name, replace(signer, parent=parent)) for name, signer in outcome.evidence
            ),
        )

    async def _required(self, policy: Policy) -> Outcome:
        """The signature and every attestation, until one does not hold."""
        spec, name = policy.spec, policy.metadata.name
        if spec.unsafe_allow_unsigned and not spec.authorities and not spec.attestations:
            return Outcome(
                "Verified", Reason.UNSIGNED_ALLOWED, f"policy {name} lets unsigned images run"
            )
        outcomes = []
        if spec.signature is SignatureNeed.REQUIRED or not spec.attestations:
            outcomes.append(await self._signatures(policy))
        for wanted in spec.attestations:
            if outcomes and outcomes[-1].verdict != "Verified":
                break
            outcomes.append(await self._attestation(policy, wanted))
        return combine_policies(outcomes)

    async def _attestation(self, policy: Policy, wanted: Attestation) -> Outcome:
        authorities = await asyncio.to_thread(
            load_authorities, narrowed(policy, wanted), self._trust
        )
        check = AttestationCheck(self._attachments, self._digest, self._rules)
        outcome = await check.outcome(policy.metadata.name, wanted, authorities)
        if outcome.reason == Reason.ATTESTATION_MISSING:
            await self._require_image()
        return outcome

    async def _require_image(self) -> None:
        """A registry that hides the image hides what is attached as well: that is not unsigned."""
        await self._registry.image(replace(self._reference, digest=self._digest))

    async def _signatures(self, policy: Policy) -> Outcome:
        authorities = await asyncio.to_thread(load_authorities, policy, self._trust)
        found: list[Found] = []
        evaluation = Evaluation((), ())
        # In the order of the layouts, not of the policy: one order, one set of requests.
        for format_ in (item for item in SignatureFormat if item in policy.spec.formats):
            found.append(await self._attachments.signatures(format_))
            evaluation = await self._evaluate(found, authorities)
            if len(evaluation.signers) >= policy.spec.quorum:
                return _signed(policy, evaluation)
            # What could not be read may be what is missing: neither refuse, nor look elsewhere.
            unknown = next((item for item in evaluation.problems if item.retry), None)
            if unknown is not None:
                return Outcome.of_error(unknown)
        if not evaluation.problems:
            await self._require_image()
        return _refused(policy, authorities, evaluation, sum(item.others for item in found))

    async def _evaluate(self, found: Sequence[Found], authorities: Authorities) -> Evaluation:
        artifacts: list[Artifact] = [item for part in found for item in part.artifacts]
        problems = tuple(item for part in found for item in part.problems)
        result = await asyncio.to_thread(evaluate, artifacts, authorities, self._digest)
        return Evaluation(result.signers, (*result.problems, *problems))


def no_policy(reference: Reference) -> Outcome:
    """Nobody said whom to trust for this image."""
    return Outcome(
        "Refused",
        Reason.NO_POLICY,
        f"no ReleasePolicy speaks of {reference.name} in this namespace; ask a cluster admin to "
        "cover it",
    )


def _signed(policy: Policy, evaluation: Evaluation) -> Outcome:
    names = ", ".join(signer.authority for signer in evaluation.signers)
    return Outcome(
        "Verified",
        Reason.SIGNED,
        f"signed by {names} as policy {policy.metadata.name} wants",
        tuple((policy.metadata.name, signer) for signer in evaluation.signers),
    )


def _refused(
    policy: Policy, authorities: Authorities, evaluation: Evaluation, attestations: int
) -> Outcome:
    wanted = (
        f"policy {policy.metadata.name} wants {policy.spec.quorum} of "
        f"{', '.join(authorities.names)} in {' or '.join(policy.spec.formats)}"
    )
    problems = sorted(evaluation.problems, key=_rank)
    told = "; ".join(str(problem) for problem in problems[:_SHOWN_PROBLEMS])
    if evaluation.signers:
        names = ", ".join(signer.authority for signer in evaluation.signers)
        detail = f" ({told})" if told else ""
        return Outcome(
            "Refused", Reason.QUORUM_NOT_MET, f"{wanted}, found {names}{detail}; {_SIGN}"
        )
    if problems:
        advice = problems[0].advice if isinstance(problems[0], IntegrityError) else _SIGN
        return Outcome("Refused", problems[0].reason, f"{wanted}, but {told}; {advice}")
    besides = f" but {attestations} attestations" if attestations else ""
    return Outcome("Refused", Reason.UNSIGNED, f"{wanted}, found no signature{besides}; {_SIGN}")


def _rank(problem: VerificationError) -> int:
    kinds = (index for index, kind in enumerate(_TELLING) if isinstance(problem, kind))
    return next(kinds, len(_TELLING))


def _named(policy: Policy, outcome: Outcome) -> Outcome:
    if outcome.verdict != "Refused":
        return outcome
    return replace(outcome, refused_by=frozenset({policy.metadata.name}))


def _audited(policy: Policy, outcome: Outcome) -> Outcome:
    """A policy in mode Audit never blocks; what it would have said is told."""
    would = "holds" if outcome.verdict == "Verified" else f"would say {outcome.reason}"
    return Outcome(
        "Verified",
        Reason.NOT_ENFORCED,
        f"policy {policy.metadata.name} is in mode Audit and {would}: {outcome.message}",
        outcome.evidence,
        retry=outcome.verdict != "Verified",
    )
