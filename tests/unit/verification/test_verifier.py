"""What passes, what is asked for it, and what is remembered."""

from tests.unit.verification import signing
from tests.unit.verification.scene import Scene


async def test_a_tag_is_resolved_to_the_digest_of_what_it_names(scene: Scene) -> None:
    resolved = await scene.verifier.resolve(f"{scene.registry.host}/team/app:1.0", scene.access())
    assert resolved.image == scene.image
    assert resolved.digest == scene.digest


async def test_a_bundle_by_a_trusted_key_verifies(scene: Scene) -> None:
    manifest = scene.bundle()
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed"), verdict.message
    (evidence,) = verdict.evidence
    assert evidence.signature == manifest
    assert (evidence.authority, evidence.format, evidence.policy) == ("key-0", "Bundle", "trust")


async def test_a_bundle_is_found_by_the_fallback_tag(scene: Scene) -> None:
    scene.registry.lies.referrers_api = False
    scene.bundle()
    assert (await scene.verify()).verdict == "Verified"


async def test_simple_signing_by_a_trusted_key_verifies(scene: Scene) -> None:
    scene.simple()
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Verified", "Signed"), verdict.message
    assert verdict.evidence[0].format == "SimpleSigning"


async def test_an_image_without_a_signature_is_refused(scene: Scene) -> None:
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason, verdict.retry) == ("Refused", "Unsigned", False)
    assert "container app" in verdict.message


async def test_a_signature_by_another_key_is_refused(scene: Scene) -> None:
    scene.statement(signer=signing.key("mallory"))
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "WrongKey")
