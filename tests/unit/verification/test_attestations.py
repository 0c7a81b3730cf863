"""What a policy may demand to be attested, and every way to make it look so when it is not."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from immutablerelease.api.policy import Policy
from immutablerelease.verification.discovery import MAX_ATTESTATION_BYTES
from immutablerelease.verification.transport import Limits
from immutablerelease.verification.verdict import ImageUse
from tests.unit.verification import attesting, signing
from tests.unit.verification.attesting import (
    BUILDER,
    BUILT_HERE,
    COMMIT,
    CYCLONE_DX,
    REPOSITORY,
    SLSA,
    SLSA_V02,
    SPDX,
    VULN,
    attach_layers,
    attest,
    envelope_layer,
    slsa,
    slsa_v02,
)
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.signing import key

OTHER = "sha256:" + "ab" * 32
CLEAN = {
    "name": "scanned",
    "predicateType": VULN,
    "rules": [
        {"expression": "predicate.scanner.result.size() == 0", "message": "no vulnerabilities"}
    ],
}
SCAN: dict[str, Any] = {"scanner": {"result": []}}
Attack = Callable[[Scene], object]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Rules start processes: on a busy machine that takes its time."""
    async with set_up(Limits(image_seconds=40.0)) as made:
        yield made


def _policy(scene: Scene, *wanted: dict[str, Any], **spec: Any) -> Policy:
    """Alice's attestations are enough; the image need not be signed."""
    return scene.trust(**{"attestations": wanted or (BUILT_HERE,), "signature": "Ignored", **spec})


async def _reason(scene: Scene, policy: Policy) -> tuple[str, str]:
    verdict = await scene.verify(policy)
    return verdict.verdict, str(verdict.reason)


# What passes


async def test_provenance_by_a_trusted_key_proves_the_source(scene: Scene) -> None:
    manifest = attest(scene, SLSA, slsa())
    verdict = await scene.verify(_policy(scene))
    assert verdict.verdict == "Verified", verdict.message
    assert f"built from {REPOSITORY} at {COMMIT[:12]}" in verdict.message
    assert verdict.source is not None
    assert (verdict.source.repository, verdict.source.commit, verdict.source.builder) == (
        REPOSITORY,
        COMMIT,
        BUILDER,
    )
    (evidence,) = verdict.evidence
    assert (evidence.predicate_type, evidence.signature, evidence.authority, evidence.format) == (
        SLSA,
        manifest,
        "key-0",
        "Bundle",
    )


@pytest.mark.parametrize(
    "kind", ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]
)
async def test_both_versions_of_statements_are_read(scene: Scene, kind: str) -> None:
    attest(scene, SLSA, slsa(), _type=kind)
    assert await _reason(scene, _policy(scene)) == ("Verified", "Signed")


async def test_an_envelope_at_the_tag_counts(scene: Scene) -> None:
    manifest = attach_layers(
        scene,
        envelope_layer(scene, VULN, SCAN),
        envelope_layer(scene, SLSA_V02, slsa_v02()),
    )
    verdict = await scene.verify(_policy(scene))
    assert verdict.verdict == "Verified", verdict.message
    assert (verdict.evidence[0].format, verdict.evidence[0].signature) == ("Envelope", manifest)


async def test_an_attestation_without_a_hint_is_found(scene: Scene) -> None:
    attest(scene, SLSA, slsa(), hint=None)
    assert await _reason(scene, _policy(scene)) == ("Verified", "Signed")


async def test_an_image_is_one_of_several_that_were_built_together(scene: Scene) -> None:
    subjects = [{"name": "other", "digest": {"sha256": "ab" * 32}}]
    subjects += [{"name": "app", "digest": {"sha256": scene.digest[7:]}}]
    attest(scene, SLSA, slsa(), subject=subjects)
    assert await _reason(scene, _policy(scene)) == ("Verified", "Signed")


async def test_rules_that_are_true_hold(scene: Scene) -> None:
    attest(scene, VULN, SCAN)
    assert await _reason(scene, _policy(scene, CLEAN)) == ("Verified", "Signed")


