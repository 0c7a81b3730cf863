"""The verifier as the rest of the operator uses it: resolve images, verify them, forget nothing.

Only passes are kept, and only for a while: an error or a refusal is asked anew, and a refusal ends
what was kept. Who verifies again says how old an answer may be. The key of what is
kept holds the image, the content of every policy that spoke of it, with its formats, keys and trust
roots, and the access that was used. So neither a policy that changed, nor a trust root that did,
nor somebody else's credentials are ever answered from memory. Equal questions at the same time are
asked once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from immutablerelease.api.policy import Policy

from .access import Access
from .authorization import Authorizer
from .errors import (
    InternalFault,
    InvalidReference,
    RegistryUnavailable,
    VerificationError,
    quote,
)
from .matching import matches_image, matches_namespace, spec_hash
from .policy import ImageCheck, no_policy
from .reference import Reference, parse_reference
from .registry import Registry
from .resolve import Resolved, resolve
from .rules import RuleEvaluator
from .soundness import require_sound
from .transport import Limits, Transport
from .trust import NO_TRUST, Trust
from .verdict import ImageUse, Outcome, Verdict, combine_images

# Image, policies that speak of it with all that they rely on, and how registries were reached.
_Question = tuple[str, tuple[tuple[str, str], ...], str]


class Observer(Protocol):
    """Told of every verdict, for metrics."""

    def on_verdict(self, verdict: Verdict, seconds: float) -> None:
        """A verdict was reached after that many seconds."""


@dataclass(frozen=True)
class _Kept:
    outcome: Outcome
    # When it was asked for; what was signed or deleted later is not in it.
    asked: float
    until: float


class Verifier:
    """Resolves and verifies images. One for the process; close it at the end."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        observer: Observer | None = None,
        limits: Limits | None = None,
        keep_seconds: float = 600.0,
        keep_images: int = 4096,
    ) -> None:
        """Nothing is opened before the first question.

        Args:
            clock: monotonic seconds.
            observer: told of every verdict.
            limits: bounds for what is asked of registries.
            keep_seconds: how long a pass is answered from memory.
            keep_images: how many passes are kept.
        """
        self._clock = clock
        self._observer = observer
        self._limits = limits or Limits()
        self._keep_seconds = keep_seconds
        self._keep_images = keep_images
        self._transport = Transport(self._limits)
        self._authorizer = Authorizer(self._transport, clock)
        self._rules = RuleEvaluator()
        self._kept: OrderedDict[_Question, _Kept] = OrderedDict()
        self._running: dict[_Question, asyncio.Task[Outcome]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._transport.close()

    async def resolve(self, image: str, access: Access) -> Resolved:
        """The digest that the image has now; raises VerificationError and nothing else."""
        try:
            async with asyncio.timeout(self._limits.image_seconds):
                return await resolve(image, self._registry(access))
        except VerificationError:
            raise
        except TimeoutError as error:
            raise RegistryUnavailable(f"image {image} was not resolved in time") from error
        except Exception as error:
            raise InternalFault(f"resolving {quote(image)}: {type(error).__name__}") from error

    async def verify(
        self,
        images: Sequence[ImageUse],
        policies: Sequence[Policy],
        *,
        namespace: str,
        namespace_labels: Mapping[str, str],
        access: Access,
        trust: Trust = NO_TRUST,
        max_age: float | None = None,
    ) -> Verdict:
        """The verdict on all images, by all policies of the cluster that match.

        `trust` holds what `trust.references` of the policies names. With `max_age` no registry is
        answered for from memory that was asked more than so many seconds ago.
        """
        started = self._clock()
        matching = [
            policy
            for policy in policies
            if matches_namespace(policy.spec, namespace, namespace_labels)
        ]
        outcomes = await asyncio.gather(
            *(self._image(use.image, matching, access, trust, max_age) for use in images)
        )
        verdict = combine_images(images, outcomes)
        if self._observer is not None:
            self._observer.on_verdict(verdict, self._clock() - started)
        return verdict

    async def require_sound(self, policy: Policy, trust: Trust) -> None:
        """That the policy can be applied; raises VerificationError and nothing else."""
        try:
            await require_sound(policy, trust, self._rules)
        except VerificationError:
            raise
        except Exception as error:
            raise InternalFault(f"reading the policy: {type(error).__name__}") from error

    async def _image(
        self,
        image: str,
        policies: Sequence[Policy],
        access: Access,
        trust: Trust,
        max_age: float | None,
    ) -> Outcome:
        try:
            reference = parse_reference(image)
            if reference.digest is None:
                raise InvalidReference(f"image {quote(image)} is not pinned to a digest")
            digest = reference.digest
            return await self._answer(reference, digest, policies, access, trust, max_age)
        except VerificationError as error:
            return Outcome.of_error(error)
        except Exception as error:  # noqa: BLE001 - whatever went wrong must not pass
            return Outcome.of_error(InternalFault(f"verifying: {type(error).__name__}"))

    async def _answer(
        self,
        reference: Reference,
        digest: str,
        policies: Sequence[Policy],
        access: Access,
        trust: Trust,
        max_age: float | None,
    ) -> Outcome:
        matching = [policy for policy in policies if matches_image(policy.spec, reference.name)]
        if not matching:
            return no_policy(reference)
        question = (
            reference.by_digest(digest),
            tuple(sorted((policy.metadata.name, spec_hash(policy, trust)) for policy in matching)),
            access.fingerprint(reference),
        )
        kept = self._kept.get(question)
        if kept is not None and self._fresh(kept, max_age):
            self._kept.move_to_end(question)
            return kept.outcome
        task = self._running.get(question)
        if task is None:
            check = ImageCheck(
                self._registry(access),
                reference,
                digest,
                seconds=self._limits.image_seconds,
                rules=self._rules,
                trust=trust,
            )
            task = asyncio.create_task(self._ask(question, check, matching))
            self._running[question] = task
        # Shielded: one that stops waiting must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(
        self, question: _Question, check: ImageCheck, policies: Sequence[Policy]
    ) -> Outcome:
        asked = self._clock()
        try:
            outcome = await check.run(policies)
        finally:
            del self._running[question]
        if outcome.verdict == "Refused":
            self._kept.pop(question, None)
        elif outcome.verdict == "Verified" and not outcome.retry:
            self._keep(question, outcome, asked)
        return outcome

    def _fresh(self, kept: _Kept, max_age: float | None) -> bool:
        now = self._clock()
        return kept.until > now and (max_age is None or kept.asked + max_age >= now)

    def _keep(self, question: _Question, outcome: Outcome, asked: float) -> None:
        self._kept[question] = _Kept(outcome, asked, self._clock() + self._keep_seconds)
        while len(self._kept) > self._keep_images:
            self._kept.popitem(last=False)

    def _registry(self, access: Access) -> Registry:
        return Registry(self._transport, self._authorizer, access)
