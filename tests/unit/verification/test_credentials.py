"""Whose credentials go where: to the registry they are for, and to nobody else."""

import base64
from typing import Any

import pytest
from yarl import URL

from immutablerelease.verification.challenge import Challenge, parse_challenges, token_url
from immutablerelease.verification.credentials import Credential, find_credential
from immutablerelease.verification.errors import (
    MalformedContent,
    RegistryNotAllowed,
    RegistryUnauthorized,
)
from immutablerelease.verification.reference import parse_reference
from tests.unit.verification.scene import Scene
from tests.unit.verification.simulated_registry import serving

BEARER = 'Bearer realm="http://HOST/token",service="test",scope="repository:team/app:pull,push"'


def _config(**auths: tuple[str, str]) -> dict[str, Any]:
    return {
        "auths": {
            host: {"auth": base64.b64encode(":".join(pair).encode()).decode()}
            for host, pair in auths.items()
        }
    }


@pytest.mark.parametrize(
    ("keys", "image", "chosen"),
    [
        (["registry.example"], "registry.example/team/app:1", "registry.example"),
        (["https://registry.example/v2/"], "registry.example/a:1", "https://registry.example/v2/"),
        (["registry.example:443"], "registry.example/a:1", "registry.example:443"),
        (["registry.example:5000"], "registry.example/a:1", None),
        (["registry.example"], "registry.example:5000/a:1", None),
        (["registry.example"], "other.registry.example/a:1", None),
        (["registry.example"], "registry.example.evil.example/a:1", None),
        (["*.example"], "registry.example/a:1", "*.example"),
        (["*.example"], "deep.registry.example/a:1", None),
        (
            ["registry.example", "registry.example/team"],
            "registry.example/team/app:1",
            "registry.example/team",
        ),
        (
            ["registry.example", "registry.example/team"],
            "registry.example/teammate/app:1",
            "registry.example",
        ),
        (["registry.example/team/app"], "registry.example/team/app:1", "registry.example/team/app"),
        (["https://index.docker.io/v1/"], "nginx", "https://index.docker.io/v1/"),
        (["docker.io"], "docker.io/team/app:1", "docker.io"),
        (["registry-1.docker.io"], "index.docker.io/team/app:1", "registry-1.docker.io"),
        (["docker.io"], "registry.example/a:1", None),
        (["*.io"], "nginx", None),
    ],
)
def test_the_longest_key_that_matches_is_chosen(
    keys: list[str], image: str, chosen: str | None
) -> None:
    config = _config(**{key: (key, "secret") for key in keys})
    found = find_credential([config], parse_reference(image))
    # The password may hold colons, a user name may not: keys with one are cut there.
    assert (found.username if found else None) == (chosen.partition(":")[0] if chosen else None)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        {"auth": "no base64"},
        {"auth": "bm8gY29sb24="},
        {"auth": 5},
        {"auth": "/////w=="},
        {"username": 1, "password": "x"},
        {"username": "", "password": "x"},
    ],
    ids=str,
)
def test_an_entry_that_holds_no_credential_is_none(entry: object) -> None:
    config = {"auths": {"registry.example": entry}}
    assert find_credential([config], parse_reference("registry.example/a:1")) is None


@pytest.mark.parametrize("config", [{}, {"auths": None}, {"auths": []}, {"auths": {}}], ids=str)
def test_a_config_without_auths_is_none(config: dict[str, Any]) -> None:
    assert find_credential([config], parse_reference("registry.example/a:1")) is None


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Credential("alice", "secret"))


def test_an_access_shows_no_password(scene: Scene) -> None:
    scene.credentials.append({"auths": {"x": {"username": "a", "password": "secret"}}})
    assert "secret" not in repr(scene.access())


# Challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="x"', [("basic", "x", "")]),
        ("Basic", [("basic", "", "")]),
        ('Bearer realm="https://a/t",service="s"', [("bearer", "https://a/t", "s")]),
        ('Bearer service="s", realm="https://a/t"', [("bearer", "https://a/t", "s")]),
        (
            'Basic realm="x", Bearer realm="https://a/t"',
            [("basic", "x", ""), ("bearer", "https://a/t", "")],
        ),
        ("Bearer realm=https://a/t", [("bearer", "https://a/t", "")]),
        ('Bearer realm="https://a/t",realm="https://b/t"', [("bearer", "https://a/t", "")]),
    ],
)
def test_challenges_are_read(header: str, expected: list[tuple[str, str, str]]) -> None:
    found = parse_challenges([header])
    assert [(item.scheme, item.realm, item.service) for item in found] == expected


@pytest.mark.parametrize("header", ['Bearer realm="', "=", "Bearer " + "a" * 5000, "Bearer ,,,"])
def test_challenges_that_cannot_be_read_are_an_error(header: str) -> None:
    with pytest.raises(MalformedContent):
        parse_challenges([header])


@pytest.mark.parametrize(
    ("registry", "realm", "allowed"),
    [
        ("https://registry.example", "https://registry.example/token", ()),
        ("https://registry.example:5000", "https://registry.example:5000/token?a=b", ()),
        ("https://registry-1.docker.io", "https://auth.docker.io/token", ()),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", ()),
        ("https://registry.example", "https://login.example/token", ("login.example",)),
        ("https://registry.example", "https://login.example:8443/t", ("login.example:8443",)),
    ],
)
def test_a_token_may_be_asked_for(registry: str, realm: str, allowed: tuple[str, ...]) -> None:
    url = token_url(Challenge("bearer", realm, "s"), URL(registry), "team/app", allowed)
    assert url.query["scope"] == "repository:team/app:pull"
    assert (url.scheme, url.host) == ("https", URL(realm).host)


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://registry.example", "https://evil.example/token"),
        ("https://registry.example", "http://registry.example/token"),
        ("https://registry.example", "https://registry.example:8443/token"),
        ("https://registry.example", "https://registry.example.evil.example/token"),
        ("https://registry.example", "https://registry.example@evil.example/token"),
        ("https://registry.example", "https://user@registry.example/token"),
        ("https://registry.example", "https://169.254.169.254/latest/meta-data"),
        ("https://registry.example", "https://auth.docker.io/token"),
        ("https://registry.example", "file:///etc/passwd"),
        ("https://registry.example", "/token"),
        ("https://registry.example", ""),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"),
        ("https://registry-1.docker.io", "https://auth.docker.io:8443/token"),
        ("https://registry-1.docker.io", "http://auth.docker.io/token"),
    ],
)
def test_a_token_is_not_asked_for_elsewhere(registry: str, realm: str) -> None:
    with pytest.raises(RegistryNotAllowed):
        token_url(Challenge("bearer", realm, ""), URL(registry), "team/app", ("login.example",))


def test_a_realm_that_is_no_url_is_an_error() -> None:
    with pytest.raises(MalformedContent):
        token_url(Challenge("bearer", "https://[", ""), URL("https://a.example"), "app", ())


# With a registry that wants a login