@pytest.mark.parametrize(
    ("wanted", "predicate_type", "predicate"),
    [
        ("CycloneDX", CYCLONE_DX, {"bomFormat": "CycloneDX", "specVersion": "1.6"}),
        ("SPDX", f"{SPDX}/v2.3", {"spdxVersion": "SPDX-2.3"}),
        ("Any", SPDX, {"spdxVersion": "SPDX-2.3"}),
    ],
)
async def test_a_bill_of_materials_is_there(
    scene: Scene, wanted: str, predicate_type: str, predicate: dict[str, Any]
) -> None:
    attest(scene, predicate_type, predicate)
    policy = _policy(scene, {"name": "sbom", "sbom": wanted})
    assert await _reason(scene, policy) == ("Verified", "Signed")


async def test_signature_and_attestations_are_both_wanted_and_both_told(scene: Scene) -> None:
    policy = _policy(scene, BUILT_HERE, CLEAN, signature="Required")
    scene.bundle()
    attest(scene, SLSA, slsa())
    assert await _reason(scene, policy) == ("Refused", "AttestationMissing")
    attest(scene, VULN, SCAN)
    verdict = await scene.verify(policy)
    assert verdict.verdict == "Verified", verdict.message
    assert [item.predicate_type for item in verdict.evidence] == [None, SLSA, VULN]


async def test_attestations_do_not_stand_in_for_the_signature(scene: Scene) -> None:
    attest(scene, SLSA, slsa())
    policy = _policy(scene, signature="Required")
    assert await _reason(scene, policy) == ("Refused", "Unsigned")


async def test_attestations_of_all_policies_must_be_there(scene: Scene) -> None:
    attest(scene, SLSA, slsa())
    verdict = await scene.verify(_policy(scene), _policy(scene, CLEAN, name="scans"))
    assert (verdict.verdict, verdict.reason) == ("Refused", "AttestationMissing")
    assert "policy scans wants attestation scanned" in verdict.message


async def test_a_broken_attestation_takes_nothing_from_a_good_one(scene: Scene) -> None:
    attest(scene, SLSA, slsa(), signer=key("mallory"))
    attest(scene, SLSA, slsa(), digest=OTHER)
    attest(scene, SLSA, {"buildDefinition": 1})
    attest(scene, SLSA, slsa())
    assert await _reason(scene, _policy(scene)) == ("Verified", "Signed")


# Authorities and quorum


async def test_a_quorum_of_attestations_counts_distinct_authorities(scene: Scene) -> None:
    policy = scene.trust(
        key(), key("bob"), attestations=[{**BUILT_HERE, "quorum": 2}], signature="Ignored"
    )
    attest(scene, SLSA, slsa())
    attach_layers(scene, envelope_layer(scene, SLSA, slsa()))
    assert await _reason(scene, policy) == ("Refused", "QuorumNotMet")
    attest(scene, SLSA, slsa(), signer=key("bob"))
    verdict = await scene.verify(policy)
    assert [item.authority for item in verdict.evidence] == ["key-0", "key-1"]


async def test_only_the_named_authorities_count(scene: Scene) -> None:
    wanted = {**BUILT_HERE, "authorities": ["key-1"]}
    policy = scene.trust(key(), key("bob"), attestations=[wanted], signature="Ignored")
    attest(scene, SLSA, slsa())
    assert await _reason(scene, policy) == ("Refused", "WrongKey")
    attest(scene, SLSA, slsa(), signer=key("bob"))
    assert await _reason(scene, policy) == ("Verified", "Signed")


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "two", "slsa": BUILT_HERE["slsa"], "sbom": "Any"},
        {"name": "none"},
        {"name": "signature", "predicateType": signing.SIGN},
        {**BUILT_HERE, "authorities": ["nobody"]},
        {**BUILT_HERE, "quorum": 2},
        {**CLEAN, "rules": [{"expression": "predicate.", "message": "no CEL"}]},
        {**CLEAN, "rules": [{"expression": "subject == 1", "message": "unknown"}]},
        {**CLEAN, "rules": [{"expression": "'true'", "message": "text"}]},
    ],
    ids=str,
)
async def test_a_policy_that_cannot_hold_refuses(scene: Scene, wanted: dict[str, Any]) -> None:
    attest(scene, VULN, SCAN)
    attest(scene, SLSA, slsa())
    assert await _reason(scene, _policy(scene, wanted)) == ("Refused", "InvalidPolicy")


# What must not pass, and why


def _changed(**changes: Any) -> Attack:
    return lambda scene: attest(scene, SLSA, slsa(), **changes)


