"""Which policies speak of an image, what several of them amount to, and what is remembered."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from immutablerelease.api.policy import Policy
from immutablerelease.verification.access import Access
from immutablerelease.verification.matching import (
    matches_glob,
    matches_namespace,
    policies_hash,
)
from immutablerelease.verification.verdict import ImageUse, Verdict
from immutablerelease.verification.verifier import Verifier
from tests.unit.verification import signing
from tests.unit.verification.scene import QUICK, Scene
from tests.unit.verification.signing import key


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("**", "docker.io/library/nginx", True),
        ("docker.io/library/*", "docker.io/library/nginx", True),
        ("docker.io/*", "docker.io/library/nginx", False),
        ("docker.io/**", "docker.io/library/nginx", True),
        ("docker.io/**/nginx", "docker.io/library/nginx", True),
        ("*/library/nginx", "docker.io/library/nginx", True),
        ("docker.io/library/nginx", "docker.io/library/nginx-evil", False),
        ("docker.io/library/nginx", "evil.example/docker.io/library/nginx", False),
        ("docker.io/library/nginx*", "docker.io/library/nginx-evil", True),
        ("docker.io/library/nginx*", "docker.io/library/nginx/evil", False),
        ("docker.io/library/nginx**", "docker.io/library/nginx/evil", True),
        ("registry.example/*/app", "registry.example/team/app", True),
        ("registry.example/*/app", "registry.example/app", False),
        ("registry.example/a.p", "registry.example/axp", False),
        ("registry.example/***/app", "registry.example/a/b/app", True),
        ("127.0.0.1:5000/**", "127.0.0.1:5000/app", True),
        ("127.0.0.1:5000/**", "127.0.0.1:50000/app", False),
        ("[::1]:5000/*", "[::1]:5000/app", True),
        ("*", "shop", True),
        ("shop-*", "shop-", True),
        ("shop-*", "shop", False),
        ("", "", True),
        ("", "x", False),
    ],
)
def test_globs_match_the_whole_name(pattern: str, text: str, matches: bool) -> None:
    assert matches_glob(pattern, text) is matches


def test_a_glob_cannot_be_made_to_backtrack() -> None:
    assert not matches_glob("**a" * 100, "a" * 99 + "b" * 150)


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({}, True),
        ({"namespaces": ["shop"]}, True),
        ({"namespaces": ["other", "sh*"]}, True),
        ({"namespaces": ["other"]}, False),
        ({"namespaces": []}, False),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"tier": "prod"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"tier": "test"}}}, False),
        ({"namespaceSelector": {"matchLabels": {"absent": ""}}}, False),
        ({"namespaces": ["other"], "namespaceSelector": {}}, False),
    ],
    ids=str,
)
def test_a_policy_speaks_of_namespaces(match: dict[str, Any], holds: bool) -> None:
    spec = signing.policy(key(), match=match).spec
    assert matches_namespace(spec, "shop", {"tier": "prod"}) is holds


@pytest.mark.parametrize(
    ("requirement", "holds"),
    [
        ({"key": "tier", "operator": "In", "values": ["prod", "test"]}, True),
        ({"key": "tier", "operator": "In", "values": ["test"]}, False),
        ({"key": "absent", "operator": "In", "values": ["x"]}, False),
        ({"key": "tier", "operator": "NotIn", "values": ["test"]}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["prod"]}, False),
        ({"key": "absent", "operator": "NotIn", "values": ["x"]}, True),
        ({"key": "tier", "operator": "Exists"}, True),
        ({"key": "absent", "operator": "Exists"}, False),
        ({"key": "absent", "operator": "DoesNotExist"}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, False),
    ],
    ids=str,
)
def test_label_requirements_are_those_of_kubernetes(
    requirement: dict[str, Any], holds: bool
) -> None:
    selector = {"namespaceSelector": {"matchExpressions": [requirement]}}
    spec = signing.policy(key(), match=selector).spec
    assert matches_namespace(spec, "shop", {"tier": "prod"}) is holds


# No policy


async def test_an_image_that_no_policy_speaks_of_is_refused(scene: Scene) -> None:
    scene.bundle()
    for spec in (
        {"match": {"images": ["docker.io/**"]}},
        {"match": {"namespaces": ["other"]}},
        {"match": {"namespaceSelector": {"matchLabels": {"tier": "prod"}}}},
    ):
        verdict = await scene.verify(scene.trust(**spec))
        assert (verdict.verdict, verdict.reason) == ("Refused", "NoPolicy")
    assert not scene.registry.requests


async def test_without_any_policy_everything_is_refused(scene: Scene) -> None:
    scene.bundle()
    verdict = await scene.verifier.verify(
        [ImageUse("app", False, scene.image)],
        [],
        namespace="shop",
        namespace_labels={},
        access=scene.access(),
    )
    assert (verdict.verdict, verdict.reason) == ("Refused", "NoPolicy")


async def test_nothing_to_verify_is_not_verified(scene: Scene) -> None:
    verdict = await scene.verify(images=[])
    assert (verdict.verdict, verdict.reason) == ("Refused", "NoImages")


# Several policies


async def test_all_policies_that_speak_of_an_image_must_hold(scene: Scene) -> None:
    scene.bundle()
    both = [scene.trust(name="a"), scene.trust(key("bob"), name="b")]
    for policies in (both, both[::-1]):
        verdict = await scene.verify(*policies)
        assert (verdict.verdict, verdict.reason) == ("Refused", "WrongKey")
    scene.statement(signer=key("bob"))
    verdict = await scene.verify(*both)
    assert verdict.verdict == "Verified", verdict.message
    assert {item.policy for item in verdict.evidence} == {"a", "b"}


async def test_letting_unsigned_images_run_does_not_undo_another_policy(scene: Scene) -> None:
    open_ = scene.trust(name="open", authorities=[], unsafeAllowUnsigned=True)
    verdict = await scene.verify(open_)
    assert (verdict.verdict, verdict.reason) == ("Verified", "UnsignedAllowed")
    assert not verdict.evidence
    verdict = await scene.verify(open_, scene.trust())
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")


async def test_letting_unsigned_images_run_asks_no_registry(scene: Scene) -> None:
    await scene.verify(scene.trust(authorities=[], unsafeAllowUnsigned=True))
    assert not scene.registry.requests


async def test_an_audit_policy_refuses_nothing_and_says_what_it_would(scene: Scene) -> None:
    verdict = await scene.verify(scene.trust(mode="Audit"))
    assert (verdict.verdict, verdict.reason) == ("Verified", "NotEnforced")
    assert "would say Unsigned" in verdict.message


async def test_an_audit_policy_passes_nothing_that_another_refuses(scene: Scene) -> None:
    scene.statement(signer=key("bob"))
    audit = scene.trust(key("bob"), name="audit", mode="Audit")
    open_ = scene.trust(name="open", mode="Audit", authorities=[], unsafeAllowUnsigned=True)
    verdict = await scene.verify(audit, open_, scene.trust())
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongKey")


async def test_an_audit_policy_does_not_hide_that_the_image_is_enforced(scene: Scene) -> None:
    scene.bundle()
    verdict = await scene.verify(scene.trust(), scene.trust(key("bob"), name="b", mode="Audit"))
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed")
    assert "policy b is in mode Audit and would say WrongKey" in verdict.message


async def test_a_registry_that_fails_does_not_make_an_audit_policy_block(scene: Scene) -> None:
    scene.registry.lies.status["/referrers/"] = 500
    verdict = await scene.verify(scene.trust(mode="Audit"))
    assert (verdict.verdict, verdict.reason) == ("Verified", "NotEnforced")
    assert "would say RegistryUnavailable" in verdict.message


# Quorum


async def test_a_quorum_counts_distinct_keys_in_whatever_layout(scene: Scene) -> None:
    policy = scene.trust(key(), key("bob"), quorum=2)
    scene.bundle()
    scene.simple(signer=key("bob"))
    verdict = await scene.verify(policy)
    assert verdict.verdict == "Verified", verdict.message
    assert {item.authority for item in verdict.evidence} == {"key-0", "key-1"}


@pytest.mark.parametrize(
    "signatures",
    [
        [lambda s: s.bundle()],
        [lambda s: s.bundle(), lambda s: s.simple()],
        [lambda s: s.bundle(), lambda s: s.statement(n=2), lambda s: s.statement(n=3)],
        [lambda s: s.bundle(), lambda s: s.statement(signer=key("mallory"))],
    ],
    ids=[
        "one signature",
        "one key in two layouts",
        "one key three times",
        "one trusted key and one that is not",
    ],
)
async def test_a_quorum_is_not_met_by(
    scene: Scene, signatures: list[Callable[[Scene], object]]
) -> None:
    for sign in signatures:
        sign(scene)
    verdict = await scene.verify(scene.trust(key(), key("bob"), quorum=2))
    assert (verdict.verdict, verdict.reason) == ("Refused", "QuorumNotMet")


async def test_one_key_under_two_names_is_one_authority(scene: Scene) -> None:
    scene.bundle()
    scene.simple()
    verdict = await scene.verify(scene.trust(key(), key(), quorum=2))
    assert (verdict.verdict, verdict.reason) == ("Refused", "InvalidPolicy")
    assert (await scene.verify(scene.trust(key(), key()))).verdict == "Verified"


# Policies that the API server would have refused


@pytest.mark.parametrize(
    "spec",
    [
        {"authorities": []},
        {"quorum": 2},
        {"authorities": [{"name": "a", "key": {"pem": "-----BEGIN PUBLIC KEY-----"}}]},
    ],
    ids=str,
)
async def test_a_policy_that_cannot_hold_refuses(scene: Scene, spec: dict[str, Any]) -> None:
    scene.bundle()
    verdict = await scene.verify(scene.trust(**spec))
    assert verdict.verdict == "Refused"
    assert verdict.reason in {"InvalidPolicy", "UnusableKey"}
    assert "policy trust" in verdict.message


async def test_two_authorities_of_one_name_refuse(scene: Scene) -> None:
    scene.bundle()
    pems = [key().pem, key("bob").pem]
    authorities = [{"name": "same", "key": {"pem": pem}} for pem in pems]
    verdict = await scene.verify(scene.trust(authorities=authorities))
    assert (verdict.verdict, verdict.reason) == ("Refused", "InvalidPolicy")


async def test_authorities_beside_allow_unsigned_are_still_asked_for(scene: Scene) -> None:
    verdict = await scene.verify(scene.trust(unsafeAllowUnsigned=True))
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")


async def test_a_certificate_authority_that_is_none_refuses(scene: Scene) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"
    registries = {
        "insecure": [scene.registry.host],
        "trustedCAs": [{"hosts": [scene.registry.host], "pem": pem}],
    }
    verdict = await scene.verify(scene.trust(registries=registries))
    assert (verdict.verdict, verdict.reason) == ("Refused", "InvalidPolicy")


# Several containers


async def test_every_container_must_be_verified(scene: Scene) -> None:
    scene.bundle()
    other = signing.push_image(scene.registry, repo="team/init")
    image = f"{scene.registry.host}/team/init@{other}"
    uses = [ImageUse("app", False, scene.image), ImageUse("setup", True, image)]
    verdict = await scene.verify(images=uses)
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")
    assert "init container setup" in verdict.message
    assert "container app" not in verdict.message
    signing.attach_bundle(scene.registry, other, signing.bundle_for(other, key()), repo="team/init")
    verdict = await scene.verify(images=uses)
    assert verdict.verdict == "Verified"
    assert [item.container for item in verdict.evidence] == ["app", "setup"]


@pytest.mark.parametrize("order", [1, -1])
async def test_one_refused_decides_over_one_unknown(scene: Scene, order: int) -> None:
    scene.registry.lies.status["team/gone"] = 500
    gone = f"{scene.registry.host}/team/gone@{scene.digest}"
    unknown, refused = ImageUse("a", False, gone), ImageUse("b", False, scene.image)
    verdict = await scene.verify(images=[unknown, refused][::order])
    assert (verdict.verdict, verdict.reason, verdict.retry) == ("Refused", "Unsigned", False)
    scene.bundle()
    verdict = await scene.verify(images=[unknown, refused][::order])
    assert (verdict.verdict, verdict.retry) == ("Unknown", True)
    assert not verdict.evidence


@pytest.mark.parametrize("image", ["nginx", "", "NGINX@sha256:" + "a" * 64, "a b", "nginx:1.0"])
async def test_an_image_that_is_not_pinned_or_not_named_is_refused(
    scene: Scene, image: str
) -> None:
    verdict = await scene.verify(images=[ImageUse("app", False, image)])
    assert (verdict.verdict, verdict.reason) == ("Refused", "InvalidReference")


async def test_a_very_long_message_is_cut(scene: Scene) -> None:
    uses = [ImageUse(f"c{number}", False, scene.image) for number in range(60)]
    verdict = await scene.verify(images=uses)
    assert len(verdict.message) <= 2048


# Faults of our own


async def test_a_fault_of_our_own_is_unknown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    scene.bundle()
    monkeypatch.setattr("immutablerelease.verification.policy.evaluate", fail)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason, verdict.retry) == ("Unknown", "InternalError", True)


# What is remembered


async def test_a_pass_is_answered_from_memory(scene: Scene) -> None:
    scene.bundle()
    first = await scene.verify()
    scene.registry.requests.clear()
    assert await scene.verify() == first
    assert not scene.registry.requests


async def test_a_pass_is_forgotten_after_a_while(scene: Scene) -> None:
    scene.bundle()
    await scene.verify()
    scene.clock.now += 601
    scene.registry.referrers.clear()
    assert (await scene.verify()).reason == "Unsigned"


async def test_a_refusal_is_not_remembered(scene: Scene) -> None:
    assert (await scene.verify()).verdict == "Refused"
    scene.bundle()
    assert (await scene.verify()).verdict == "Verified"


async def test_an_error_is_not_remembered_past_its_repair(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.status["/referrers/"] = 500
    assert (await scene.verify()).verdict == "Unknown"
    assert (await scene.verify(scene.trust(mode="Audit"))).reason == "NotEnforced"
    scene.registry.lies.status.clear()
    assert (await scene.verify()).verdict == "Verified"
    assert "would say" not in (await scene.verify(scene.trust(mode="Audit"))).message


async def test_a_key_that_is_no_longer_trusted_is_not_remembered(scene: Scene) -> None:
    scene.bundle()
    assert (await scene.verify()).verdict == "Verified"
    assert (await scene.verify(scene.trust(key("bob")))).reason == "WrongKey"


async def test_a_pass_in_one_layout_is_not_remembered_for_another(scene: Scene) -> None:
    scene.simple()
    assert (await scene.verify()).verdict == "Verified"
    assert (await scene.verify(scene.trust(formats=["Bundle"]))).reason == "Unsigned"


async def test_only_so_many_are_remembered(scene: Scene) -> None:
    scene.bundle()
    async with Verifier(clock=scene.clock, limits=QUICK, keep_images=1) as verifier:
        for policy in (scene.trust(), scene.trust(name="other"), scene.trust()):
            scene.registry.requests.clear()
            await verifier.verify(
                [ImageUse("app", False, scene.image)],
                [policy],
                namespace="shop",
                namespace_labels={},
                access=scene.access(),
            )
            assert scene.registry.requests


async def test_equal_questions_at_once_are_asked_once(scene: Scene) -> None:
    scene.bundle()
    verdicts = await asyncio.gather(*(scene.verify() for _ in range(20)))
    assert {verdict.verdict for verdict in verdicts} == {"Verified"}
    assert len(scene.registry.requests) == 3


async def test_one_that_stops_waiting_does_not_take_the_answer_from_others(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.delay["/blobs/"] = 0.1
    impatient = asyncio.create_task(scene.verify())
    patient = asyncio.create_task(scene.verify())
    await asyncio.sleep(0.05)
    impatient.cancel()
    assert (await patient).verdict == "Verified"
    assert len(scene.registry.requests) == 3


async def test_an_observer_is_told_of_every_verdict(scene: Scene) -> None:
    class Recorder:
        def __init__(self) -> None:
            self.told: list[tuple[Verdict, float]] = []

        def on_verdict(self, verdict: Verdict, seconds: float) -> None:
            self.told.append((verdict, seconds))

    recorder = Recorder()
    async with Verifier(clock=scene.clock, limits=QUICK, observer=recorder) as verifier:
        verdict = await verifier.verify(
            [], [], namespace="shop", namespace_labels={}, access=Access()
        )
    assert recorder.told == [(verdict, 0.0)]


# The hash over policies


def _hash(*policies: Policy) -> str:
    return policies_hash(policies, "shop", {})


def test_the_hash_of_policies_does_not_depend_on_their_order() -> None:
    first, second = signing.policy(key(), name="a"), signing.policy(key(), name="b")
    assert _hash(first, second) == _hash(second, first)


@pytest.mark.parametrize(
    "change",
    [
        {"quorum": 2},
        {"mode": "Audit"},
        {"formats": ["Bundle"]},
        {"match": {"images": ["docker.io/**"]}},
        {"registries": {"insecure": ["localhost:5000"]}},
        {"name": "other"},
        {"authorities": []},
        {"unsafeAllowUnsigned": True},
    ],
    ids=str,
)
def test_the_hash_of_policies_follows_what_they_say(change: dict[str, Any]) -> None:
    assert _hash(signing.policy(key())) != _hash(signing.policy(key(), **change))


def test_the_hash_of_policies_leaves_out_those_of_other_namespaces() -> None:
    other = signing.policy(key(), name="b", match={"namespaces": ["other"]})
    assert _hash(signing.policy(key()), other) == _hash(signing.policy(key()))
    assert _hash() != _hash(signing.policy(key()))


# What policies allow


def test_registries_are_allowed_by_policies_that_match_the_namespace_alone() -> None:
    here = signing.policy(
        key(),
        name="here",
        registries={
            "insecure": ["localhost:5000"],
            "tokenHosts": ["login.example"],
            "trustedCAs": [
                {"hosts": ["a.example", "b.example:443"], "pem": "-----BEGIN CERTIFICATE-----1"}
            ],
        },
    )
    there = signing.policy(
        key(),
        name="there",
        match={"namespaces": ["other"]},
        registries={"insecure": ["evil.example"]},
    )
    access = Access.allowed_by([there, here], namespace="shop", namespace_labels={})
    assert access.insecure == {"localhost:5000"}
    assert access.token_hosts == {"login.example"}
    assert set(access.trusted_cas) == {"a.example", "b.example"}
