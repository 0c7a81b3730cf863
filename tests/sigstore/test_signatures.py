"""Signatures of the real cosign, judged by the operator and by cosign itself: both accept them."""

import pytest

from tests.sigstore.authorities import Keyed, Keyless
from tests.sigstore.cosign import TRUST_ROOT
from tests.sigstore.signing import ALICE, KEY
from tests.sigstore.world import World


@pytest.mark.parametrize("name", ["keyless", "keyless, no referrers"])
async def test_a_keyless_signature_verifies_with_no_service_left(
    world: World, alice: Keyless, name: str
) -> None:
    image = world.images[name]
    verdict = await world.verdict(image, alice, formats=["Bundle"])
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed"), verdict.message
    (evidence,) = verdict.evidence
    assert (evidence.identity, evidence.issuer) == (ALICE, world.issuers[0])
    assert evidence.log_index is not None
    assert evidence.signed_at is not None
    said = world.cosigns(image, alice)
    assert said.ok, said.output


async def test_a_keyless_signature_of_cosign_v2_verifies_by_its_timestamp(
    world: World, alice: Keyless
) -> None:
    """Its layout has no place for an entry of Rekor v2, so that the timestamp stands alone."""
    image, unlogged = world.images["keyless, cosign v2"], alice.but(logged=False)
    verdict = await world.verdict(image, unlogged, formats=["SimpleSigning"])
    assert verdict.verdict == "Verified", verdict.message
    assert [item.identity for item in verdict.evidence] == [ALICE]
    said = world.cosigns(image, unlogged, "--new-bundle-format=false")
    assert said.ok, said.output
    assert (await world.verdict(image, alice)).reason == "NotLogged"
    assert not world.cosigns(image, alice, "--new-bundle-format=false").ok


@pytest.mark.parametrize("place", ["", ", no referrers"])
@pytest.mark.parametrize(
    ("name", "layout"), [("keyed", "Bundle"), ("keyed, cosign v2", "SimpleSigning")]
)
async def test_a_keyed_signature_verifies(world: World, name: str, layout: str, place: str) -> None:
    image, key = world.images[name + place], _key(world)
    verdict = await world.verdict(image, key)
    assert verdict.verdict == "Verified", verdict.message
    assert [item.format for item in verdict.evidence] == [layout]
    said = world.cosigns(image, key)
    assert said.ok, said.output


async def test_a_keyed_signature_verifies_in_the_log(world: World) -> None:
    image, logged = world.images["keyed, logged"], _key(world, TRUST_ROOT)
    verdict = await world.verdict(image, logged)
    assert verdict.verdict == "Verified", verdict.message
    assert verdict.evidence[0].log_index is not None
    said = world.cosigns(image, logged)
    assert said.ok, said.output
    assert (await world.verdict(world.images["keyed"], logged)).reason == "NotLogged"
    assert not world.cosigns(world.images["keyed"], logged).ok


def _key(world: World, root: str | None = None) -> Keyed:
    file = f"{KEY}.pub"
    return Keyed(file, world.keys[file], root)
