"""SLSA provenance, attested with the real cosign."""

from typing import Any

import pytest

from tests.sigstore.authorities import Keyed, Keyless
from tests.sigstore.signing import BUILDER, COMMIT, KEY, REPOSITORY
from tests.sigstore.world import World

_ELSEWHERE = "https://forge.example/mallory/app"


def _wanted(repository: str = REPOSITORY) -> list[dict[str, Any]]:
    slsa = {"sourceRepository": repository, "ref": "refs/heads/main", "builder": BUILDER}
    return [{"name": "provenance", "slsa": slsa}]


@pytest.mark.parametrize("name", ["attested", "attested, no referrers"])
async def test_the_source_is_proven(world: World, alice: Keyless, name: str) -> None:
    image = world.images[name]
    verdict = await world.verdict(image, alice, attestations=_wanted())
    assert verdict.verdict == "Verified", verdict.message
    assert verdict.source is not None
    assert (verdict.source.repository, verdict.source.commit) == (REPOSITORY, COMMIT)
    said = world.cosigns_attestation(image, alice)
    assert said.ok, said.output


async def test_the_source_is_proven_by_a_key_in_the_layout_of_cosign_v2(world: World) -> None:
    image, key = world.images["attested, cosign v2"], Keyed(f"{KEY}.pub", world.keys[f"{KEY}.pub"])
    verdict = await world.verdict(image, key, attestations=_wanted())
    assert verdict.verdict == "Verified", verdict.message
    assert verdict.source is not None
    assert verdict.source.commit == COMMIT
    said = world.cosigns_attestation(image, key)
    assert said.ok, said.output


async def test_an_attestation_is_enough_where_the_policy_says_so(
    world: World, alice: Keyless
) -> None:
    image = world.images["attested, not signed"]
    only = {"signature": "Ignored", "attestations": _wanted()}
    verdict = await world.verdict(image, alice, **only)
    assert verdict.verdict == "Verified", verdict.message
    assert world.cosigns_attestation(image, alice).ok


async def test_an_attestation_is_no_signature(world: World, alice: Keyless) -> None:
    """cosign says that it is: it does not read the type of the statement."""
    image = world.images["attested, not signed"]
    verdict = await world.verdict(image, alice)
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")
    assert "1 attestations" in verdict.message
    assert world.cosigns(image, alice).ok


async def test_another_source_is_refused(world: World, alice: Keyless) -> None:
    verdict = await world.verdict(world.images["attested"], alice, attestations=_wanted(_ELSEWHERE))
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongProvenance")


async def test_a_signature_is_no_attestation(world: World, alice: Keyless) -> None:
    image = world.images["keyless"]
    verdict = await world.verdict(image, alice, attestations=_wanted())
    assert (verdict.verdict, verdict.reason) == ("Refused", "AttestationMissing")
    assert not world.cosigns_attestation(image, alice).ok


async def test_somebody_elses_attestation_is_refused(world: World, alice: Keyless) -> None:
    image, other = world.images["attested, not signed"], alice.but(subject="bob@shop.example")
    verdict = await world.verdict(image, other, signature="Ignored", attestations=_wanted())
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongIdentity")
    assert not world.cosigns_attestation(image, other).ok