def _build(**changes: Any) -> Attack:
    return lambda scene: attest(scene, SLSA, slsa(**changes))


def _workflow(**changes: Any) -> Attack:
    workflow = {"repository": REPOSITORY, "ref": "refs/heads/main", **changes}
    return _build(externalParameters={"workflow": workflow})


def _dependencies(*items: object) -> Attack:
    return _build(resolvedDependencies=list(items))


def _source(uri: object) -> Attack:
    return lambda scene: attest(scene, SLSA_V02, slsa_v02(uri))  # type: ignore[arg-type]


def _subjects(*digests: object) -> Attack:
    return _changed(subject=[{"digest": digest} for digest in digests])


def _text(old: str, new: str) -> Attack:
    def attack(scene: Scene) -> str:
        text = attesting.statement(scene.digest, SLSA, slsa()).decode()
        assert old in text
        return attest(scene, SLSA, None, payload=text.replace(old, new).encode())

    return attack


def _own(scene: Scene) -> dict[str, str]:
    return {"sha256": scene.digest.removeprefix("sha256:")}


def _swapped(scene: Scene) -> str:
    """An honest signature over one payload, put under another."""
    good = signing.envelope(attesting.statement(scene.digest, VULN, SCAN), key())
    lie = signing.envelope(attesting.statement(scene.digest, SLSA, slsa()), key("mallory"))
    made = signing.bundle({**good, "payload": lie["payload"]})
    return signing.attach_bundle(scene.registry, scene.digest, made, predicate_hint=SLSA)


