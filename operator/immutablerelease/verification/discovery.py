"""Finds what is attached to an image: signatures and attestations, in the layouts of cosign.

Bundles: referrers whose artifact type is a Sigstore bundle (cosign, `specs/BUNDLE_SPEC.md`); where
the registry does not say of what type a referrer is, its manifest does. Simple
signing: the layers of the manifest at tag `sha256-<hex>.sig` (cosign, `specs/SIGNATURE_SPEC.md`).
Envelopes: those at tag `sha256-<hex>.att` (cosign, `specs/ATTESTATION_SPEC.md`).
Nothing found here is trusted; what is wrong with one artifact is kept beside the others, so that a
broken signature added by somebody cannot take away a good one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from immutablerelease.api.attestations import AttestationFormat
from immutablerelease.api.authorities import SignatureFormat

from .artifact import Artifact, ArtifactFormat, Found
from .bundle import BUNDLE_TYPE_PREFIX, BUNDLE_TYPES, ENVELOPE_TYPE
from .errors import (
    IntegrityError,
    MalformedSignature,
    NotFound,
    TooMuchData,
    UnsupportedSignature,
    VerificationError,
    quote,
)
from .manifest import MANIFEST_TYPES, Descriptor, Manifest, parse_manifest
from .reference import Reference
from .registry import Content, Registry
from .simplesigning import PAYLOAD_TYPE
from .statement import SIGNATURE_PREDICATE

# A signature has a few KiB; a bundle may carry a certificate chain and log entries.
MAX_BUNDLE_BYTES = 512 * 1024
MAX_PAYLOAD_BYTES = 64 * 1024
MAX_ARTIFACTS = 50
# Bills of materials of large images have a few MiB. All that is read of one image is held at once.
MAX_ATTESTATION_BYTES = 8 * 1024 * 1024
MAX_TOTAL_BYTES = 24 * 1024 * 1024
# What no artifact can be: an empty config wants an artifactType (image-spec, manifest.md), and
# registries built on go-containerregistry tell the type of the config all the same.
_NO_TYPES = ("", "application/vnd.oci.empty.v1+json")
# Of a manifest that was read to learn what it is: that of a bundle has about one KiB.
_MAX_KEPT_BYTES = 16 * 1024
_PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
_LAYER_PREDICATE_ANNOTATION = "predicateType"


@dataclass(frozen=True)
class _TagLayout:
    """Where cosign v2 keeps something: the layers of a manifest at a tag made from the digest."""

    what: str
    tag_suffix: str
    media_type: str
    limit: int
    format: ArtifactFormat


_SIMPLE_SIGNING = _TagLayout(
    "signature", "sig", PAYLOAD_TYPE, MAX_PAYLOAD_BYTES, SignatureFormat.SIMPLE_SIGNING
)
_ENVELOPE = _TagLayout(
    "attestation", "att", ENVELOPE_TYPE, MAX_ATTESTATION_BYTES, AttestationFormat.ENVELOPE
)


class Attachments:
    """What is attached to one image. Each list and each artifact is fetched once, when needed."""

    def __init__(self, registry: Registry, reference: Reference, digest: str) -> None:
        self._registry = registry
        self._reference = reference
        self._digest = digest
        self._listed: Mapping[str, Descriptor] | None = None
        # Those that were read to learn what they are.
        self._manifests: dict[str, Content] = {}
        self._bundles: dict[str, Artifact | VerificationError] = {}
        # None where there is no manifest at the tag.
        self._tagged: dict[ArtifactFormat, Content | None] = {}
        self._layers: dict[ArtifactFormat, dict[int, Artifact | VerificationError]] = {}
        self._bytes_left = MAX_TOTAL_BYTES

    async def signatures(self, format_: SignatureFormat) -> Found:
        """Candidates for signatures in that layout; raises if they cannot even be listed."""
        match format_:
            case SignatureFormat.BUNDLE:
                return await self._chosen_bundles(
                    SIGNATURE_PREDICATE.__eq__, "bundles", MAX_BUNDLE_BYTES
                )
            case SignatureFormat.SIMPLE_SIGNING:
                return await self._chosen_layers(_SIMPLE_SIGNING, lambda hint: True)

    async def attestations(
        self, format_: AttestationFormat, wanted: Callable[[str], bool]
    ) -> Found:
        """Candidates for attestations of the predicate types for which `wanted` is true.

        Those that call themselves something else are left out.
        """
        match format_:
            case AttestationFormat.BUNDLE:
                return await self._chosen_bundles(wanted, "attestations", MAX_ATTESTATION_BYTES)
            case AttestationFormat.ENVELOPE:
                return await self._chosen_layers(_ENVELOPE, wanted)

    async def _chosen_bundles(self, wanted: Callable[[str], bool], what: str, limit: int) -> Found:
        listed = await self._list()
        # The annotation is a hint that nobody signed. It can only lead to fewer artifacts.
        hints = {
            digest: descriptor.annotations.get(_PREDICATE_ANNOTATION)
            for digest, descriptor in listed.items()
        }
        chosen = [digest for digest, hint in hints.items() if hint is None or wanted(hint)]
        _check_count(len(chosen), what)
        # What failed is asked again: one without a hint may only have been too long a signature.
        missing = [
            digest for digest in chosen if not isinstance(self._bundles.get(digest), Artifact)
        ]
        fetched = await asyncio.gather(*(self._bundle(listed[digest], limit) for digest in missing))
        self._bundles.update(zip(missing, fetched, strict=True))
        outcomes = [self._bundles[digest] for digest in chosen]
        return _sorted_out(outcomes, others=len(listed) - len(chosen))

    async def _list(self) -> Mapping[str, Descriptor]:
        if self._listed is None:
            referrers = await self._registry.referrers(self._reference, self._digest)
            untyped = [item for item in referrers if _is_untyped(item)]
            _check_count(len(untyped), "referrers of unknown type")
            typed = [item for item in referrers if not _is_untyped(item)]
            looked_at = await asyncio.gather(*(self._typed(item) for item in untyped))
            self._listed = {
                item.digest: item
                for item in (*typed, *looked_at)
                if item.artifact_type.startswith(BUNDLE_TYPE_PREFIX)
            }
        return self._listed

    async def _typed(self, descriptor: Descriptor) -> Descriptor:
        """The referrer as its manifest says; one that cannot be read may be a bundle."""
        try:
            content = await self._registry.manifest(self._reference, descriptor.digest)
            manifest = parse_manifest(content.data)
        except VerificationError:
            # It is asked again, and what is wrong with it is told there.
            return replace(descriptor, artifact_type=BUNDLE_TYPE_PREFIX)
        if len(content.data) <= _MAX_KEPT_BYTES:
            self._manifests[content.digest] = content
        return replace(
            descriptor, artifact_type=manifest.artifact_type, annotations=manifest.annotations
        )

    async def _bundle(self, descriptor: Descriptor, limit: int) -> Artifact | VerificationError:
        try:
            content = self._manifests.get(descriptor.digest) or await self._registry.manifest(
                self._reference, descriptor.digest
            )
            layer = _bundle_layer(parse_manifest(content.data), self._digest)
            data = await self._blob(layer, limit)
        except NotFound as error:
            return IntegrityError(f"a bundle is listed, but {error}")
        except VerificationError as error:
            return error
        return Artifact(SignatureFormat.BUNDLE, content.digest, layer, data)

    async def _chosen_layers(self, layout: _TagLayout, wanted: Callable[[str], bool]) -> Found:
        """What the layers of the manifest at the tag hold that cosign v2 uses for this."""
        if layout.format not in self._tagged:
            self._tagged[layout.format] = await self._at_tag(layout)
        content = self._tagged[layout.format]
        if content is None:
            return Found()
        layers = parse_manifest(content.data).layers
        hints = [layer.annotations.get(_LAYER_PREDICATE_ANNOTATION) for layer in layers]
        chosen = [n for n, hint in enumerate(hints) if hint is None or wanted(hint)]
        _check_count(len(chosen), f"{layout.what} layers")
        known = self._layers.setdefault(layout.format, {})
        missing = [n for n in chosen if n not in known]
        fetched = await asyncio.gather(
            *(self._layer(content.digest, layers[n], layout) for n in missing)
        )
        known.update(zip(missing, fetched, strict=True))
        return _sorted_out([known[n] for n in chosen], others=len(layers) - len(chosen))

    async def _at_tag(self, layout: _TagLayout) -> Content | None:
        tag = f"{self._digest.replace(':', '-')}.{layout.tag_suffix}"
        try:
            return await self._registry.manifest(self._reference, tag)
        except NotFound:
            return None

    async def _layer(
        self, manifest: str, layer: Descriptor, layout: _TagLayout
    ) -> Artifact | VerificationError:
        if layer.media_type != layout.media_type:
            return UnsupportedSignature(f"{layout.what} layer of type {quote(layer.media_type)}")
        try:
            data = await self._blob(layer, layout.limit)
        except NotFound as error:
            return IntegrityError(f"one of the {layout.what} layers is listed, but {error}")
        except VerificationError as error:
            return error
        return Artifact(layout.format, manifest, layer, data)

    async def _blob(self, layer: Descriptor, limit: int) -> bytes:
        # Taken before the first await: others that are fetched at the same time count as well.
        if layer.size > self._bytes_left:
            raise TooMuchData(f"more than {MAX_TOTAL_BYTES} bytes are attached to the image")
        self._bytes_left -= layer.size
        return await self._registry.blob(self._reference, layer, limit=limit)


def _is_untyped(descriptor: Descriptor) -> bool:
    return descriptor.artifact_type in _NO_TYPES and descriptor.media_type in MANIFEST_TYPES


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


def _check_count(count: int, what: str) -> None:
    if count > MAX_ARTIFACTS:
        raise TooMuchData(f"{count} {what} are attached, at most {MAX_ARTIFACTS} are read")


def _sorted_out(outcomes: Sequence[Artifact | VerificationError], *, others: int = 0) -> Found:
    return Found(
        artifacts=tuple(outcome for outcome in outcomes if isinstance(outcome, Artifact)),
        problems=tuple(outcome for outcome in outcomes if isinstance(outcome, VerificationError)),
        others=others,
    )
