"""Finds what is attached to an image as its signatures, in the two layouts of cosign.

Bundles: referrers whose artifact type is a Sigstore bundle (cosign, `specs/BUNDLE_SPEC.md`). Simple
signing: the layers of the manifest at tag `sha256-<hex>.sig` (cosign, `specs/SIGNATURE_SPEC.md`).
Nothing found here is trusted; what is wrong with one artifact is kept beside the others, so that a
broken signature added by somebody cannot take away a good one.
"""

import asyncio

from immutablerelease.api.policy import SignatureFormat

from .artifact import Artifact, Found
from .bundle import BUNDLE_TYPE_PREFIX, BUNDLE_TYPES
from .errors import (
    IntegrityError,
    MalformedSignature,
    NotFound,
    TooMuchData,
    UnsupportedSignature,
    VerificationError,
    quote,
)
from .manifest import Descriptor, Manifest, parse_manifest
from .reference import Reference
from .registry import Registry
from .simplesigning import PAYLOAD_TYPE
from .statement import SIGNATURE_PREDICATE

# A signature has a few KiB; a bundle may carry a certificate chain and log entries.
MAX_BUNDLE_BYTES = 512 * 1024
MAX_PAYLOAD_BYTES = 64 * 1024
MAX_ARTIFACTS = 50
_PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"


async def discover(
    format_: SignatureFormat, registry: Registry, reference: Reference, digest: str
) -> Found:
    """What is attached to the digest in that layout; raises if it cannot even be listed."""
    match format_:
        case SignatureFormat.BUNDLE:
            return await _bundles(registry, reference, digest)
        case SignatureFormat.SIMPLE_SIGNING:
            return await _simple(registry, reference, digest)


async def _bundles(registry: Registry, reference: Reference, digest: str) -> Found:
    listed = {
        descriptor.digest: descriptor
        for descriptor in await registry.referrers(reference, digest)
        if descriptor.artifact_type.startswith(BUNDLE_TYPE_PREFIX)
    }
    # The annotation is a hint that nobody signed. It can only lead to fewer signatures.
    wanted = [
        descriptor
        for descriptor in listed.values()
        if descriptor.annotations.get(_PREDICATE_ANNOTATION, SIGNATURE_PREDICATE)
        == SIGNATURE_PREDICATE
    ]
    _check_count(len(wanted), "bundles")
    outcomes = await asyncio.gather(
        *(_bundle(registry, reference, digest, descriptor) for descriptor in wanted)
    )
    return _sorted_out(outcomes, attestations=len(listed) - len(wanted))


async def _bundle(
    registry: Registry, reference: Reference, digest: str, descriptor: Descriptor
) -> Artifact | VerificationError:
    try:
        content = await registry.manifest(reference, descriptor.digest)
        layer = _bundle_layer(parse_manifest(content.data), digest)
        data = await registry.blob(reference, layer, limit=MAX_BUNDLE_BYTES)
    except NotFound as error:
        return IntegrityError(f"a bundle is listed, but {error}")
    except VerificationError as error:
        return error
    return Artifact(SignatureFormat.BUNDLE, content.digest, layer, data)


def _bundle_layer(manifest: Manifest, digest: str) -> Descriptor:
    if manifest.subject != digest:
        raise MalformedSignature(f"bundle manifest: subject {manifest.subject}, expected {digest}")
    if manifest.artifact_type not in BUNDLE_TYPES:
        raise UnsupportedSignature(
            f"bundle manifest: artifact type {quote(manifest.artifact_type)}, expected version 0.3"
        )
    if len(manifest.layers) != 1:
        raise MalformedSignature(f"bundle manifest: {len(manifest.layers)} layers, expected one")
    layer = manifest.layers[0]
    if layer.media_type != manifest.artifact_type:
        raise MalformedSignature(
            f"bundle manifest: layer of type {quote(layer.media_type)}, "
            f"expected {quote(manifest.artifact_type)}"
        )
    return layer


async def _simple(registry: Registry, reference: Reference, digest: str) -> Found:
    try:
        content = await registry.manifest(reference, f"{digest.replace(':', '-')}.sig")
    except NotFound:
        return Found()
    layers = parse_manifest(content.data).layers
    _check_count(len(layers), "signature layers")
    outcomes = await asyncio.gather(
        *(_payload(registry, reference, content.digest, layer) for layer in layers)
    )
    return _sorted_out(outcomes)


async def _payload(
    registry: Registry, reference: Reference, manifest: str, layer: Descriptor
) -> Artifact | VerificationError:
    if layer.media_type != PAYLOAD_TYPE:
        return UnsupportedSignature(f"signature layer of type {quote(layer.media_type)}")
    try:
        data = await registry.blob(reference, layer, limit=MAX_PAYLOAD_BYTES)
    except NotFound as error:
        return IntegrityError(f"a signature is listed, but {error}")
    except VerificationError as error:
        return error
    return Artifact(SignatureFormat.SIMPLE_SIGNING, manifest, layer, data)


def _check_count(count: int, what: str) -> None:
    if count > MAX_ARTIFACTS:
        raise TooMuchData(f"{count} {what} are attached, at most {MAX_ARTIFACTS} are read")


def _sorted_out(outcomes: list[Artifact | VerificationError], *, attestations: int = 0) -> Found:
    return Found(
        artifacts=tuple(outcome for outcome in outcomes if isinstance(outcome, Artifact)),
        problems=tuple(outcome for outcome in outcomes if isinstance(outcome, VerificationError)),
        attestations=attestations,
    )
