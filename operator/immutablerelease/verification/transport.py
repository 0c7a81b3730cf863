"""HTTP as it must be towards strangers: bounded in size and time, and careful where it connects.

Whoever writes an image reference chooses a host, and a registry chooses redirects. So every address
is checked at the moment of the connection, after name resolution: link-local and metadata services
never, loopback only where the admin named the registry. Nothing is decompressed, no cookie is kept,
and no Authorization header ever follows a redirect.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from .access import Access
from .errors import (
    IntegrityError,
    InvalidPolicy,
    MalformedContent,
    NotFound,
    RegistryCertificateInvalid,
    RegistryNotAllowed,
    RegistryUnauthorized,
    RegistryUnavailable,
    TooMuchData,
    quote,
)

MAX_REDIRECTS = 3
_CHUNK = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Metadata services of clouds outside of the link-local range: AWS by IPv6, Azure, Oracle, Alibaba.
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("fd00:ec2::254", "168.63.129.16", "192.0.0.192", "100.100.100.200")
)


@dataclass(frozen=True)
class Limits:
    """How long and how much, at most."""

    # Seconds for one request with all of its body, and for the connection alone.
    request_seconds: float = 15.0
    connect_seconds: float = 5.0
    # Seconds for all that is asked about one image on behalf of one policy.
    image_seconds: float = 40.0
    # Connections at the same time, in all and to one registry: one that stalls must leave room.
    connections: int = 64
    connections_per_registry: int = 8


@dataclass(frozen=True)
class Response:
    """An answer, read to its end."""

    status: int
    url: URL
    headers: CIMultiDictProxy[str]
    links: Mapping[str, URL]
    body: bytes
    # Whether the answer came from the URL that was asked, not from where that redirected to.
    direct: bool

    def require_ok(self, what: str) -> Self:
        """Itself if the answer is 200; otherwise raises what the status means."""
        host = authority(self.url)
        match self.status:
            case 200:
                return self
            case 404:
                raise NotFound(f"{what}: registry {host} does not have it")
            case 401 | 403:
                raise RegistryUnauthorized(f"{what}: registry {host} answers {self.status}")
            case _:
                raise RegistryUnavailable(f"{what}: registry {host} answers {self.status}")


def check_address(address: str, *, loopback: bool) -> None:
    """Raises RegistryNotAllowed for an address that is never a registry."""
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_link_local or found.is_multicast or found.is_unspecified or found in _METADATA:
        raise RegistryNotAllowed(f"the address {found} is never a registry's")
    if found.is_loopback and not loopback:
        raise RegistryNotAllowed(
            f"the address {found} is this machine's own, and the registry is neither in "
            "`registries.insecure` nor in `registries.trustedCAs`"
        )


class Transport:
    """Connections to registries, kept between requests."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # One pool for hosts that may be on loopback, one for all others: a connection of the
        # first is never used for the second.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def get(
        self, url: URL, access: Access, *, headers: Mapping[str, str], limit: int
    ) -> Response:
        """GET with at most MAX_REDIRECTS redirects and a body of at most `limit` bytes.

        Raises:
            RegistryUnavailable: no connection, no answer in time, or a broken one.
            RegistryNotAllowed: an address, scheme or redirect that is not allowed.
            TooMuchData: the body is longer than the limit.
        """
        asked = url
        for _ in range(MAX_REDIRECTS + 1):
            sent = headers if url == asked else _without_authorization(headers)
            response = await self._get_once(url, access, sent, limit, direct=url == asked)
            if response.status not in _REDIRECTS:
                return response
            url = _redirect_target(response, access)
        raise IntegrityError(f"{asked.host}: more than {MAX_REDIRECTS} redirects")

    async def _get_once(
        self, url: URL, access: Access, headers: Mapping[str, str], limit: int, *, direct: bool
    ) -> Response:
        host = authority(url)
        plain = host in access.insecure
        if url.scheme != "https" and not (url.scheme == "http" and plain):
            raise RegistryNotAllowed(
                f"{host} would be asked by plain HTTP, and is not in `registries.insecure`"
            )
        async with (
            _as_registry_errors(host),
            asyncio.timeout(self._limits.request_seconds),
            self._session(access.named(host)).get(
                url, headers=headers, allow_redirects=False, ssl=self._context(host, access)
            ) as response,
        ):
            return Response(
                status=response.status,
                url=url,
                headers=response.headers,
                links=_next_links(response),
                body=await _read(response, limit, host) if response.status == 200 else b"",
                direct=direct,
            )

    def _session(self, loopback: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(loopback)
        if session is None:
            session = self._sessions[loopback] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    socket_factory=_socket_factory(loopback),
                    happy_eyeballs_delay=None,
                    limit=self._limits.connections,
                    limit_per_host=self._limits.connections_per_registry,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                # The whole of a request is bounded by asyncio.timeout above.
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._limits.connect_seconds
                ),
                headers={
                    "User-Agent": "immutable-release-operator",
                    "Accept-Encoding": "identity",
                },
            )
        return session

    def _context(self, host: str, access: Access) -> ssl.SSLContext | bool:
        pem = access.trusted_cas.get(host.removesuffix(":443"))
        if pem is None:
            return True
        context = self._contexts.get(pem)
        if context is None:
            try:
                context = ssl.create_default_context(cadata=pem)
            except (ssl.SSLError, ValueError) as error:
                raise InvalidPolicy(
                    f"`registries.trustedCAs` for {host} holds no certificate that can be read"
                ) from error
            self._contexts[pem] = context
        return context


