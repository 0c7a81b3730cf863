"""What was signed with real tools, and the two that judge it: the operator and cosign."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from immutablerelease.api.policy import Policy
from immutablerelease.verification.access import Access
from immutablerelease.verification.trust import Trust
from immutablerelease.verification.verdict import ImageUse, Verdict
from immutablerelease.verification.verifier import Verifier
from tests.sigstore.authorities import CONFIG_MAP, Authority
from tests.sigstore.cosign import Cosign, Run
from tests.sigstore.registries import Registry

_NAMESPACE = "shop"


@dataclass(frozen=True)
class Image:
    """An image in a registry."""

    registry: Registry
    repository: str
    digest: str

    def __str__(self) -> str:
        return f"{self.registry.host}/{self.repository}@{self.digest}"

    @property
    def tag(self) -> str:
        """The tag that what is attached to it is found by, without an ending."""
        return self.digest.replace(":", "-")


@dataclass(frozen=True)
class World:
    """Images by what was done to them, and trust roots by name."""

    cosign: Cosign
    images: Mapping[str, Image]
    roots: Mapping[str, str]
    # URLs of the trusted issuer and of the other one that Fulcio believes.
    issuers: tuple[str, str]
    # Public keys, PEM, by the name of their file.
    keys: Mapping[str, str]

    async def verdict(self, image: Image, authority: Authority, **spec: Any) -> Verdict:
        """What the operator makes of it, by a policy that trusts the authority."""
        policy = Policy.read(
            {
                "metadata": {"name": "trust"},
                "spec": {
                    "authorities": [authority.wire()],
                    "registries": {"insecure": [image.registry.host]},
                    **spec,
                },
            }
        )
        trust = Trust(config_maps={(CONFIG_MAP, name): text for name, text in self.roots.items()})
        access = Access.allowed_by([policy], namespace=_NAMESPACE, namespace_labels={})
        async with Verifier(clock=lambda: 0.0) as verifier:
            return await verifier.verify(
                [ImageUse("app", False, str(image))],
                [policy],
                namespace=_NAMESPACE,
                namespace_labels={},
                access=access,
                trust=trust,
            )

    def cosigns(self, image: Image, authority: Authority, *more: str) -> Run:
        """What cosign makes of its signatures."""
        return self.cosign.accepts("verify", str(image), *authority.flags(), *more)

    def cosigns_attestation(self, image: Image, authority: Authority, *more: str) -> Run:
        """What cosign makes of what was attested of it."""
        flags = ("--type", "slsaprovenance1", *authority.flags(), *more)
        return self.cosign.accepts("verify-attestation", str(image), *flags)
