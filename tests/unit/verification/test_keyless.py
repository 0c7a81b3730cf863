"""Keyless signatures that pass, in every layout, with every kind of proof, and their evidence."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from immutablerelease.api.policy import Policy
from immutablerelease.verification.transparency import public_good_root
from tests.unit.verification import der, keyless, signing
from tests.unit.verification.keyless import BUNDLE_01, BUNDLE_02, ISSUER, SUBJECT, Keyless
from tests.unit.verification.scene import Scene
from tests.unit.verification.signing import key
from tests.unit.verification.simulated_sigstore import MINUTE, T0, foreign, trusted


async def _passes(scene: Scene) -> None:
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust())
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed"), verdict.message


async def test_the_evidence_names_who_signed_when_and_where_it_is_logged(scene: Scene) -> None:
    manifest = scene.bundle(Keyless(log=trusted().log1).bundle(signing.statement(scene.digest)))
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust())
    (evidence,) = verdict.evidence
    assert evidence.wire() == {
        "container": "app",
        "image": scene.image,
        "policy": "trust",
        "authority": "release",
        "signer": SUBJECT,
        "identity": SUBJECT,
        "issuer": ISSUER,
        "logIndex": 1,
        "signedAt": "2026-03-01T12:01:00.000Z",
        "format": "Bundle",
        "signature": manifest,
    } | {name: value for name, value in evidence.wire().items() if name == "volume"}


async def test_a_signature_in_a_log_of_version_2_passes_with_a_timestamp(scene: Scene) -> None:
    keyless.attach(scene, Keyless())
    await _passes(scene)


@pytest.mark.parametrize("kind", ["dsse/0.0.1", "hashedrekord/0.0.1", "intoto/0.0.2"])
async def test_a_log_of_version_1_tells_the_time_itself(scene: Scene, kind: str) -> None:
    keyless.attach(scene, Keyless(log=trusted().log1, kind=kind))
    await _passes(scene)


@pytest.mark.parametrize("media_type", [BUNDLE_01, BUNDLE_02])
async def test_older_bundles_pass(scene: Scene, media_type: str) -> None:
    keyless.attach(scene, Keyless(log=trusted().log1), media_type=media_type)
    await _passes(scene)


async def test_the_oldest_bundle_passes_on_the_promise_alone(scene: Scene) -> None:
    def without_proof(entry: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in entry.items() if name != "inclusionProof"}

    keyless.attach(scene, Keyless(log=trusted().log1, entry=without_proof), media_type=BUNDLE_01)
    await _passes(scene)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa", "ed25519"])
async def test_a_certificate_may_hold_any_kind_of_key(scene: Scene, kind: str) -> None:
    keyless.attach(scene, Keyless(key=key("leaf", kind), log=trusted().log1))
    await _passes(scene)


@pytest.mark.parametrize("stamped", [[], [T0 + MINUTE]], ids=["promise", "promise and timestamp"])
async def test_simple_signing_with_a_certificate_passes(scene: Scene, stamped: list[Any]) -> None:
    keyless.attach_simple(scene, Keyless(stamped_at=stamped))
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust())
    assert verdict.verdict == "Verified", verdict.message
    (evidence,) = verdict.evidence
    assert (evidence.format, evidence.identity) == ("SimpleSigning", SUBJECT)
    assert (evidence.log_index, evidence.signed_at) == (7, T0 + MINUTE)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (x509.RFC822Name("alice@team.example"), "alice@team.example"),
        (
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), der.utf8("alice!team")),
            "alice!team",
        ),
    ],
    ids=["e-mail address", "user name"],
)
async def test_subjects_are_of_every_kind(
    scene: Scene, name: x509.GeneralName, subject: str
) -> None:
    keyless.attach(scene, Keyless(names=[name]))
    wanted = keyless.authority(identities=[{"issuer": ISSUER, "subject": subject}])
    verdict = await scene.verify(keyless.policy(scene.registry, wanted), trust=keyless.trust())
    assert verdict.verdict == "Verified", verdict.message


async def test_the_first_version_of_the_issuer_extension_is_read(scene: Scene) -> None:
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
    keyless.attach(scene, Keyless(issuers={oid: ISSUER.encode()}))
    await _passes(scene)


async def test_a_pattern_matches_a_whole_name(scene: Scene) -> None:
    keyless.attach(scene, Keyless())
    pattern = {
        "issuer": ISSUER,
        "subjectPattern": r"https://forge\.example/team/[^/]+/.*@refs/heads/main",
    }
    wanted = keyless.authority(identities=[pattern])
    verdict = await scene.verify(keyless.policy(scene.registry, wanted), trust=keyless.trust())
    assert verdict.verdict == "Verified", verdict.message


async def test_a_log_that_is_ignored_is_not_looked_at(scene: Scene) -> None:
    keyless.attach(scene, Keyless(), tlogEntries=[])
    ignoring = keyless.authority(transparencyLog="Ignored")
    verdict = await scene.verify(keyless.policy(scene.registry, ignoring), trust=keyless.trust())
    assert verdict.verdict == "Verified", verdict.message
    assert verdict.evidence[0].log_index is None


async def test_a_trust_root_is_trusted_until_the_end_included(scene: Scene) -> None:
    keyless.attach(scene, Keyless(log=trusted().log1, stamped_at=[T0 + MINUTE]))
    until = {"start": "2026-01-01T00:00:00Z", "end": "2026-03-01T12:01:00Z"}
    sigstore = trusted()
    log = sigstore.log1.wire()
    log["publicKey"]["validFor"] = until
    root = sigstore.root(
        tlogs=[log],
        certificateAuthorities=[sigstore.ca.wire(validFor=until)],
        timestampAuthorities=[sigstore.clock.wire(validFor=until)],
    )
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert verdict.verdict == "Verified", verdict.message


@pytest.mark.parametrize(
    "kind", ["hashedrekord/0.0.1", "hashedrekord/0.0.2", "dsse/0.0.1", "intoto/0.0.2"]
)
async def test_a_key_may_have_to_be_in_a_log(scene: Scene, kind: str) -> None:
    scene.bundle(keyless.keyed_bundle(scene.digest, kind=kind))
    wanted = keyless.policy(scene.registry, keyless.logged_key())
    verdict = await scene.verify(wanted, trust=keyless.trust())
    assert verdict.verdict == "Verified", verdict.message
    assert verdict.evidence[0].log_index == 1
    assert verdict.evidence[0].identity is None


async def test_the_certificate_decides_which_of_two_authorities_with_one_name_issued_it(
    scene: Scene,
) -> None:
    keyless.attach(scene, Keyless())
    root = trusted().root(certificateAuthorities=[foreign().ca.wire(), trusted().ca.wire()])
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert verdict.verdict == "Verified", verdict.message


# The example.

_EXAMPLE = Path(__file__).parents[3] / "examples" / "policy-keyless.yaml"
_WORKFLOW = "https://github.com/shop/cart/.github/workflows/release.yml@refs/heads/main"


def _example(scene: Scene) -> Policy:
    """The policy of the example, for the registry of the test and with the test's Sigstore."""
    document = yaml.safe_load(_EXAMPLE.read_text())
    spec = document["spec"]
    spec["match"] = {"images": [f"{scene.registry.host}/**"]}
    spec["registries"] = {"insecure": [scene.registry.host]}
    workflow, managers = spec["authorities"]
    workflow["trustRoot"] = managers["trustRoot"]
    return Policy.read(document)


