"""Answers to the challenges of registries: tokens and basic authentication, to the right host only.

https://distribution.github.io/distribution/spec/auth/token/. Tokens are kept until shortly before
they expire, for the same repository, credential and permissions.
"""

from collections.abc import Callable
from dataclasses import dataclass

from yarl import URL

from .access import Access
from .challenge import Challenge, parse_challenges, token_url
from .credentials import Credential, find_credential
from .errors import MalformedContent, NotFound, RegistryUnauthorized
from .reference import Reference
from .strict_json import InvalidJSON, parse_object
from .transport import Response, Transport

_MAX_TOKEN_BYTES = 64 * 1024
# https://distribution.github.io/distribution/spec/auth/token/: without `expires_in` it is a minute.
_DEFAULT_SECONDS = 60
_MAX_SECONDS = 3600
_MARGIN_SECONDS = 10
_MAX_KEPT = 4096

_Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Kept:
    header: str
    until: float


class Authorizer:
    """The Authorization headers that registries asked for."""

    def __init__(self, transport: Transport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._clock = clock
        self._kept: dict[_Key, _Kept] = {}

    def header(self, reference: Reference, access: Access) -> str | None:
        """The header to send unasked: the one that served last, while it is valid."""
        kept = self._kept.get(_key(reference, access))
        return kept.header if kept and kept.until > self._clock() else None

    async def answer(self, response: Response, reference: Reference, access: Access) -> str:
        """The header that answers the 401; raises RegistryUnauthorized if there is none."""
        credential = find_credential(access.credentials, reference)
        challenges = parse_challenges(response.headers.getall("WWW-Authenticate", []))
        for challenge in challenges:
            if challenge.scheme == "bearer":
                return await self._bearer(challenge, response.url, reference, access, credential)
        if credential and any(challenge.scheme == "basic" for challenge in challenges):
            return self._keep(reference, access, credential.basic(), _MAX_SECONDS)
        known = "other" if credential else "no"
        raise RegistryUnauthorized(
            f"registry {reference.registry} wants a login; {known} credentials for it were found"
        )

    async def _bearer(
        self,
        challenge: Challenge,
        asked: URL,
        reference: Reference,
        access: Access,
        credential: Credential | None,
    ) -> str:
        url = token_url(challenge, asked, reference.repository, access.token_hosts)
        headers = {"Authorization": credential.basic()} if credential else {}
        what = f"token for {reference.registry}/{reference.repository}"
        try:
            response = await self._transport.get(
                url, access, headers=headers, limit=_MAX_TOKEN_BYTES
            )
            body = response.require_ok(what).body
        except NotFound as error:
            raise RegistryUnauthorized(f"{what}: {url.host} issues none") from error
        token, seconds = parse_token(body)
        return self._keep(reference, access, f"Bearer {token}", seconds)

    def _keep(self, reference: Reference, access: Access, header: str, seconds: float) -> str:
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        until = self._clock() + min(seconds, _MAX_SECONDS) - _MARGIN_SECONDS
        self._kept[_key(reference, access)] = _Kept(header, until)
        return header


def parse_token(body: bytes) -> tuple[str, int]:
    """The token and for how many seconds it is valid; raises MalformedContent."""
    try:
        answer = parse_object(body)
    except InvalidJSON as error:
        raise MalformedContent(f"token: {error}") from error
    token = answer.get("token") or answer.get("access_token")
    # It becomes a header: nothing that ends one may be in it.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise MalformedContent("token: absent, or not printable ASCII")
    seconds = answer.get("expires_in", _DEFAULT_SECONDS)
    return token, seconds if type(seconds) is int and seconds > 0 else _DEFAULT_SECONDS


def _key(reference: Reference, access: Access) -> _Key:
    return reference.registry, reference.repository, access.fingerprint(reference)
