"""Registries that lie, stall, fail or send us elsewhere. Failures are Unknown, lies are Refused."""

from collections.abc import Callable

import pytest

from immutablerelease.verification.access import Access
from immutablerelease.verification.errors import (
    DigestMismatch,
    MalformedContent,
    NotFound,
    RegistryNotAllowed,
    RegistryUnauthorized,
    RegistryUnavailable,
    TooMuchData,
    VerificationError,
)
from immutablerelease.verification.transport import Limits, check_address
from immutablerelease.verification.verdict import ImageUse
from tests.unit.verification import signing
from tests.unit.verification.scene import Scene, set_up
from tests.unit.verification.simulated_registry import OCI_INDEX, OCI_MANIFEST, serving

Attack = Callable[[Scene], object]
OTHER = "sha256:" + "cd" * 32


def _fallback(scene: Scene) -> str:
    scene.registry.lies.referrers_api = False
    return scene.digest.replace(":", "-")


def _set(switch: str, *parts: str, value: object) -> Attack:
    return lambda scene: getattr(scene.registry.lies, switch).update(dict.fromkeys(parts, value))


def _endless(part: str) -> Attack:
    return lambda scene: scene.registry.lies.endless.add(part)


def _loop(scene: Scene) -> None:
    scene.registry.lies.pagination_loop = True


def _unavailable_fallback(scene: Scene) -> None:
    scene.registry.lies.status[_fallback(scene)] = 503


# The image carries a good bundle and a good simple signature in all of these.
FAILURES: dict[str, tuple[Attack, str, str]] = {
    "referrers answer 401": (_set("status", "/referrers/", value=401), "Unknown", "Unauthorized"),
    "referrers answer 403": (_set("status", "/referrers/", value=403), "Unknown", "Unauthorized"),
    "referrers answer 429": (_set("status", "/referrers/", value=429), "Unknown", "Unavailable"),
    "referrers answer 500": (_set("status", "/referrers/", value=500), "Unknown", "Unavailable"),
    "referrers answer 503": (_set("status", "/referrers/", value=503), "Unknown", "Unavailable"),
    "the fallback tag answers 503": (_unavailable_fallback, "Unknown", "Unavailable"),
    "bundle manifests answer 500": (
        _set("status", "/manifests/sha256:", value=500),
        "Unknown",
        "Unavailable",
    ),
    "blobs answer 403": (_set("status", "/blobs/", value=403), "Unknown", "Unauthorized"),
    "referrers never answer": (_set("delay", "/referrers/", value=30), "Unknown", "Unavailable"),
    "blobs never answer": (_set("delay", "/blobs/", value=30), "Unknown", "Unavailable"),
    "referrers without end": (_endless("/referrers/"), "Refused", "TooMuchData"),
    "pages that lead to themselves": (_loop, "Refused", "IntegrityError"),
    "referrers that are no JSON": (
        _set("body", "/referrers/", value=b"<html>"),
        "Refused",
        "MalformedContent",
    ),
    "referrers in an encoding nobody asked for": (
        _set("headers", "/referrers/", value={"Content-Encoding": "gzip"}),
        "Refused",
        "IntegrityError",
    ),
    "the next page on another host": (
        _set(
            "headers",
            "/referrers/",
            value={"Link": '<http://127.0.0.1:1/v2/team/app/referrers/x>; rel="next"'},
        ),
        "Refused",
        "IntegrityError",
    ),
    "the next page in another repository": (
        _set("headers", "/referrers/", value={"Link": '</v2/other/app/tags/list>; rel="next"'}),
        "Refused",
        "IntegrityError",
    ),
    "redirects in a circle": (
        _set("redirect", "/referrers/", value="/v2/team/app/referrers/x"),
        "Refused",
        "IntegrityError",
    ),
    "a redirect to the metadata service": (
        _set("redirect", "/referrers/", value="https://169.254.169.254/latest/meta-data/"),
        "Refused",
        "NotAllowed",
    ),
    "a redirect to the metadata service by plain HTTP": (
        _set("redirect", "/referrers/", value="http://169.254.169.254/latest/meta-data/"),
        "Refused",
        "NotAllowed",
    ),
    "a redirect to the metadata service as one number": (
        _set("redirect", "/referrers/", value="https://2852039166/"),
        "Refused",
        "NotAllowed",
    ),
    "a redirect to the metadata service as IPv6": (
        _set("redirect", "/referrers/", value="https://[::ffff:169.254.169.254]/"),
        "Refused",
        "NotAllowed",
    ),
    "a redirect to this machine": (
        _set("redirect", "/referrers/", value="https://localhost:6443/"),
        "Refused",
        "NotAllowed",
    ),
    "a redirect to a file": (
        _set("redirect", "/referrers/", value="file:///etc/passwd"),
        "Refused",
        "NotAllowed",
    ),
    "a redirect with credentials in it": (
        _set("redirect", "/referrers/", value="https://user:secret@registry.example/"),
        "Refused",
        "NotAllowed",
    ),
    "a redirect to nowhere": (_set("redirect", "/referrers/", value=""), "Refused", "NotAllowed"),
    "a redirect of blobs to this machine": (
        _set("redirect", "/blobs/", value="http://127.0.0.1:1/"),
        "Refused",
        "NotAllowed",
    ),
}


