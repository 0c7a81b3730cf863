"""Policies that could be fooled by who counts, by what they refer to, or by what is remembered."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography import x509
from pydantic import ValidationError

from immutablerelease.api.policy import Policy
from immutablerelease.verification import evaluation
from immutablerelease.verification.bundle import parse_bundle
from immutablerelease.verification.matching import policies_hash
from immutablerelease.verification.signature import Signature
from immutablerelease.verification.trust import Trust, references
from immutablerelease.verification.verdict import Verdict
from tests.unit.verification import keyless, signing
from tests.unit.verification.keyless import ISSUER, ROOT, SUBJECT, Case, Keyless, attach
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import key
from tests.unit.verification.simulated_sigstore import b64, foreign, trusted

BOB = "https://forge.example/bob"
ALICE_ID = {"issuer": ISSUER, "subject": SUBJECT}
BOB_ID = {"issuer": ISSUER, "subject": BOB}


def _by_bob() -> Keyless:
    return Keyless(names=[x509.UniformResourceIdentifier(BOB)])


async def _verify(scene: Scene, *authorities: dict[str, Any], **spec: Any) -> Verdict:
    return await scene.verify(
        keyless.policy(scene.registry, *authorities, **spec), trust=keyless.trust()
    )


# What was signed.

ON_STATEMENTS: dict[str, Case] = {
    "a statement about another image": (
        lambda s: attach(s, Keyless(), signing.statement("sha256:" + "ab" * 32)),
        "WrongSubject",
        "expected sha256:",
    ),
    "an attestation in place of a signature": (
        lambda s: attach(
            s,
            Keyless(),
            signing.statement(s.digest, predicateType="https://slsa.dev/provenance/v1"),
        ),
        "WrongPredicateType",
        "slsa.dev",
    ),
    "a payload that was swapped after signing": (
        lambda s: _swapped(s),
        "WrongKey",
        "not by the key of its certificate",
    ),
    "a simple-signing payload in an envelope": (
        lambda s: attach(s, Keyless(), signing.simple_payload(s.digest)),
        "MalformedSignature",
        "statement: type",
    ),
    "a bundle of another version than its manifest says": (
        lambda s: _mislabelled(s),
        "MalformedSignature",
        "version 0.2 in a manifest for",
    ),
    "a bundle that signs a file": (
        lambda s: _of_a_file(s),
        "UnsupportedSignature",
        "signs a file",
    ),
}


def _swapped(scene: Scene) -> None:
    made = Keyless().bundle(signing.statement("sha256:" + "ab" * 32))
    honest = Keyless().bundle(signing.statement(scene.digest))
    made["dsseEnvelope"]["payload"] = honest["dsseEnvelope"]["payload"]
    scene.bundle(made)


def _mislabelled(scene: Scene) -> None:
    made = Keyless(log=trusted().log1)
    scene.bundle(made.bundle(signing.statement(scene.digest), media_type=keyless.BUNDLE_02))


def _of_a_file(scene: Scene) -> None:
    made = Keyless().bundle(signing.statement(scene.digest))
    del made["dsseEnvelope"]
    scene.bundle({**made, "messageSignature": {"signature": b64(b"x")}})


@pytest.mark.parametrize(("attack", "reason", "told"), ON_STATEMENTS.values(), ids=ON_STATEMENTS)
async def test_a_keyless_bundle_is_refused_for(
    scene: Scene, attack: Any, reason: str, told: str
) -> None:
    attack(scene)
    verdict = await _verify(scene)
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert told in verdict.message


# Keys that must be in a log.

ON_LOGGED_KEYS: dict[str, Case] = {
    "no entry of a log": (
        lambda s: s.bundle(signing.bundle_for(s.digest, key())),
        "NotLogged",
        "0 log entries",
    ),
    "an entry of a log that nobody trusts": (
        lambda s: s.bundle(keyless.keyed_bundle(s.digest, log=foreign().log2)),
        "NotLogged",
        "does not name",
    ),
    "an entry that records another key": (
        lambda s: s.bundle(keyless.keyed_bundle(s.digest, logged=key("mallory"))),
        "WrongLogEntry",
        "another key",
    ),
    "an entry that records a key of an unknown kind": (
        lambda s: s.bundle(keyless.keyed_bundle(s.digest, body=_unknown_key)),
        "WrongLogEntry",
        "unusable",
    ),
    "an entry that records another content": (
        lambda s: s.bundle(
            keyless.keyed_bundle(
                s.digest,
                body=keyless.changed("spec.hashedRekordV002.data.digest", b64(b"x" * 32)),
            )
        ),
        "WrongLogEntry",
        "another content",
    ),
    "an honest entry, but another key": (
        lambda s: s.bundle(keyless.keyed_bundle(s.digest, key("mallory"))),
        "WrongKey",
        "by none of the keys",
    ),
}


def _unknown_key(body: Any) -> Any:
    return keyless.changed(
        "spec.hashedRekordV002.signature.verifier.publicKey.rawBytes", b64(b"no key")
    )(body)


@pytest.mark.parametrize(("attack", "reason", "told"), ON_LOGGED_KEYS.values(), ids=ON_LOGGED_KEYS)
async def test_a_key_that_must_be_in_a_log_is_refused_for(
    scene: Scene, attack: Any, reason: str, told: str
) -> None:
    attack(scene)
    verdict = await _verify(scene, keyless.logged_key())
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert told in verdict.message


# Who counts how often.


async def test_one_identity_with_two_certificates_is_one_signer(scene: Scene) -> None:
    attach(scene, Keyless())
    attach(scene, Keyless())
    wanted = [keyless.authority(name) for name in ("one", "two")]
    verdict = await _verify(scene, *wanted, quorum=2)
    assert (verdict.verdict, verdict.reason) == ("Refused", "QuorumNotMet"), verdict.message


async def test_one_identity_in_two_layouts_is_one_signer(scene: Scene) -> None:
    attach(scene, Keyless())
    keyless.attach_simple(scene, Keyless())
    wanted = [keyless.authority("one"), keyless.authority("two", identities=[BOB_ID])]
    verdict = await _verify(scene, *wanted, quorum=2)
    assert (verdict.verdict, verdict.reason) == ("Refused", "QuorumNotMet"), verdict.message


async def test_two_identities_of_one_authority_are_one_authority(scene: Scene) -> None:
    attach(scene, Keyless())
    attach(scene, _by_bob())
    wanted = [
        keyless.authority("team", identities=[ALICE_ID, BOB_ID]),
        {"name": "key", "key": {"pem": key().pem}},
    ]
    verdict = await _verify(scene, *wanted, quorum=2)
    assert (verdict.verdict, verdict.reason) == ("Refused", "QuorumNotMet"), verdict.message


async def test_signers_are_seated_so_that_all_of_them_count(scene: Scene) -> None:
    attach(scene, Keyless())
    attach(scene, _by_bob())
    wanted = [
        keyless.authority("team", identities=[ALICE_ID, BOB_ID]),
        keyless.authority("lead", identities=[ALICE_ID]),
    ]
    verdict = await _verify(scene, *wanted, quorum=2)
    assert verdict.verdict == "Verified", verdict.message
    signed = {evidence.authority: evidence.identity for evidence in verdict.evidence}
    assert signed == {"lead": SUBJECT, "team": BOB}


async def test_a_signer_counts_for_whichever_authority_one_of_his_signatures_satisfies(
    scene: Scene,
) -> None:
    attach(scene, Keyless())
    attach(scene, Keyless(stamped_at=[]), tlogEntries=[])
    attach(scene, Keyless(), tlogEntries=[])
    attach(scene, _by_bob())
    wanted = [
        keyless.authority("logged", identities=[ALICE_ID, BOB_ID]),
        keyless.authority("stamped", identities=[ALICE_ID], transparencyLog="Ignored"),
    ]
    verdict = await _verify(scene, *wanted, quorum=2)
    assert verdict.verdict == "Verified", verdict.message
    signed = {evidence.authority: evidence.identity for evidence in verdict.evidence}
    assert signed == {"stamped": SUBJECT, "logged": BOB}


async def test_what_nobody_foresaw_about_one_signature_takes_no_other_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach(scene, Keyless())
    scene.bundle(b"a fault")

    def failing(data: bytes, **options: Any) -> Signature:
        if data == b"a fault":
            raise RuntimeError
        return parse_bundle(data, **options)

    monkeypatch.setattr(evaluation, "parse_bundle", failing)
    assert (await _verify(scene)).verdict == "Verified"
    verdict = await _verify(scene, keyless.authority(identities=[BOB_ID]))
    assert (verdict.verdict, verdict.reason) == ("Unknown", "InternalError"), verdict.message


async def test_a_key_and_an_identity_are_two(scene: Scene) -> None:
    attach(scene, Keyless())
    scene.simple()
    wanted = [keyless.authority(), {"name": "key", "key": {"pem": key().pem}}]
    verdict = await _verify(scene, *wanted, quorum=2)
    assert verdict.verdict == "Verified", verdict.message


async def test_a_broken_signature_beside_a_good_one_takes_nothing_away(scene: Scene) -> None:
    attach(scene, Keyless(ca=foreign().ca))
    attach(scene, Keyless())
    assert (await _verify(scene)).verdict == "Verified"


# Policies that cannot be applied.

_UNCLEAR: dict[str, tuple[dict[str, Any], str]] = {
    "a pattern that looks ahead": (
        {"identities": [{"issuer": ISSUER, "subjectPattern": "(?=x)x"}]},
        "RE2",
    ),
    "a pattern that refers back": (
        {"identities": [{"issuer": ISSUER, "subjectPattern": r"(a)\1"}]},
        "RE2",
    ),
    "a pattern that repeats without measure": (
        {"identities": [{"issuer": ISSUER, "subjectPattern": "((a{100}){100}){100}"}]},
        "RE2",
    ),
    "a pattern that is none": (
        {"identities": [{"issuerPattern": "(", "subject": SUBJECT}]},
        "RE2",
    ),
    "an identity without an issuer": ({"identities": [{"subject": SUBJECT}]}, "each once"),
    "an identity without a subject": ({"identities": [{"issuer": ISSUER}]}, "each once"),
    "an issuer that is given twice": (
        {"identities": [{"issuer": ISSUER, "issuerPattern": ".*", "subject": SUBJECT}]},
        "each once",
    ),
    "a key and identities at once": ({"key": {"pem": key().pem}}, "exactly one of key and keyless"),
    "neither a key nor identities": ({"keyless": None}, "exactly one of key and keyless"),
    "a key that is given twice": (
        {
            "keyless": None,
            "key": {"pem": key().pem, "secretRef": {"name": "keys", "key": "release.pub"}},
        },
        "exactly one of pem and secretRef",
    ),
}


@pytest.mark.parametrize(("changes", "told"), _UNCLEAR.values(), ids=_UNCLEAR)
async def test_a_policy_is_not_applied_with(
    scene: Scene, changes: dict[str, Any], told: str
) -> None:
    attach(scene, Keyless())
    scene.simple()
    verdict = await _verify(scene, keyless.authority(**changes))
    assert verdict.verdict == "Refused"
    assert verdict.reason in {"InvalidPolicy", "UnusableKey"}, verdict.message
    assert told in verdict.message


def test_no_identities_are_not_all_identities(scene: Scene) -> None:
    with pytest.raises(ValidationError):
        keyless.policy(scene.registry, keyless.authority(identities=[]))


_ROOTS = {
    "nothing": "",
    "no JSON": "trust me",
    "another document": "{}",
    "another media type": trusted().root(mediaType="application/json"),
    "an authority without certificates": trusted().root(
        certificateAuthorities=[trusted().ca.wire(certChain={"certificates": []})]
    ),
    "more than anything honest": trusted().root() + " " * 1024 * 1024,
}


@pytest.mark.parametrize("root", _ROOTS.values(), ids=_ROOTS)
async def test_a_trust_root_is_unusable_that_holds(scene: Scene, root: str) -> None:
    attach(scene, Keyless())
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert (verdict.verdict, verdict.reason) == ("Refused", "UnusableTrustRoot"), verdict.message


async def test_a_trust_root_of_others_trusts_others(scene: Scene) -> None:
    attach(scene, Keyless())
    root = foreign().root()
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert verdict.verdict == "Refused"


async def test_without_a_trust_root_the_public_one_is_meant(scene: Scene) -> None:
    attach(scene, Keyless())
    wanted = keyless.authority()
    del wanted["trustRoot"]
    verdict = await _verify(scene, wanted)
    assert (verdict.verdict, verdict.reason) == ("Refused", "NoTrustedTime"), verdict.message


# What policies refer to.


def _by_secret() -> dict[str, Any]:
    return {"name": "release", "key": {"secretRef": {"name": "keys", "key": "release.pub"}}}


def _secret(text: str) -> Trust:
    return Trust(secrets={("keys", "release.pub"): text})


async def test_a_key_is_read_from_a_secret(scene: Scene) -> None:
    scene.bundle()
    wanted = keyless.policy(scene.registry, _by_secret())
    assert (await scene.verify(wanted, trust=_secret(key().pem))).verdict == "Verified"


@pytest.mark.parametrize("made", ["secret", "config map"])
async def test_what_is_not_there_leaves_the_verdict_open(scene: Scene, made: str) -> None:
    scene.bundle()
    attach(scene, Keyless())
    wanted = _by_secret() if made == "secret" else keyless.authority()
    verdict = await scene.verify(keyless.policy(scene.registry, wanted), trust=Trust())
    assert (verdict.verdict, verdict.reason) == ("Unknown", "TrustUnavailable"), verdict.message
    assert verdict.retry


async def test_a_private_key_in_a_secret_is_refused(scene: Scene) -> None:
    scene.bundle()
    wanted = keyless.policy(scene.registry, _by_secret())
    verdict = await scene.verify(wanted, trust=_secret("-----BEGIN PRIVATE KEY-----"))
    assert (verdict.verdict, verdict.reason) == ("Refused", "UnusableKey")


def test_all_that_has_to_be_read_is_named(scene: Scene) -> None:
    wanted = references([keyless.policy(scene.registry, keyless.authority(), _by_secret())])
    assert wanted.secrets == {("keys", "release.pub")}
    assert wanted.config_maps == {ROOT}


# What is remembered.


async def test_a_pass_is_answered_from_memory(scene: Scene) -> None:
    attach(scene, Keyless())
    assert (await _verify(scene)).verdict == "Verified"
    asked = len(scene.registry.requests)
    assert (await _verify(scene)).verdict == "Verified"
    assert len(scene.registry.requests) == asked


async def test_a_trust_root_that_changed_is_not_answered_from_memory(scene: Scene) -> None:
    attach(scene, Keyless())
    assert (await _verify(scene)).verdict == "Verified"
    wanted = keyless.policy(scene.registry)
    verdict = await scene.verify(wanted, trust=keyless.trust(foreign().root()))
    assert verdict.verdict == "Refused"


async def test_a_key_that_changed_is_not_answered_from_memory(scene: Scene) -> None:
    scene.bundle()
    wanted = keyless.policy(scene.registry, _by_secret())
    assert (await scene.verify(wanted, trust=_secret(key().pem))).verdict == "Verified"
    verdict = await scene.verify(wanted, trust=_secret(key("bob").pem))
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongKey")


async def test_formats_that_changed_are_not_answered_from_memory(scene: Scene) -> None:
    keyless.attach_simple(scene, Keyless())
    assert (await _verify(scene)).verdict == "Verified"
    verdict = await _verify(scene, formats=["Bundle"])
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")


async def test_an_identity_that_was_revoked_is_not_answered_from_memory(scene: Scene) -> None:
    attach(scene, Keyless())
    assert (await _verify(scene)).verdict == "Verified"
    verdict = await _verify(scene, keyless.authority(identities=[BOB_ID]))
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongIdentity")


@pytest.mark.parametrize("first", [Trust(), keyless.trust(foreign().root())])
async def test_what_was_not_a_pass_is_asked_anew(scene: Scene, first: Trust) -> None:
    attach(scene, Keyless())
    wanted = keyless.policy(scene.registry)
    assert (await scene.verify(wanted, trust=first)).verdict != "Verified"
    assert (await scene.verify(wanted, trust=keyless.trust())).verdict == "Verified"


def _hash(policy: Policy, trust: Trust, labels: Mapping[str, str] | None = None) -> str:
    return policies_hash([policy], "shop", labels or {}, trust)


def test_the_hash_of_policies_covers_what_they_refer_to(scene: Scene) -> None:
    wanted = keyless.policy(scene.registry, keyless.authority(), _by_secret())
    root, other = keyless.trust(), keyless.trust(foreign().root())
    assert _hash(wanted, root) == _hash(wanted, keyless.trust())
    assert len({_hash(wanted, trust) for trust in (root, other, Trust(), _secret("x"))}) == 4


async def test_patterns_and_names_of_any_length_take_no_time(scene: Scene) -> None:
    name = x509.UniformResourceIdentifier("https://forge.example/" + "a" * 4000 + "!")
    attach(scene, Keyless(names=[name]))
    pattern = {"issuer": ISSUER, "subjectPattern": r"https://forge\.example/(a|a)*(a*)*a+"}
    started = time.monotonic()
    verdict = await _verify(scene, keyless.authority(identities=[pattern]))
    assert verdict.reason == "WrongIdentity", verdict.message
    assert time.monotonic() - started < 2