def _by(subject: x509.GeneralName, issuer: str) -> Keyless:
    v2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
    return Keyless(names=[subject], issuers={v2: der.utf8(issuer)})


@pytest.mark.parametrize(
    ("workflow", "reason"),
    [
        (_WORKFLOW, "Signed"),
        (_WORKFLOW.replace("main", "main-2"), "QuorumNotMet"),
        (_WORKFLOW.replace("shop/", "shop/evil/"), "QuorumNotMet"),
        (_WORKFLOW.replace("github.com", "githubXcom"), "QuorumNotMet"),
    ],
)
async def test_the_example_wants_a_workflow_and_a_person(
    scene: Scene, workflow: str, reason: str
) -> None:
    alice = _by(x509.RFC822Name("alice@example.com"), "https://login.example.com")
    keyless.attach(scene, alice)
    made = _by(
        x509.UniformResourceIdentifier(workflow), "https://token.actions.githubusercontent.com"
    )
    keyless.attach(scene, made)
    verdict = await scene.verify(_example(scene), trust=keyless.trust())
    assert verdict.reason == reason, verdict.message


async def test_two_people_are_not_a_workflow_and_a_person(scene: Scene) -> None:
    for name in ("alice", "bob"):
        mail = x509.RFC822Name(f"{name}@example.com")
        keyless.attach(scene, _by(mail, "https://login.example.com"))
    verdict = await scene.verify(_example(scene), trust=keyless.trust())
    assert verdict.reason == "QuorumNotMet", verdict.message


@pytest.mark.parametrize("staging", [False, True])
def test_the_public_trust_roots_can_be_read(staging: bool) -> None:
    root = public_good_root(staging=staging)
    assert root.authorities and root.transparency_logs and root.certificate_logs
