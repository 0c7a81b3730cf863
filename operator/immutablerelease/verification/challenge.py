"""Challenges of registries, and where a token may be asked for.

RFC 9110 section 11.6.1; https://distribution.github.io/distribution/spec/auth/token/. A registry
names the token server itself, so it could send our credentials anywhere, or make us call an
address of its choice: only the registry's own host, well-known pairs and what the admin names are
asked (CVE-2025-27403 is what happens otherwise).
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from yarl import URL

from .errors import MalformedContent, RegistryNotAllowed, quote

# The token servers that these registries are documented to use.
_KNOWN_TOKEN_HOSTS = {
    "registry-1.docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
}
_SCHEME = re.compile(r"\s*([A-Za-z]+)(?:\s*,|\s+|$)")
_PARAMETER = re.compile(r'\s*([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_MAX_HEADER = 4096


@dataclass(frozen=True)
class Challenge:
    """What a registry wants to see; realm and service matter to Bearer alone."""

    scheme: str
    realm: str
    service: str


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges in WWW-Authenticate headers; raises MalformedContent."""
    found = []
    for header in headers:
        if len(header) > _MAX_HEADER:
            raise MalformedContent("the registry's challenge is too long")
        position = 0
        while match := _SCHEME.match(header, position):
            position = match.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(header, position):
                name, quoted, token = parameter.groups()
                parameters.setdefault(name.lower(), token if quoted is None else quoted)
                position = parameter.end()
            found.append(
                Challenge(
                    match[1].lower(), parameters.get("realm", ""), parameters.get("service", "")
                )
            )
        if header[position:].strip():
            raise MalformedContent(f"the registry's challenge cannot be read: {quote(header)}")
    return tuple(found)


def token_url(
    challenge: Challenge, registry: URL, repository: str, allowed: Collection[str]
) -> URL:
    """Where to ask for a token to pull; raises RegistryNotAllowed for any other place.

    Args:
        challenge: what the registry wants.
        registry: base URL of the registry that was asked.
        repository: what is to be pulled. The scope is ours, never the registry's wish.
        allowed: further hosts that the admin allows.
    """
    try:
        realm = URL(challenge.realm)
        host = f"{realm.host}:{realm.explicit_port}" if realm.explicit_port else realm.host or ""
        port = realm.port
    except ValueError as error:
        raise MalformedContent(
            f"the registry's token server {quote(challenge.realm)} is not a URL"
        ) from error
    same = realm.host == registry.host and port == registry.port
    known = realm.scheme == "https" and host == _KNOWN_TOKEN_HOSTS.get(registry.host or "")
    named = realm.scheme == "https" and host in allowed
    if realm.user is not None or not (known or named or (same and realm.scheme == registry.scheme)):
        raise RegistryNotAllowed(
            f"registry {registry.host} sends us for a token to {quote(challenge.realm)}, which is "
            "neither its own host nor in `registries.tokenHosts`"
        )
    return realm.with_fragment(None).update_query(
        {"service": challenge.service, "scope": f"repository:{repository}:pull"}
    )
