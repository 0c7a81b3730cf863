"""One image in a simulated registry, a policy that trusts alice, and a verifier to ask."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from immutablerelease.api.policy import Policy
from immutablerelease.verification.access import Access
from immutablerelease.verification.transport import Limits
from immutablerelease.verification.trust import NO_TRUST, Trust
from immutablerelease.verification.verdict import ImageUse, Verdict
from immutablerelease.verification.verifier import Verifier
from tests.unit.verification import signing
from tests.unit.verification.simulated_registry import SimulatedRegistry, serving

# Short for tests that wait it out, long for a machine that does other things as well.
QUICK = Limits(request_seconds=1.0, connect_seconds=1.0, image_seconds=5.0)


@dataclass
class Clock:
    """Seconds that pass only when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    registry: SimulatedRegistry
    verifier: Verifier
    clock: Clock
    digest: str
    credentials: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def image(self) -> str:
        return f"{self.registry.host}/team/app@{self.digest}"

    def trust(self, *keys: signing.Key, **spec: Any) -> Policy:
        return signing.policy(*(keys or (signing.key(),)), registry=self.registry, **spec)

    def access(self, *policies: Policy) -> Access:
        return Access.allowed_by(
            policies or (self.trust(),),
            namespace="shop",
            namespace_labels={},
            credentials=self.credentials,
        )

    async def verify(
        self,
        *policies: Policy,
        images: Sequence[ImageUse] | None = None,
        namespace: str = "shop",
        trust: Trust = NO_TRUST,
        max_age: float | None = None,
    ) -> Verdict:
        policies = policies or (self.trust(),)
        uses = [ImageUse("app", False, self.image)] if images is None else images
        return await self.verifier.verify(
            uses,
            policies,
            namespace=namespace,
            namespace_labels={},
            access=self.access(*policies),
            trust=trust,
            max_age=max_age,
        )

    # Shorthands for what cases attach to the image.

    def bundle(self, content: dict[str, Any] | bytes | None = None, **changes: Any) -> str:
        made = signing.bundle_for(self.digest, signing.key()) if content is None else content
        return signing.attach_bundle(self.registry, self.digest, made, **changes)

    def statement(self, *, signer: signing.Key | None = None, **changes: Any) -> str:
        return self.bundle(signing.bundle_for(self.digest, signer or signing.key(), **changes))

    def simple(
        self,
        payload: dict[str, Any] | bytes | None = None,
        *,
        signer: signing.Key | None = None,
        **changes: Any,
    ) -> str:
        made = signing.simple_payload(self.digest) if payload is None else payload
        layer = signing.simple_layer(self.registry, made, signer or signing.key(), **changes)
        return signing.attach_simple(self.registry, self.digest, layer)


@asynccontextmanager
async def set_up(limits: Limits = QUICK) -> AsyncIterator[Scene]:
    clock = Clock()
    async with serving() as registry, Verifier(clock=clock, limits=limits) as verifier:
        yield Scene(registry, verifier, clock, signing.push_image(registry))