def authority(url: URL) -> str:
    """Host of the URL, with its port if one is given, as policies write it."""
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
    return f"{host}:{url.explicit_port}" if url.explicit_port else host


@asynccontextmanager
async def _as_registry_errors(host: str) -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise RegistryUnavailable(f"registry {host} did not answer in time") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise RegistryCertificateInvalid(
            f"registry {host}: {quote(error.certificate_error)}"
        ) from error
    except aiohttp.InvalidURL as error:
        raise RegistryNotAllowed(f"{quote(host)} is not a host that can be asked") from error
    except (aiohttp.ClientError, OSError) as error:
        told = quote(error) if str(error) else type(error).__name__
        raise RegistryUnavailable(f"registry {host} could not be asked: {told}") from error
    except ValueError as error:
        raise MalformedContent(f"registry {host}: {quote(error)}") from error


def _socket_factory(loopback: bool) -> Any:
    def create(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, target = address
        check_address(target[0], loopback=loopback)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return create


async def _read(response: aiohttp.ClientResponse, limit: int, host: str) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise IntegrityError(f"registry {host} answers in encoding {quote(encoding)}, unasked")
    if (response.content_length or 0) > limit:
        raise TooMuchData(
            f"registry {host} answers with {response.content_length} bytes, at most {limit} are "
            "read"
        )
    chunks = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        chunks += chunk
        if len(chunks) > limit:
            raise TooMuchData(f"registry {host} answers with more than {limit} bytes")
    return bytes(chunks)


def _next_links(response: aiohttp.ClientResponse) -> Mapping[str, URL]:
    found: dict[str, URL] = {}
    for relation, link in response.links.items():
        target = link.get("url")
        if isinstance(target, URL):
            found[relation] = target
    return found


def _without_authorization(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}


def _redirect_target(response: Response, access: Access) -> URL:
    location = response.headers.get("Location", "")
    try:
        target = response.url.join(URL(location, encoded=True))
    except ValueError as error:
        raise MalformedContent(f"{response.url.host} redirects to {quote(location)}") from error
    if not location or target.user is not None or target.scheme not in {"http", "https"}:
        raise RegistryNotAllowed(f"{response.url.host} redirects to {quote(location)}")
    if target.scheme == "http" and (
        response.url.scheme == "https" or authority(target) not in access.insecure
    ):
        raise RegistryNotAllowed(
            f"{response.url.host} redirects to {quote(location)}: plain HTTP is not allowed there"
        )
    return target