@pytest.mark.parametrize(("attack", "verdict", "reason"), FAILURES.values(), ids=FAILURES)
async def test_a_failing_registry_is_never_taken_for_a_signed_image(
    scene: Scene, attack: Attack, verdict: str, reason: str
) -> None:
    scene.bundle()
    if reason != "NotAllowed":
        scene.simple()
    attack(scene)
    found = await scene.verify()
    assert found.verdict == verdict, found.message
    assert found.reason in {reason, f"Registry{reason}"}, found.message
    assert found.retry == (verdict == "Unknown")


@pytest.mark.parametrize("part", ["/manifests/sha256:", "/blobs/"])
async def test_other_bytes_than_asked_for_do_not_count(scene: Scene, part: str) -> None:
    scene.bundle()
    scene.registry.lies.body[part] = b'{"schemaVersion": 2}'
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "DigestMismatch"), verdict.message


@pytest.mark.parametrize("part", [".sig", "/blobs/"])
async def test_endless_signatures_do_not_count(scene: Scene, part: str) -> None:
    scene.simple()
    scene.registry.lies.endless.add(part)
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "TooMuchData"), verdict.message


async def test_a_failed_bundle_is_not_made_up_for_by_the_older_layout(scene: Scene) -> None:
    scene.bundle()
    scene.simple()
    scene.registry.lies.status["/referrers/"] = 500
    assert (await scene.verify()).verdict == "Unknown"
    assert not any(path.endswith(".sig") for path in scene.registry.paths())


async def test_a_layout_that_the_policy_does_not_list_is_not_looked_for(scene: Scene) -> None:
    scene.simple()
    verdict = await scene.verify(scene.trust(formats=["Bundle"]))
    assert (verdict.verdict, verdict.reason) == ("Refused", "Unsigned")
    assert not any(path.endswith(".sig") for path in scene.registry.paths())


async def test_pages_of_referrers_are_all_read(scene: Scene) -> None:
    for number in range(5):
        scene.statement(signer=signing.key("mallory"), n=number)
    scene.bundle()
    scene.registry.lies.page_size = 2
    assert (await scene.verify()).verdict == "Verified"


@pytest.mark.parametrize("status", [400, 404, 405, 406])
async def test_registries_without_the_referrers_api_are_asked_by_tag(
    scene: Scene, status: int
) -> None:
    scene.bundle()
    scene.registry.lies.status["/referrers/"] = status
    assert (await scene.verify()).verdict == "Verified"


async def test_a_page_of_html_for_the_referrers_api_means_that_there_is_none(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.headers["/referrers/"] = {"Content-Type": "text/html"}
    assert (await scene.verify()).verdict == "Verified"


async def test_a_bundle_takes_three_requests(scene: Scene) -> None:
    scene.bundle()
    await scene.verify()
    assert len(scene.registry.requests) == 3


async def test_one_that_stalls_does_not_take_the_time_of_others() -> None:
    async with set_up(Limits(request_seconds=0.3, image_seconds=0.5)) as scene:
        scene.bundle()
        scene.registry.lies.delay["/referrers/"] = 30
        verdict = await scene.verify()
        assert (verdict.verdict, verdict.reason) == ("Unknown", "RegistryUnavailable")


async def test_a_registry_that_is_not_there_is_unknown(scene: Scene) -> None:
    access = Access(insecure=frozenset({"127.0.0.1:1"}))
    with pytest.raises(RegistryUnavailable):
        await scene.verifier.resolve("127.0.0.1:1/team/app:1.0", access)


# Resolving


def _manifest(**changes: object) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {},
        "layers": [],
        **changes,
    }


@pytest.mark.parametrize(
    ("attack", "error"),
    [
        (_set("status", "/manifests/", value=401), RegistryUnauthorized),
        (_set("status", "/manifests/", value=403), RegistryUnauthorized),
        (_set("status", "/manifests/", value=404), NotFound),
        (_set("status", "/manifests/", value=500), RegistryUnavailable),
        (_set("delay", "/manifests/", value=30), RegistryUnavailable),
        (_endless("/manifests/"), TooMuchData),
        (_set("headers", "/manifests/", value={"Docker-Content-Digest": OTHER}), DigestMismatch),
        (_set("body", "/manifests/", value=b"{}"), MalformedContent),
        (_set("body", "/manifests/", value=b"[]"), MalformedContent),
        (_set("headers", "/manifests/", value={"Content-Type": OCI_INDEX}), MalformedContent),
        (_set("headers", "/manifests/", value={"Content-Type": "text/html"}), MalformedContent),
        (_set("redirect", "/manifests/", value="https://169.254.169.254/"), RegistryNotAllowed),
    ],
)
async def test_resolving_fails_with_a_typed_error(
    scene: Scene, attack: Attack, error: type[VerificationError]
) -> None:
    attack(scene)
    with pytest.raises(error) as raised:
        await scene.verifier.resolve(f"{scene.registry.host}/team/app:1.0", scene.access())
    assert raised.value.diagnostics()


