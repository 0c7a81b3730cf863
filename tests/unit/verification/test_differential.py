"""Where the operator and the real cosign disagree, it is on purpose, and written down."""

from pathlib import Path

import pytest

from tests.unit.verification.differential import ATTACKS, COSIGN, DISAGREEMENTS, HONEST, judge

_DOCUMENT = Path(__file__).parents[3] / "docs" / "verification.md"
_needs_cosign = pytest.mark.skipif(COSIGN is None, reason="no cosign among the development tools")


@_needs_cosign
@pytest.mark.parametrize("name", HONEST)
async def test_both_verify(name: str) -> None:
    found = await judge(HONEST[name])
    assert (found.ours, found.cosign) == (True, True), (found.reason, found.said)


@_needs_cosign
@pytest.mark.parametrize("name", DISAGREEMENTS)
async def test_only_cosign_verifies(name: str) -> None:
    found = await judge(ATTACKS[name])
    assert (found.ours, found.cosign) == (False, True), (found.reason, found.said)


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_the_disagreement_is_explained(name: str) -> None:
    assert f"| {name} | {DISAGREEMENTS[name]} |" in _DOCUMENT.read_text()
