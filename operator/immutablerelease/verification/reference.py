"""Image references: one spelling in, one repository out, everything ambiguous refused.

Grammar: github.com/distribution/reference (`reference.go`) and the OCI distribution specification,
"Pulling manifests". Stricter where two spellings would name one place: hosts are lower-case, ports
and addresses in canonical form, so that a policy's glob cannot be walked around.
"""

import ipaddress
import re
from dataclasses import dataclass

from .errors import InvalidReference, quote

DOCKER_HUB = "docker.io"
# Every name by which container runtimes and credential files know Docker Hub.
DOCKER_HUB_ALIASES = frozenset(
    {DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::([0-9]+))?")
_SEGMENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_NAME = 255


@dataclass(frozen=True)
class Reference:
    """An image, fully spelled out."""

    # Host and, if given, port. Docker Hub is always `docker.io`.
    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """What policies match: the repository with its registry, HTTPS's own port left out."""
        return f"{self.registry.removesuffix(':443')}/{self.repository}"

    def by_digest(self, digest: str) -> str:
        """The image pinned to a digest, as a container runtime takes it."""
        return f"{self.registry}/{self.repository}@{digest}"


def is_digest(text: object) -> bool:
    """Whether it is a SHA-256 digest in the one form accepted here."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def parse_reference(image: str) -> Reference:
    """The image that `image` names; raises InvalidReference."""
    if not image.isascii() or not image.isprintable() or " " in image:
        raise InvalidReference(f"image {quote(image)} has characters that look like others")
    rest, at, digest = image.partition("@")
    if at and not is_digest(digest):
        raise InvalidReference(f"image {quote(image)}: the digest is not sha256 and 64 hex digits")
    registry, path = _split_registry(rest)
    path, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise InvalidReference(f"image {quote(image)}: {quote(tag)} is not a tag")
    registry, repository = _normalise(registry, path)
    if len(registry) + len(repository) + 1 > _MAX_NAME:
        raise InvalidReference(f"image {quote(image)} is longer than {_MAX_NAME} characters")
    _check_host(registry, image)
    _check_repository(repository, image)
    if not at and not colon:
        tag = "latest"
    return Reference(registry, repository, tag or None, digest or None)


def _split_registry(rest: str) -> tuple[str, str]:
    first, slash, path = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, path
    return DOCKER_HUB, rest


def _normalise(registry: str, path: str) -> tuple[str, str]:
    if registry.removesuffix(":443") not in DOCKER_HUB_ALIASES:
        return registry, path
    # Runtimes add `library/` under these two names only.
    short = registry in {DOCKER_HUB, "index.docker.io"} and "/" not in path
    return DOCKER_HUB, f"library/{path}" if short else path


def _check_host(registry: str, image: str) -> None:
    match = _HOST.fullmatch(registry)
    if match is None:
        raise InvalidReference(
            f"image {quote(image)}: {quote(registry)} is not a registry host in lower case"
        )
    host, port = match.groups()
    if port is not None and (port.startswith("0") or len(port) > 5 or int(port) > 65535):
        raise InvalidReference(f"image {quote(image)}: {quote(port)} is not a port")
    literal = host.strip("[]")
    if host == literal and not _NUMERIC_LABEL.fullmatch(host.rsplit(".", 1)[-1]):
        return
    try:
        address = ipaddress.ip_address(literal)
        canonical = "" if getattr(address, "ipv4_mapped", None) else str(address)
    except ValueError:
        canonical = ""
    # `127.1`, `[0::1]` and `[::ffff:7f00:1]` reach the same place as the canonical form.
    if canonical != literal or (":" in literal) != (host != literal):
        raise InvalidReference(
            f"image {quote(image)}: {quote(host)} is not an address in canonical form"
        )


def _check_repository(repository: str, image: str) -> None:
    if not all(_SEGMENT.fullmatch(segment) for segment in repository.split("/")):
        raise InvalidReference(
            f"image {quote(image)}: {quote(repository)} is not a repository: lower-case letters, "
            "digits and single separators only"
        )