@pytest.mark.parametrize(
    "changes",
    [
        {"manifests": []},
        {"mediaType": OCI_INDEX},
        {"mediaType": OCI_INDEX, "manifests": []},
        {"schemaVersion": 1},
        {"layers": None, "mediaType": "application/vnd.docker.distribution.manifest.v1+json"},
    ],
    ids=str,
)
async def test_an_image_that_reads_as_two_kinds_is_refused(
    scene: Scene, changes: dict[str, object]
) -> None:
    scene.registry.put_manifest("team/app", _manifest(**changes), tag="odd")
    with pytest.raises(MalformedContent):
        await scene.verifier.resolve(f"{scene.registry.host}/team/app:odd", scene.access())


async def test_a_tag_that_moves_after_it_was_resolved_changes_nothing(scene: Scene) -> None:
    scene.bundle()
    resolved = await scene.verifier.resolve(f"{scene.registry.host}/team/app:1.0", scene.access())
    signing.push_image(scene.registry, tag="moved")
    scene.registry.manifests["team/app", "1.0"] = scene.registry.manifests["team/app", "moved"]
    verdict = await scene.verify(images=[ImageUse("app", False, resolved.image)])
    assert verdict.verdict == "Verified"
    assert verdict.evidence[0].image == scene.image


async def test_an_image_that_the_registry_hides_is_not_called_unsigned(scene: Scene) -> None:
    scene.registry.lies.status["/v2/"] = 404
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "NotFound")


async def test_a_tag_that_is_not_there_is_told_as_the_image_was_written(scene: Scene) -> None:
    image = f"{scene.registry.host}/team/app:nosuch"
    with pytest.raises(NotFound) as caught:
        await scene.verifier.resolve(image, scene.access())
    assert str(caught.value) == f"{image}: registry {scene.registry.host} does not have it"


async def test_an_index_stays_an_index(scene: Scene) -> None:
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": scene.digest, "size": 1}],
    }
    digest = scene.registry.put_manifest("team/app", index, tag="multi")
    resolved = await scene.verifier.resolve(f"{scene.registry.host}/team/app:multi", scene.access())
    assert resolved.digest == digest != scene.digest


async def test_an_image_by_digest_is_not_asked_for_and_loses_its_tag(scene: Scene) -> None:
    image = f"{scene.registry.host}/team/app:2.0@{scene.digest}"
    assert (await scene.verifier.resolve(image, scene.access())).image == scene.image
    assert not scene.registry.requests


# Where we may connect


async def test_plain_http_needs_to_be_allowed(scene: Scene) -> None:
    for image in (f"{scene.registry.host}/team/app:1.0", "localhost:5000/app:1"):
        with pytest.raises(RegistryNotAllowed):
            await scene.verifier.resolve(image, Access())
    assert not scene.registry.requests


@pytest.mark.parametrize("host", ["169.254.169.254", "168.63.129.16", "0.0.0.0", "224.0.0.1"])  # noqa: S104
async def test_some_addresses_are_never_asked_whoever_allows_it(scene: Scene, host: str) -> None:
    with pytest.raises(RegistryNotAllowed):
        await scene.verifier.resolve(f"{host}/app:1", Access(insecure=frozenset({host})))


@pytest.mark.parametrize(
    "address",
    ["169.254.1.1", "fe80::1%eth0", "::ffff:169.254.169.254", "fd00:ec2::254", "::", "ff02::1"],
)
def test_an_address_that_is_never_a_registry(address: str) -> None:
    with pytest.raises(RegistryNotAllowed):
        check_address(address, loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_for_registries_that_the_admin_named(address: str) -> None:
    check_address(address, loopback=True)
    with pytest.raises(RegistryNotAllowed):
        check_address(address, loopback=False)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.0.2.1", "2001:db8::1"])
def test_other_addresses_are_fine(address: str) -> None:
    check_address(address, loopback=False)


async def test_a_blob_may_lie_on_another_allowed_host(scene: Scene) -> None:
    async with serving() as storage:
        scene.bundle()
        storage.blobs.update(scene.registry.blobs)
        bundles = [d for d, data in storage.blobs.items() if data.startswith(b'{"mediaType"')]
        scene.registry.lies.redirect["/blobs/"] = f"http://{storage.host}/elsewhere/{bundles[0]}"
        policy = scene.trust(
            registries={"insecure": [scene.registry.host, storage.host]},
        )
        verdict = await scene.verify(policy)
        assert verdict.verdict == "Verified", verdict.message
