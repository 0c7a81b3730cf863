"""How often the registry is asked. `python -m bench.verification` measures the rest."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bench.verification import SCAN_POLICY, SLSA_POLICY
from immutablerelease.verification.transport import Limits
from immutablerelease.verification.verdict import ImageUse
from tests.unit.verification import attesting
from tests.unit.verification.scene import Scene, set_up


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Processes are started: on a busy machine that takes its time."""
    async with set_up(Limits(image_seconds=40.0)) as made:
        yield made


async def _asked(scene: Scene, pods: int = 1, **policy: Any) -> int:
    before = len(scene.registry.requests)
    uses = [ImageUse(f"app-{number}", False, scene.image) for number in range(pods)]
    verdict = await scene.verify(scene.trust(**policy), images=uses)
    assert verdict.verdict == "Verified", verdict.message
    return len(scene.registry.requests) - before


@pytest.mark.parametrize(
    ("attach", "policy", "requests"),
    [
        (lambda scene: scene.bundle(), {}, 3),
        # One to learn that there are no bundles, which come first.
        (lambda scene: scene.simple(), {}, 3),
        (
            lambda scene: attesting.attest(scene, attesting.SLSA, attesting.slsa()),
            SLSA_POLICY,
            3,
        ),
        (
            lambda scene: attesting.attest(scene, attesting.VULN, {"scanner": {"result": []}}),
            SCAN_POLICY,
            3,
        ),
    ],
    ids=["a bundle", "a simple signature", "provenance", "a scan"],
)
async def test_an_image_is_verified_with_three_requests_and_then_none(
    scene: Scene, attach: Callable[[Scene], object], policy: dict[str, Any], requests: int
) -> None:
    attach(scene)
    assert await _asked(scene, **policy) == requests
    assert await _asked(scene, **policy) == 0


async def test_a_hundred_pods_of_one_image_are_one_verification(scene: Scene) -> None:
    scene.bundle()
    assert await _asked(scene, pods=100) == 3


async def test_what_is_attached_besides_costs_nothing(scene: Scene) -> None:
    scene.bundle()
    for number in range(20):
        attesting.attest(scene, attesting.VULN, {"n": number})
    assert await _asked(scene) == 3