ATTACKS: dict[str, tuple[Attack, str]] = {
    "nothing at all": (lambda s: None, "AttestationMissing"),
    "provenance by a key that nobody trusts": (_changed(signer=key("mallory")), "WrongKey"),
    "provenance of another image": (_changed(digest=OTHER), "WrongSubject"),
    "the signature of a scan under a payload of provenance": (_swapped, "WrongKey"),
    "a scan that is labelled as provenance": (
        lambda s: attest(s, VULN, SCAN, hint=SLSA),
        "WrongPredicateType",
    ),
    "a scan without a label": (lambda s: attest(s, VULN, SCAN, hint=None), "WrongPredicateType"),
    "a signature that is labelled as provenance": (
        lambda s: attest(s, signing.SIGN, {}, hint=SLSA),
        "WrongPredicateType",
    ),
    "provenance that is labelled as a scan": (_changed(hint=VULN), "AttestationMissing"),
    "a predicate type with a version after it": (
        lambda s: attest(s, f"{SLSA}/x", slsa(), hint=SLSA),
        "WrongPredicateType",
    ),
    "a predicate type in upper case": (
        lambda s: attest(s, SLSA.upper(), slsa(), hint=SLSA),
        "WrongPredicateType",
    ),
    "no predicate type": (_changed(predicateType=None), "MalformedSignature"),
    "an empty predicate type": (_changed(predicateType=""), "MalformedSignature"),
    "a statement of a version to come": (
        _changed(_type="https://in-toto.io/Statement/v2"),
        "MalformedSignature",
    ),
    "no type of statement": (_changed(_type=None), "MalformedSignature"),
    "no subject": (_changed(subject=[]), "MalformedSignature"),
    "a subject that is null": (_changed(subject=[None]), "MalformedSignature"),
    "a subject without digests": (_subjects({}), "MalformedSignature"),
    "a subject known by sha512 alone": (_subjects({"sha512": "ab" * 64}), "WrongSubject"),
    "a subject known by its digest and another beside it": (
        lambda s: attest(s, SLSA, slsa(), subject=[{"digest": {**_own(s), "sha512": "ab" * 64}}]),
        "WrongSubject",
    ),
    "a subject whose digest is in upper case": (
        lambda s: attest(s, SLSA, slsa(), subject=[{"digest": {"sha256": s.digest[7:].upper()}}]),
        "MalformedSignature",
    ),
    "a subject whose digest is the start of ours": (
        lambda s: attest(s, SLSA, slsa(), subject=[{"digest": {"sha256": s.digest[7:40]}}]),
        "MalformedSignature",
    ),
    "a subject whose digest is a number": (_subjects({"sha256": 7}), "MalformedSignature"),
    "more subjects than anything honest": (
        lambda s: attest(s, SLSA, slsa(), subject=[{"digest": _own(s)}] * 2000),
        "MalformedSignature",
    ),
    "more digests than anything honest": (
        _subjects({f"sha{number}": "ab" for number in range(40)}),
        "MalformedSignature",
    ),
    "the image named by a name and not by its digest": (
        lambda s: attest(
            s, SLSA, slsa(), subject=[{"name": s.image, "digest": {"sha256": "ab" * 32}}]
        ),
        "WrongSubject",
    ),
    "a subject named twice": (
        _text('"subject":', '"subject": [], "subject":'),
        "MalformedSignature",
    ),
    "a predicate named twice": (
        _text('"predicate":', '"predicate": {}, "predicate":'),
        "MalformedSignature",
    ),
    "a predicate type named twice": (
        _text('"predicateType":', f'"predicateType": "{VULN}", "predicateType":'),
        "MalformedSignature",
    ),
    "bytes after the statement": (_text('"_type"', '"_type": 1} {"_type"'), "MalformedSignature"),
    "another repository": (
        _workflow(repository="https://github.com/shop/evil"),
        "WrongProvenance",
    ),
    "a repository whose name goes on": (
        _workflow(repository="https://github.com/shop/app-fork"),
        "WrongProvenance",
    ),
    "a repository that starts like ours": (
        _workflow(repository="https://github.com/shop/app/../../evil/app"),
        "WrongProvenance",
    ),
    "a repository on another host with ours in its query": (
        _workflow(repository="https://evil.example/?https://github.com/shop/app"),
        "WrongProvenance",
    ),
    "a repository on another host with ours as user": (
        _workflow(repository="https://github.com/shop/app@evil.example/x"),
        "WrongProvenance",
    ),
    "a repository by plain HTTP": (
        _workflow(repository="http://github.com/shop/app"),
        "WrongProvenance",
    ),
    "a repository with an escape": (
        _workflow(repository="https://github.com/shop%2Fapp"),
        "WrongProvenance",
    ),
    "a repository in other letters": (
        _workflow(repository="https://github.com/shop/\u0430pp"),
        "WrongProvenance",
    ),
    "a repository that is a list": (_workflow(repository=[REPOSITORY]), "WrongProvenance"),
    "no repository": (_workflow(repository=None), "WrongProvenance"),
    "another branch": (_workflow(ref="refs/heads/feature"), "WrongProvenance"),
    "a branch whose name goes on": (_workflow(ref="refs/heads/main2"), "WrongProvenance"),
    "a ref with a line break": (_workflow(ref="refs/heads/main\n"), "WrongProvenance"),
    "a ref that is a number": (_workflow(ref=1), "WrongProvenance"),
    "two refs": (
        _workflow(repository=f"git+{REPOSITORY}@refs/heads/evil"),
        "WrongProvenance",
    ),
    "another builder": (
        lambda s: attest(
            s, SLSA, {**slsa(), "runDetails": {"builder": {"id": "https://evil.example/builder"}}}
        ),
        "WrongProvenance",
    ),
    "no builder": (lambda s: attest(s, SLSA, {**slsa(), "runDetails": {}}), "WrongProvenance"),
    "a builder that is a list": (
        lambda s: attest(s, SLSA, {**slsa(), "runDetails": {"builder": {"id": [BUILDER]}}}),
        "WrongProvenance",
    ),
    "a build type that is not known": (
        _build(buildType="https://evil.example/anything/v1"),
        "WrongProvenance",
    ),
    "a build type that is a list": (_build(buildType=[attesting.WORKFLOW]), "WrongProvenance"),
    "no build type": (_build(buildType=None), "WrongProvenance"),
    "no commit": (_dependencies(), "WrongProvenance"),
    "the commit of another repository": (
        _dependencies(
            {
                "uri": "git+https://github.com/evil/app@refs/heads/main",
                "digest": {"gitCommit": COMMIT},
            }
        ),
        "WrongProvenance",
    ),
    "two commits of the repository": (
        _dependencies(
            {"uri": f"git+{REPOSITORY}@refs/heads/main", "digest": {"gitCommit": COMMIT}},
            {"uri": f"git+{REPOSITORY}@refs/heads/main", "digest": {"gitCommit": "2e" * 20}},
        ),
        "WrongProvenance",
    ),
    "a short commit": (
        _dependencies(
            {"uri": f"git+{REPOSITORY}@refs/heads/main", "digest": {"gitCommit": "1f1f"}}
        ),
        "WrongProvenance",
    ),
    "dependencies that are none": (_dependencies(None, 7, {"digest": []}), "WrongProvenance"),
    "provenance of v1 as v0.2": (lambda s: attest(s, SLSA_V02, slsa()), "WrongProvenance"),
    "provenance of v0.2 as v1": (lambda s: attest(s, SLSA, slsa_v02()), "WrongProvenance"),
    "another repository in v0.2": (
        _source("git+https://github.com/shop/evil@refs/heads/main"),
        "WrongProvenance",
    ),
    "another branch in v0.2": (_source(f"git+{REPOSITORY}@refs/heads/evil"), "WrongProvenance"),
    "a branch in v0.2 that is hidden in a fragment": (
        _source(f"git+{REPOSITORY}@refs/heads/main#refs/heads/evil"),
        "WrongProvenance",
    ),
    "no source in v0.2": (_source(None), "WrongProvenance"),
    "a predicate that is a list": (lambda s: attest(s, SLSA, [slsa()]), "WrongProvenance"),
    "no predicate": (lambda s: attest(s, SLSA, None), "WrongProvenance"),
    "a layer of another type at the tag": (
        lambda s: attach_layers(
            s, envelope_layer(s, SLSA, slsa(), media_type=signing.SIMPLE, hint=None)
        ),
        "UnsupportedSignature",
    ),
    "a scan that is labelled as provenance at the tag": (
        lambda s: attach_layers(s, envelope_layer(s, VULN, SCAN, hint=SLSA)),
        "WrongPredicateType",
    ),
    "an envelope by a key that nobody trusts": (
        lambda s: attach_layers(s, envelope_layer(s, SLSA, slsa(), signer=key("mallory"))),
        "WrongKey",
    ),
    "an envelope of another image": (
        lambda s: attach_layers(
            s, envelope_layer(s, SLSA, slsa(), subject=[{"digest": {"sha256": "ab" * 32}}])
        ),
        "WrongSubject",
    ),
}


