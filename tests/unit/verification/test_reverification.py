"""What is verified again is asked of the registry; how often, and what follows, policies say."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from immutablerelease.api.policy import Policy
from immutablerelease.verification.reverification import stands_for, wants_revert
from immutablerelease.verification.verdict import ImageUse, Verdict
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.signing import key

DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with set_up() as made:
        yield made


def _delete_signatures(scene: Scene) -> None:
    scene.registry.referrers.clear()
    for repository, reference in list(scene.registry.manifests):
        if reference.startswith("sha256-"):
            del scene.registry.manifests[repository, reference]


async def test_a_signature_that_was_deleted_is_missed_when_asked_again(scene: Scene) -> None:
    scene.bundle()
    assert (await scene.verify()).verdict == "Verified"
    _delete_signatures(scene)
    assert (await scene.verify()).verdict == "Verified", "answered from memory"
    scene.clock.now += 11
    assert (await scene.verify(max_age=10.0)).reason == "Unsigned"


async def test_a_refusal_ends_what_was_remembered(scene: Scene) -> None:
    scene.bundle()
    await scene.verify()
    _delete_signatures(scene)
    scene.clock.now += 11
    await scene.verify(max_age=10.0)
    assert (await scene.verify()).reason == "Unsigned"


async def test_what_could_not_be_asked_ends_no_memory(scene: Scene) -> None:
    scene.bundle()
    await scene.verify()
    scene.clock.now += 11
    scene.registry.lies.status["/referrers/"] = 500
    assert (await scene.verify(max_age=10.0)).verdict == "Unknown"
    assert (await scene.verify()).verdict == "Verified"


async def test_a_hundred_of_one_digest_are_asked_for_once(scene: Scene) -> None:
    scene.bundle()
    await scene.verify()
    scene.clock.now += 11
    scene.registry.requests.clear()
    await asyncio.gather(*(scene.verify(max_age=10.0) for _ in range(50)))
    for _ in range(50):
        await scene.verify(max_age=10.0)
    assert len(scene.registry.requests) == 3


async def test_it_is_told_which_policies_refuse(scene: Scene) -> None:
    scene.bundle()
    verdict = await scene.verify(
        scene.trust(name="holds"),
        scene.trust(key("bob"), name="refuses"),
        scene.trust(key("eve"), name="refuses-too"),
        scene.trust(key("eve"), name="audits", mode="Audit"),
    )
    assert verdict.refused_by == {"refuses", "refuses-too"}
    assert (await scene.verify()).refused_by == frozenset()


def _policy(name: str, every: str | None = None, then: str = "Alert", **match: Any) -> Policy:
    reverify = {"onRefusal": then} | ({"every": every} if every else {})
    spec = {"reverify": reverify, "match": match, "unsafeAllowUnsigned": True}
    return Policy.read({"metadata": {"name": name}, "spec": spec})


def _stands_for(*policies: Policy) -> float | None:
    image = ImageUse("app", False, f"registry.test/team/app@{DIGEST}")
    return stands_for(policies, [image], namespace="shop", namespace_labels={})


def test_a_verdict_stands_for_the_least_that_a_matching_policy_says() -> None:
    policies = (
        _policy("a", "2h"),
        _policy("b", "1h", images=["registry.test/team/*"]),
        _policy("elsewhere", "1m", namespaces=["other"]),
        _policy("others", "1m", images=["registry.test/other/*"]),
    )
    assert _stands_for(*policies) == 3600.0
    assert _stands_for(_policy("silent")) == 86400.0
    assert _stands_for(policies[2], policies[3]) is None


def test_only_a_policy_that_refuses_has_traffic_moved() -> None:
    policies = (_policy("reverts", then="Revert"), _policy("alerts"))
    for refused_by, expected in (
        ({"reverts"}, True),
        ({"reverts", "alerts"}, True),
        ({"alerts"}, False),
        (set(), False),
    ):
        verdict = Verdict("Refused", "R", "m", refused_by=frozenset(refused_by))
        assert wants_revert(policies, verdict) is expected
