"""A registry as the OCI distribution specification describes it, as far as verification needs it.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md: "Pulling manifests",
"Pulling blobs", "Listing Referrers" with the fallback tag schema. Content asked for by digest is
returned only if it has that digest. Refused or failed requests are errors: they never look like
"there is none".
"""

from collections.abc import Iterable
from dataclasses import dataclass

from yarl import URL

from .access import Access
from .authorization import Authorizer
from .errors import IntegrityError, NotFound, TooMuchData
from .manifest import (
    IMAGE_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    Descriptor,
    check_digest,
    digest_of,
    parse_index,
)
from .reference import DOCKER_HUB, Reference, is_digest
from .transport import Response, Transport

# The specification asks registries to accept manifests of at least 4 MiB; clients stop there.
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_PAGES = 20
MAX_REFERRERS = 1000
# What registries without the referrers API answer, as other clients learnt.
_NO_REFERRERS_API = frozenset({400, 404, 405, 406})


@dataclass(frozen=True)
class Content:
    """A manifest or index with the digest that its bytes have."""

    data: bytes
    digest: str
    media_type: str


class Registry:
    """The registries of the world, asked with one access."""

    def __init__(self, transport: Transport, authorizer: Authorizer, access: Access) -> None:
        self._transport = transport
        self._authorizer = authorizer
        self._access = access

    async def image(self, reference: Reference) -> Content:
        """The manifest or index of the image, by tag or digest."""
        selector = reference.digest or reference.tag or ""
        return await self._manifest(reference, selector, IMAGE_TYPES)

    async def manifest(self, reference: Reference, selector: str) -> Content:
        """A manifest of the same repository, by tag or digest."""
        return await self._manifest(reference, selector, MANIFEST_TYPES)

    async def blob(self, reference: Reference, descriptor: Descriptor, *, limit: int) -> bytes:
        """The content that the descriptor points at."""
        what = f"blob {descriptor.digest} of {reference.name}"
        if descriptor.size > limit:
            raise TooMuchData(f"{what} has {descriptor.size} bytes, at most {limit} are read")
        response = await self._get(
            reference, f"blobs/{descriptor.digest}", accept="*/*", limit=descriptor.size
        )
        data = response.require_ok(what).body
        check_digest(data, descriptor.digest, what)
        if len(data) != descriptor.size:
            raise IntegrityError(f"{what} has {len(data)} bytes, expected {descriptor.size}")
        return data

    async def referrers(self, reference: Reference, digest: str) -> tuple[Descriptor, ...]:
        """What refers to the digest, by the referrers API or else by the fallback tag."""
        what = f"referrers of {reference.name}@{digest}"
        path = f"referrers/{digest}"
        first = url = self._url(reference, path)
        found: list[Descriptor] = []
        seen: set[URL] = set()
        while True:
            response = await self._get_url(reference, url, OCI_INDEX, MAX_MANIFEST_BYTES)
            if url == first and not _is_index(response):
                return await self._fallback(reference, digest)
            found.extend(parse_index(response.require_ok(what).body))
            if len(found) > MAX_REFERRERS:
                raise TooMuchData(f"{what}: more than {MAX_REFERRERS}")
            seen.add(url)
            following = response.links.get("next")
            if following is None:
                return tuple(found)
            url = _checked_page(following, first, seen, what)

    async def _fallback(self, reference: Reference, digest: str) -> tuple[Descriptor, ...]:
        try:
            content = await self._manifest(reference, digest.replace(":", "-"), (OCI_INDEX,))
        except NotFound:
            return ()
        return parse_index(content.data)

    async def _manifest(
        self, reference: Reference, selector: str, accept: Iterable[str]
    ) -> Content:
        what = f"{reference.name}{'@' if is_digest(selector) else ':'}{selector}"
        response = await self._get(
            reference,
            f"manifests/{selector}",
            accept=", ".join(accept),
            limit=MAX_MANIFEST_BYTES,
        )
        data = response.require_ok(what).body
        digest = digest_of(data)
        for claimed in (selector, response.headers.get("Docker-Content-Digest")):
            if is_digest(claimed):
                check_digest(data, str(claimed), what)
        return Content(data, digest, _media_type(response))

    async def _get(self, reference: Reference, path: str, *, accept: str, limit: int) -> Response:
        return await self._get_url(reference, self._url(reference, path), accept, limit)

    async def _get_url(self, reference: Reference, url: URL, accept: str, limit: int) -> Response:
        headers = {"Accept": accept}
        known = self._authorizer.header(reference, self._access)
        if known is not None:
            headers["Authorization"] = known
        response = await self._transport.get(url, self._access, headers=headers, limit=limit)
        # A challenge from where a redirect led is not answered: that is not the registry.
        if response.status != 401 or not response.direct:
            return response
        headers["Authorization"] = await self._authorizer.answer(response, reference, self._access)
        return await self._transport.get(url, self._access, headers=headers, limit=limit)

    def _url(self, reference: Reference, path: str) -> URL:
        scheme = "http" if reference.registry in self._access.insecure else "https"
        host = "registry-1.docker.io" if reference.registry == DOCKER_HUB else reference.registry
        return URL(f"{scheme}://{host}/v2/{reference.repository}/{path}", encoded=True)


def _media_type(response: Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _is_index(response: Response) -> bool:
    """Whether it answers as the referrers API does; failures are left to be raised."""
    if response.status == 200:
        return _media_type(response) == OCI_INDEX
    return response.status not in _NO_REFERRERS_API


def _checked_page(following: URL, first: URL, seen: set[URL], what: str) -> URL:
    if following.origin() != first.origin() or following.path != first.path:
        raise IntegrityError(f"{what}: the next page is elsewhere, at {following.host}")
    if following in seen or len(seen) >= MAX_PAGES:
        raise IntegrityError(f"{what}: the pages do not end")
    return following
