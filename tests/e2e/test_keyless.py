"""Releases signed with no key: real Fulcio, Rekor and timestamp authority, judged offline.

The services run while the images are signed and are gone when the operator verifies: all that it
has is the registry, and the trust root in a ConfigMap.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from demo import manifests
from demo.images import Image, ImageMaker, Key
from demo.kube import Kube, Object, wait_for
from demo.operator_process import NAMESPACE
from demo.releases import RevisionView
from devcluster.toolchain import missing
from tests.e2e.shop import Shop
from tests.sigstore.authorities import CONFIG_MAP, Keyless
from tests.sigstore.cosign import TRUST_ROOT, Cosign
from tests.sigstore.deployment import TOOLS, deployed, write_signing_configs, write_trust_root
from tests.sigstore.signing import (
    ALICE,
    BUILDER,
    COMMIT,
    MALLORY,
    PROVENANCE,
    REPOSITORY,
    known_as,
    write_provenance,
)

POLICY = "e2e-keyless"
ELSEWHERE = "https://github.com/mallory/app"


@dataclass(frozen=True)
class Signed:
    """Images by who signed them, and the issuer who knows all of them."""

    images: Mapping[str, Image]
    issuer: str
    root: str

    def alice(self) -> Keyless:
        """The one who is trusted."""
        return Keyless(self.issuer, ALICE)


@pytest.fixture(scope="module")
def signed(
    maker: ImageMaker, team: Key, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Signed]:
    """An image of alice's with provenance, and one of mallory's."""
    if absent := missing(TOOLS):
        pytest.skip(f"needs {', '.join(absent)}: python -m devcluster tools {' '.join(absent)}")
    folder = tmp_path_factory.mktemp("sigstore")
    cosign = Cosign(folder)
    write_provenance(cosign)
    images = {name: maker.build(f"keyless-{name}", {}) for name in ("alice", "mallory")}
    with deployed(folder / "services") as sigstore:
        write_signing_configs(cosign, sigstore)
        root = write_trust_root(cosign, sigstore.parts, TRUST_ROOT)
        alice, mallory = (known_as(email, sigstore) for email in (ALICE, MALLORY))
        cosign.put("sign", images["alice"].pinned, *alice)
        cosign.put("attest", images["alice"].pinned, *PROVENANCE, *alice)
        cosign.put("sign", images["mallory"].pinned, *mallory)
        issuer = sigstore.issuers[0].url
    for image in images.values():
        # The policy of all end-to-end tests holds as well.
        maker.sign(image, team)
    yield Signed(images, issuer, root)


@pytest.fixture
def trust(kube: Kube, shop: Shop, signed: Signed, registry: str) -> Iterator[Callable[..., None]]:
    """Have the operator trust somebody in the namespace of the test, and know that it does."""
    config_map = {"name": CONFIG_MAP, "namespace": NAMESPACE}
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": config_map,
            "data": {TRUST_ROOT: signed.root},
        }
    )

    def apply(authority: Keyless, **spec: Any) -> None:
        policy = manifests.policy(POLICY, {}, [registry], [shop.namespace])
        kube.apply(
            {**policy, "spec": {**policy["spec"], "authorities": [authority.wire()], **spec}}
        )
        wait_for("the policy to be Ready", lambda: _ready(kube, "True"), 20.0)

    yield apply
    kube.delete("ReleasePolicy", POLICY)
    kube.delete("ConfigMap", CONFIG_MAP, NAMESPACE)


def _policy(shop: Shop, registry: str, authority: Keyless, **spec: Any) -> Object:
    """A policy for the namespace of the test, which trusts nobody else."""
    policy = manifests.policy(POLICY, {}, [registry], [shop.namespace])
    return {**policy, "spec": {**policy["spec"], "authorities": [authority.wire()], **spec}}


def _ready(kube: Kube, status: str) -> tuple[str | None, str]:
    """The reason for which the policy is ready, or is not."""
    found = kube.get("ReleasePolicy", POLICY).get("status") or {}
    for condition in found.get("conditions", []):
        if condition["type"] == "Ready":
            reason = condition["reason"] if condition["status"] == status else None
            return reason, f"{condition['reason']}: {condition['message']}"
    return None, "nothing is said"


def _wanted(repository: str) -> list[dict[str, Any]]:
    slsa = {"sourceRepository": repository, "ref": "refs/heads/main", "builder": BUILDER}
    return [{"name": "provenance", "slsa": slsa}]


def test_an_identity_and_its_source_are_proven_and_told(
    shop: Shop, signed: Signed, trust: Callable[..., None]
) -> None:
    trust(signed.alice(), attestations=_wanted(REPOSITORY))
    image = signed.images["alice"]
    served = shop.then_serves(shop.when_applied("v1", image=image.ref))
    assert served.images == [image.pinned]
    verification = served.raw["status"]["verification"]
    source = verification["source"]
    assert (source["repository"], source["commit"], source["builder"]) == (
        REPOSITORY,
        COMMIT,
        BUILDER,
    )
    signature, attestation = (item for item in verification["evidence"] if item["policy"] == POLICY)
    for evidence in (signature, attestation):
        assert (evidence["identity"], evidence["issuer"]) == (ALICE, signed.issuer)
        assert evidence["logIndex"] >= 0
        assert evidence["signedAt"]
    assert attestation["predicateType"] == "https://slsa.dev/provenance/v1"
    told = shop.event("Verified")
    for part in (
        f"built from {REPOSITORY} at {COMMIT}",
        f"container web signed by release: {ALICE}, vouched for by {signed.issuer}",
        f"log entry {signature['logIndex']}",
        "attested as https://slsa.dev/provenance/v1",
    ):
        assert part in told, told


def _rejected(shop: Shop, revision: RevisionView, reason: str) -> str:
    """The message with which it was rejected and nothing was started."""
    rejected = shop.release.await_phase(revision.name, "Rejected", 30.0)
    assert rejected.raw["status"]["verification"]["reason"] == reason, rejected.message
    assert shop.replicas_of(revision) is None, "no Deployment was made"
    assert shop.event("Rejected").startswith(revision.name)
    return rejected.message


def test_another_identity_is_rejected_by_name(
    shop: Shop, signed: Signed, trust: Callable[..., None]
) -> None:
    trust(signed.alice())
    revision = shop.when_applied("v1", image=signed.images["mallory"].ref)
    assert MALLORY in _rejected(shop, revision, "WrongIdentity")


def test_another_source_is_rejected_by_name(
    shop: Shop, signed: Signed, trust: Callable[..., None]
) -> None:
    trust(signed.alice(), attestations=_wanted(ELSEWHERE))
    revision = shop.when_applied("v1", image=signed.images["alice"].ref)
    message = _rejected(shop, revision, "WrongProvenance")
    assert REPOSITORY in message
    assert ELSEWHERE in message


@contextmanager
def _applied(kube: Kube, policy: Object) -> Iterator[None]:
    kube.apply(policy)
    try:
        yield
    finally:
        kube.delete("ReleasePolicy", POLICY)


def test_a_policy_whose_trust_root_is_absent_says_so(kube: Kube, shop: Shop, registry: str) -> None:
    authority = Keyless("https://nobody.example", ALICE, root="absent.json")
    with _applied(kube, _policy(shop, registry, authority)):
        reason = wait_for("the policy to say so", lambda: _ready(kube, "False"), 20.0)
        assert reason == "TrustUnavailable"
