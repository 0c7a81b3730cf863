"""Manifests, indexes and descriptors, as far as verification reads them.

https://github.com/opencontainers/image-spec: manifest.md, image-index.md, descriptor.md. A document
that can be read as two kinds is refused (the confusion of GHSA-qq97-vm5h-rrhg).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import DigestMismatch, MalformedContent, TooMuchData, quote
from .reference import is_digest
from .strict_json import InvalidJSON, parse_object

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
IMAGE_TYPES = (*INDEX_TYPES, *MANIFEST_TYPES)
# More would be no index or manifest of an image; a bound for what is read out of a document.
MAX_DESCRIPTORS = 1000


@dataclass(frozen=True)
class Descriptor:
    """A pointer to content."""

    media_type: str
    digest: str
    size: int
    artifact_type: str
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """An image manifest."""

    artifact_type: str
    subject: str | None
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]


def digest_of(data: bytes) -> str:
    """The SHA-256 digest of the bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(data: bytes, digest: str, what: str) -> None:
    """Raises DigestMismatch unless the bytes are those of the digest."""
    found = digest_of(data)
    if found != digest:
        raise DigestMismatch(f"{what}: got content of {found}, asked for {digest}")


def check_image(data: bytes, content_type: str) -> None:
    """Raises MalformedContent unless this is one image manifest or one index, and says which."""
    document = _read(data, "image manifest")
    declared = document.get("mediaType", content_type)
    if declared != content_type or declared not in IMAGE_TYPES:
        raise MalformedContent(
            f"image manifest: served as {quote(content_type)}, says {quote(declared)}, expected "
            "one image or index type"
        )
    index = declared in INDEX_TYPES
    foreign = {"config", "layers"} if index else {"manifests"}
    if foreign & document.keys() or ("manifests" if index else "layers") not in document:
        raise MalformedContent(f"image manifest: {declared} whose members are of another kind")


def parse_manifest(data: bytes) -> Manifest:
    """An image manifest; raises MalformedContent."""
    document = _read(data, "manifest")
    if document.get("mediaType", OCI_MANIFEST) not in MANIFEST_TYPES or "manifests" in document:
        raise MalformedContent(
            f"manifest: media type {quote(document.get('mediaType'))}, expected {OCI_MANIFEST}"
        )
    config = _descriptor(document.get("config"), "manifest config")
    subject = document.get("subject")
    return Manifest(
        artifact_type=_text(document.get("artifactType", config.media_type), "artifactType"),
        subject=None if subject is None else _descriptor(subject, "manifest subject").digest,
        layers=_descriptors(document.get("layers"), "manifest layers"),
        annotations=_annotations(document.get("annotations")),
    )


def parse_index(data: bytes) -> tuple[Descriptor, ...]:
    """What an OCI index lists; raises MalformedContent."""
    document = _read(data, "index")
    if document.get("mediaType", OCI_INDEX) != OCI_INDEX or "layers" in document:
        raise MalformedContent(
            f"index: media type {quote(document.get('mediaType'))}, expected {OCI_INDEX}"
        )
    # Registries written in Go answer an empty list with null.
    return _descriptors(document.get("manifests") or [], "index manifests")


def parse_platforms(data: bytes, content_type: str) -> frozenset[str]:
    """Digests of the images that an index lists; raises MalformedContent if it is no index.

    An index within it is not followed: what an image may hang on is one level deep.
    """
    check_image(data, content_type)
    if content_type not in INDEX_TYPES:
        raise MalformedContent(f"index: of type {quote(content_type)}, expected {OCI_INDEX}")
    listed = _descriptors(_read(data, "index").get("manifests"), "index manifests")
    return frozenset(item.digest for item in listed if item.media_type in MANIFEST_TYPES)


def _read(data: bytes, what: str) -> dict[str, Any]:
    try:
        document = parse_object(data)
    except InvalidJSON as error:
        raise MalformedContent(f"{what}: {error}") from error
    if document.get("schemaVersion") != 2:
        raise MalformedContent(f"{what}: schemaVersion is not 2")
    return document


def _descriptors(value: Any, what: str) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise MalformedContent(f"{what}: expected a list")
    if len(value) > MAX_DESCRIPTORS:
        raise TooMuchData(f"{what}: {len(value)} entries, at most {MAX_DESCRIPTORS} are read")
    return tuple(_descriptor(item, what) for item in value)


def _descriptor(value: Any, what: str) -> Descriptor:
    if not isinstance(value, dict):
        raise MalformedContent(f"{what}: expected a descriptor")
    digest, size = value.get("digest"), value.get("size")
    if not is_digest(digest) or type(size) is not int or size < 0:
        raise MalformedContent(f"{what}: descriptor without a sha256 digest and a size")
    return Descriptor(
        media_type=_text(value.get("mediaType"), what),
        digest=str(digest),
        size=size,
        artifact_type=_text(value.get("artifactType", ""), what),
        annotations=_annotations(value.get("annotations")),
    )


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise MalformedContent(f"{what}: expected text, got {type(value).__name__}")
    return value


def _annotations(value: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise MalformedContent("annotations: expected text values")
    return value
