"""Attestations signed with certificates: the same authorities, the same proof as for signatures."""

from typing import Any

import pytest

from tests.unit.verification import attesting, keyless, signing
from tests.unit.verification.attesting import BUILT_HERE, SLSA, slsa
from tests.unit.verification.scene import Scene

WANTED: dict[str, Any] = {"attestations": [BUILT_HERE], "signature": "Ignored"}


def _attach(scene: Scene, made: keyless.Keyless, *, layout: str = "Bundle") -> None:
    payload = attesting.statement(scene.digest, SLSA, slsa())
    if layout == "Bundle":
        content = made.bundle(payload)
        signing.attach_bundle(scene.registry, scene.digest, content, predicate_hint=SLSA)
        return
    layer = attesting.envelope_layer(scene, SLSA, slsa(), signer=made.key)
    layer["annotations"]["dev.sigstore.cosign/certificate"] = made.pem.decode()
    attesting.attach_layers(scene, layer)


async def _verify(scene: Scene, **authority: Any) -> tuple[str, str]:
    policy = keyless.policy(scene.registry, keyless.authority(**authority), **WANTED)
    verdict = await scene.verify(policy, trust=keyless.trust())
    return verdict.verdict, str(verdict.reason)


async def test_an_attestation_of_a_trusted_identity_counts(scene: Scene) -> None:
    _attach(scene, keyless.Keyless())
    policy = keyless.policy(scene.registry, **WANTED)
    verdict = await scene.verify(policy, trust=keyless.trust())
    assert verdict.verdict == "Verified", verdict.message
    (evidence,) = verdict.evidence
    assert (evidence.signer, evidence.issuer) == (keyless.SUBJECT, keyless.ISSUER)
    assert evidence.predicate_type == SLSA
    assert evidence.signed_at is not None


async def test_one_of_another_identity_does_not(scene: Scene) -> None:
    _attach(scene, keyless.Keyless())
    other = [{"issuer": keyless.ISSUER, "subject": f"{keyless.SUBJECT}-fork"}]
    assert await _verify(scene, identities=other) == ("Refused", "WrongIdentity")


async def test_one_without_a_promise_of_the_log_does_not(scene: Scene) -> None:
    _attach(scene, keyless.Keyless(), layout="Envelope")
    assert await _verify(scene) == ("Refused", "NotLogged")


@pytest.mark.parametrize("quorum", [1, 2])
async def test_an_identity_with_two_certificates_is_one(scene: Scene, quorum: int) -> None:
    _attach(scene, keyless.Keyless())
    _attach(scene, keyless.Keyless())
    authorities = [keyless.authority("one"), keyless.authority("two")]
    policy = keyless.policy(
        scene.registry,
        *authorities,
        attestations=[{**BUILT_HERE, "quorum": quorum}],
        signature="Ignored",
    )
    verdict = await scene.verify(policy, trust=keyless.trust())
    assert verdict.verdict == ("Verified" if quorum == 1 else "Refused"), verdict.message
