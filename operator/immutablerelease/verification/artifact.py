"""What was found attached to an image: untrusted bytes, and what could not be had."""

from dataclasses import dataclass

from immutablerelease.api.policy import SignatureFormat

from .errors import VerificationError
from .manifest import Descriptor


@dataclass(frozen=True)
class Artifact:
    """One candidate for a signature: untrusted bytes and where they were found."""

    format: SignatureFormat
    # Digest of the manifest that carries it.
    manifest: str
    layer: Descriptor
    data: bytes


@dataclass(frozen=True)
class Found:
    """What one layout has to offer for an image."""

    artifacts: tuple[Artifact, ...] = ()
    problems: tuple[VerificationError, ...] = ()
    # Bundles that call themselves something other than a signature, so were not fetched.
    attestations: int = 0