@pytest.mark.parametrize(("attack", "reason"), ATTACKS.values(), ids=ATTACKS)
async def test_it_is_refused_for_the_right_reason(
    scene: Scene, attack: Attack, reason: str
) -> None:
    attack(scene)
    assert await _reason(scene, _policy(scene)) == ("Refused", reason)


@pytest.mark.parametrize(
    ("rule", "predicate", "reason"),
    [
        ("predicate.scanner.result.size() == 0", {"scanner": {"result": [1]}}, "RuleBroken"),
        ("predicate.missing == 1", {}, "RuleFailed"),
        ("predicate.a / 0 == 1", {"a": 1}, "RuleFailed"),
        ("predicate.a", {"a": "true"}, "RuleFailed"),
        ("predicate.a", {"a": 1}, "RuleFailed"),
        ("predicate.l.all(x, x == 0)", {"l": [0] * 20_000}, "RuleFailed"),
        ("predicate.s.matches('(')", {"s": "a"}, "RuleFailed"),
        (
            "[predicate.s]" + ".map(x, x + x)" * 24 + ".size() > 0",
            {"s": "a" * 1000},
            "RuleFailed",
        ),
        (
            "timestamp(predicate.at) > now - duration('24h')",
            {"at": "2020-01-01T00:00:00Z"},
            "RuleBroken",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_rule_that_is_not_true_refuses(
    scene: Scene, rule: str, predicate: dict[str, Any], reason: str
) -> None:
    attest(scene, VULN, predicate)
    wanted = {**CLEAN, "rules": [{"expression": rule, "message": "as the team wants"}]}
    verdict = await scene.verify(_policy(scene, wanted))
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert "as the team wants" in verdict.message


@pytest.mark.parametrize(
    ("wanted", "predicate_type", "predicate", "reason"),
    [
        ("CycloneDX", CYCLONE_DX, {"bomFormat": "SPDX"}, "WrongSbom"),
        ("CycloneDX", CYCLONE_DX, [], "WrongSbom"),
        ("SPDX", SPDX, {"Data": "SPDXVersion: SPDX-2.3"}, "WrongSbom"),
        ("SPDX", SPDX, None, "WrongSbom"),
        ("SPDX", CYCLONE_DX, {"bomFormat": "CycloneDX"}, "AttestationMissing"),
        ("Any", f"{SPDX}/v", {"spdxVersion": "SPDX-2.3"}, "AttestationMissing"),
        ("Any", f"{SPDX}-evil", {"spdxVersion": "SPDX-2.3"}, "AttestationMissing"),
    ],
)
async def test_what_is_no_bill_of_materials_is_refused(
    scene: Scene, wanted: str, predicate_type: str, predicate: Any, reason: str
) -> None:
    attest(scene, predicate_type, predicate)
    policy = _policy(scene, {"name": "sbom", "sbom": wanted})
    assert await _reason(scene, policy) == ("Refused", reason)


# Registries


async def test_more_attestations_than_anything_honest_are_not_read(scene: Scene) -> None:
    for number in range(51):
        attest(scene, SLSA, slsa(), name=str(number))
    assert await _reason(scene, _policy(scene)) == ("Refused", "TooMuchData")
    assert not any("/blobs/" in path for path in scene.registry.paths())


@pytest.mark.parametrize("size", [MAX_ATTESTATION_BYTES + 1, 10**15])
async def test_an_attestation_that_is_too_long_is_not_read(scene: Scene, size: int) -> None:
    content = signing.bundle_for(scene.digest, key(), predicateType=SLSA, predicate=slsa())
    signing.attach_bundle(
        scene.registry,
        scene.digest,
        content,
        predicate_hint=SLSA,
        layer_changes={"size": size},
    )
    assert await _reason(scene, _policy(scene)) == ("Refused", "TooMuchData")
    assert not any("/blobs/" in path for path in scene.registry.paths())


async def test_attestations_that_are_too_long_together_are_not_all_read(scene: Scene) -> None:
    for number in range(4):
        predicate = {"pad": "x" * (5 * 1024 * 1024), "n": number}
        attest(scene, VULN, predicate, signer=key("mallory"))
    await scene.verify(_policy(scene, CLEAN))
    read = [path for path in scene.registry.paths() if "/blobs/" in path]
    assert 0 < len(read) < 4


async def test_a_predicate_that_is_too_long_for_rules_is_refused(scene: Scene) -> None:
    attest(scene, VULN, {**SCAN, "pad": "x" * (4 * 1024 * 1024)})
    assert await _reason(scene, _policy(scene, CLEAN)) == ("Refused", "TooMuchData")


@pytest.mark.parametrize(
    ("part", "status"), [("/blobs/", 500), (".att", 503), ("/referrers/", 401)]
)
async def test_a_registry_that_fails_is_not_one_without_attestations(
    scene: Scene, part: str, status: int
) -> None:
    attest(scene, SLSA, slsa(), signer=key("mallory"))
    scene.registry.lies.status[part] = status
    verdict = await scene.verify(_policy(scene))
    assert (verdict.verdict, verdict.retry) == ("Unknown", True)


async def test_a_registry_that_hides_the_image_is_not_one_without_attestations(
    scene: Scene,
) -> None:
    scene.registry.lies.status["/v2/"] = 404
    assert await _reason(scene, _policy(scene)) == ("Refused", "NotFound")


async def test_layouts_that_are_not_listed_are_not_looked_for(scene: Scene) -> None:
    attach_layers(scene, envelope_layer(scene, SLSA, slsa()))
    policy = _policy(scene, {**BUILT_HERE, "formats": ["Bundle"]})
    assert await _reason(scene, policy) == ("Refused", "AttestationMissing")
    assert not any(path.endswith(".att") for path in scene.registry.paths())


async def test_lists_and_artifacts_are_fetched_once_for_all_policies(scene: Scene) -> None:
    scene.bundle()
    attest(scene, SLSA, slsa())
    both = _policy(scene, signature="Required")
    verdict = await scene.verify(both, _policy(scene, name="again"))
    assert verdict.verdict == "Verified", verdict.message
    paths = scene.registry.paths()
    assert len(paths) == len(set(paths)) == 5, json.dumps(paths, indent=1)


async def test_the_source_is_that_of_a_container_not_of_what_prepares_it(scene: Scene) -> None:
    attest(scene, SLSA, slsa())
    init, volume = ImageUse("setup", True, scene.image), ImageUse("m", False, scene.image, True)
    verdict = await scene.verify(_policy(scene), images=[init, volume])
    assert (verdict.verdict, verdict.source) == ("Verified", None)
