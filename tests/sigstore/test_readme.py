"""The three policies of the README judge what was really signed.

Only names differ: the key, the registry, and who is known to whom, which for a certificate of a
Sigstore of one's own comes with a trust root. What else the policy says stays as it is written.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sigstore.authorities import Authority, Keyed, Keyless
from tests.sigstore.signing import KEY, OTHER_KEY
from tests.sigstore.world import World

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DOCUMENTS = [yaml.safe_load(text) for text in _BLOCK.findall(README.read_text(encoding="utf-8"))]
POLICIES: dict[str, dict[str, Any]] = {
    document["metadata"]["name"]: document["spec"]
    for document in _DOCUMENTS
    if document["kind"] == "ReleasePolicy"
}


def test_it_shows_a_key_an_identity_and_provenance() -> None:
    assert list(POLICIES) == ["signed-by-key", "signed-by-workflow", "built-from-source"]


async def _reason(world: World, policy: str, image: str, authority: Authority) -> str:
    spec = dict(POLICIES[policy])
    (written,) = spec.pop("authorities")
    known = authority.wire()
    assert ("key" in written) == ("key" in known), "the same kind of authority"
    judged = world.images[image]
    spec["match"] = {**spec["match"], "images": [f"{judged.registry.host}/**"]}
    verdict = await world.verdict(judged, authority, **spec)
    return verdict.reason


@pytest.mark.parametrize(
    ("image", "key", "reason"),
    [
        ("keyed", KEY, "Signed"),
        ("keyed, cosign v2", KEY, "Signed"),
        ("keyed", OTHER_KEY, "WrongKey"),
        ("unsigned", KEY, "Unsigned"),
    ],
)
async def test_the_key(world: World, image: str, key: str, reason: str) -> None:
    authority = Keyed(f"{key}.pub", world.keys[f"{key}.pub"])
    assert await _reason(world, "signed-by-key", image, authority) == reason


@pytest.mark.parametrize(
    ("image", "reason"),
    [("keyless", "Signed"), ("mallory", "WrongIdentity"), ("unsigned", "Unsigned")],
)
async def test_the_identity(world: World, alice: Keyless, image: str, reason: str) -> None:
    assert await _reason(world, "signed-by-workflow", image, alice) == reason


@pytest.mark.parametrize(
    ("image", "reason"),
    [("attested", "Signed"), ("keyless", "AttestationMissing"), ("mallory", "WrongIdentity")],
)
async def test_the_provenance(world: World, alice: Keyless, image: str, reason: str) -> None:
    assert await _reason(world, "built-from-source", image, alice) == reason