async def test_a_token_is_fetched_once_and_used_for_all_requests(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.challenge = BEARER
    verdict = await scene.verify()
    assert verdict.verdict == "Verified", verdict.message
    assert sum(path.startswith("/token") for path in scene.registry.paths()) == 1
    assert len(scene.registry.requests) == 5


async def test_the_scope_asked_for_is_ours_and_never_more_than_pull(scene: Scene) -> None:
    scene.registry.lies.challenge = BEARER
    await scene.verify()
    (asked,) = [path for path in scene.registry.paths() if path.startswith("/token")]
    assert "push" not in asked


async def test_a_token_that_expired_is_fetched_again(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.challenge = BEARER
    await scene.verify()
    scene.clock.now += 3600
    await scene.verify()
    assert sum(path.startswith("/token") for path in scene.registry.paths()) == 2


async def test_a_token_that_was_revoked_is_fetched_again(scene: Scene) -> None:
    scene.registry.lies.challenge = BEARER
    image = f"{scene.registry.host}/team/app:1.0"
    await scene.verifier.resolve(image, scene.access())
    scene.registry.lies.token = "another"
    await scene.verifier.resolve(image, scene.access())


async def test_credentials_are_given_to_the_token_server_of_the_registry(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.challenge = BEARER
    scene.registry.lies.token_needs = ("alice", "secret")
    assert (await scene.verify()).reason == "RegistryUnauthorized"
    scene.credentials.append(_config(**{scene.registry.host: ("alice", "secret")}))
    assert (await scene.verify()).verdict == "Verified"


async def test_basic_authentication(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.challenge = 'Basic realm="test"'
    scene.registry.lies.basic = ("alice", "secret")
    assert (await scene.verify()).reason == "RegistryUnauthorized"
    scene.credentials.append(_config(**{scene.registry.host: ("alice", "wrong")}))
    assert (await scene.verify()).reason == "RegistryUnauthorized"
    scene.credentials[:] = [_config(**{scene.registry.host: ("alice", "secret")})]
    assert (await scene.verify()).verdict == "Verified"


async def test_credentials_do_not_go_to_the_token_server_of_somebody_else(scene: Scene) -> None:
    async with serving() as evil:
        scene.registry.lies.challenge = f'Bearer realm="http://{evil.host}/token"'
        scene.credentials.append(_config(**{scene.registry.host: ("alice", "secret")}))
        policy = scene.trust(registries={"insecure": [scene.registry.host, evil.host]})
        verdict = await scene.verify(policy)
        assert (verdict.verdict, verdict.reason) == ("Refused", "RegistryNotAllowed")
        assert not evil.requests


@pytest.mark.parametrize("part", ["/referrers/", "/blobs/", "/token"])
async def test_credentials_do_not_follow_a_redirect(scene: Scene, part: str) -> None:
    async with serving() as evil:
        scene.bundle()
        scene.registry.lies.challenge = BEARER
        scene.registry.lies.token_needs = ("alice", "secret")
        scene.registry.lies.redirect[part] = f"http://{evil.host}/token"
        evil.lies.token_body = b"{}"
        scene.credentials.append(_config(**{scene.registry.host: ("alice", "secret")}))
        policy = scene.trust(registries={"insecure": [scene.registry.host, evil.host]})
        await scene.verify(policy)
        assert evil.requests
        assert all(header is None for _, _, header in evil.requests)


async def test_a_challenge_from_where_a_redirect_led_is_not_answered(scene: Scene) -> None:
    async with serving() as evil:
        scene.bundle()
        evil.lies.challenge = f'Basic realm="{evil.host}"'
        scene.registry.lies.redirect["/blobs/"] = f"http://{evil.host}/v2/team/app/blobs/x"
        scene.credentials.append(_config(**{scene.registry.host: ("alice", "secret")}))
        policy = scene.trust(registries={"insecure": [scene.registry.host, evil.host]})
        verdict = await scene.verify(policy)
        assert (verdict.verdict, verdict.reason) == ("Unknown", "RegistryUnauthorized")
        assert len(evil.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"token": ""}',
        b'{"token": 5}',
        b'{"token": "a\\r\\nHost: x"}',
        b'{"token": "\\u00e9"}',
    ],
)
async def test_a_token_that_is_none_is_an_error(scene: Scene, body: bytes) -> None:
    scene.bundle()
    scene.registry.lies.challenge = BEARER
    scene.registry.lies.token_body = body
    verdict = await scene.verify()
    assert (verdict.verdict, verdict.reason) == ("Refused", "MalformedContent")


async def test_a_token_server_without_tokens_is_unauthorized(scene: Scene) -> None:
    scene.registry.lies.challenge = BEARER
    scene.registry.lies.status["/token"] = 404
    with pytest.raises(RegistryUnauthorized):
        await scene.verifier.resolve(f"{scene.registry.host}/team/app:1.0", scene.access())


async def test_nobody_passes_by_the_credentials_of_somebody_else(scene: Scene) -> None:
    scene.bundle()
    scene.registry.lies.challenge = BEARER
    scene.registry.lies.token_needs = ("alice", "secret")
    scene.credentials.append(_config(**{scene.registry.host: ("alice", "secret")}))
    assert (await scene.verify()).verdict == "Verified"
    scene.credentials.clear()
    assert (await scene.verify()).reason == "RegistryUnauthorized"
