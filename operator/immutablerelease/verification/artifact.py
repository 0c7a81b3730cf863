"""What was found attached to an image: untrusted bytes, and what could not be had."""

from dataclasses import dataclass
from typing import Literal

from immutablerelease.api.attestations import AttestationFormat
from immutablerelease.api.authorities import SignatureFormat

from .errors import VerificationError
from .manifest import Descriptor

ArtifactFormat = SignatureFormat | Literal[AttestationFormat.ENVELOPE]


@dataclass(frozen=True)
class Artifact:
    """One candidate for a signature or attestation: untrusted bytes and where they were found."""

    format: ArtifactFormat
    # Digest of the manifest that carries it.
    manifest: str
    layer: Descriptor
    data: bytes


@dataclass(frozen=True)
class Found:
    """What one layout has to offer for an image."""

    artifacts: tuple[Artifact, ...] = ()
    problems: tuple[VerificationError, ...] = ()
    # Bundles that call themselves something else than what was looked for, so were not fetched.
    others: int = 0
