"""Which authorities of a policy signed an image: bytes and authorities in, signers out. Pure.

A signature is checked before what it signs is read. A key or an identity counts once, under however
many names and in however many layouts it appears.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from immutablerelease.api.attestations import AttestationFormat
from immutablerelease.api.authorities import SignatureFormat

from .artifact import Artifact, ArtifactFormat
from .authorities import Authorities
from .bundle import parse_bundle
from .certificates import Identity
from .errors import InternalFault, VerificationError
from .signature import Signature
from .simplesigning import parse_attestation_layer, parse_layer, require_image
from .statement import parse_statement, require_signature


@dataclass(frozen=True)
class Signer:
    """An authority that signed the image, and where its signature is."""

    authority: str
    # Of the key; of a certificate, the key in it, which was made for this signature alone.
    fingerprint: str
    format: ArtifactFormat
    # Digest of the manifest that carries the signature.
    manifest: str
    # Of an attestation: what kind of statement it is.
    predicate_type: str = ""
    # Digest of the index that was signed, where the image only is one of its platforms.
    parent: str = ""
    identity: Identity | None = None
    log_index: int | None = None
    # When it was signed, as far as a log or a timestamp authority says so.
    time: datetime | None = None
    # Names of all authorities of the policy that this one signer satisfies.
    satisfies: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What tells signers apart: one identity has many keys."""
        return str(self.identity) if self.identity is not None else self.fingerprint


@dataclass(frozen=True)
class Evaluation:
    """What the artifacts amount to; signers are distinct, and stand for distinct authorities."""

    signers: tuple[Signer, ...]
    problems: tuple[VerificationError, ...]


def evaluate(artifacts: Iterable[Artifact], authorities: Authorities, digest: str) -> Evaluation:
    """Who among the authorities signed the image with that digest."""
    signers: list[Signer] = []
    problems: list[VerificationError] = []
    for artifact in artifacts:
        try:
            signer, payload = signed_by(artifact, authorities)
            _require_image(artifact, payload, digest)
        except VerificationError as error:
            problems.append(error)
        except Exception as error:  # noqa: BLE001 - one artifact must not take away the others
            problems.append(InternalFault(f"judging a signature: {type(error).__name__}"))
        else:
            signers.append(signer)
    return Evaluation(distinct(signers), tuple(problems))


def signed_by(artifact: Artifact, authorities: Authorities) -> tuple[Signer, bytes]:
    """The authority that signed the artifact, and what it signed: a signature or an attestation.

    Raises:
        SignatureError: none of the authorities did, or the artifact is not what its layout says.
    """
    signature = _parse(artifact)
    proven, names = authorities.prove(signature)
    signer = Signer(
        authority=names[0],
        fingerprint=proven.key.fingerprint,
        format=artifact.format,
        manifest=artifact.manifest,
        identity=proven.identity,
        log_index=proven.logged.index if proven.logged is not None else None,
        time=proven.time,
        satisfies=names,
    )
    return signer, signature.payload


def distinct(signers: Sequence[Signer]) -> tuple[Signer, ...]:
    """As many of the signers as can each stand for an authority of their own, each name once.

    One authority may name several people, and several may name one: this is the largest matching
    between the two, found by augmenting paths.
    """
    choices: dict[str, dict[str, Signer]] = {}
    for signer in signers:
        for authority in signer.satisfies:
            choices.setdefault(signer.name, {}).setdefault(authority, signer)
    holders: dict[str, str] = {}
    for name in choices:
        _seat(name, choices, holders, set())
    seats = {name: authority for authority, name in holders.items()}
    return tuple(
        replace(choices[name][seats[name]], authority=seats[name])
        for name in choices
        if name in seats
    )


def _seat(
    name: str, choices: Mapping[str, Collection[str]], holders: dict[str, str], tried: set[str]
) -> bool:
    """Find an authority for the signer, where need be by moving others to another of theirs."""
    for authority in choices[name]:
        if authority in tried:
            continue
        tried.add(authority)
        if authority not in holders or _seat(holders[authority], choices, holders, tried):
            holders[authority] = name
            return True
    return False


def _parse(artifact: Artifact) -> Signature:
    match artifact.format:
        case SignatureFormat.BUNDLE:
            return parse_bundle(artifact.data, media_type=artifact.layer.media_type)
        case SignatureFormat.SIMPLE_SIGNING:
            return parse_layer(artifact.layer, artifact.data)
        case AttestationFormat.ENVELOPE:
            return parse_attestation_layer(artifact.layer, artifact.data)


def _require_image(artifact: Artifact, payload: bytes, digest: str) -> None:
    if artifact.format is SignatureFormat.SIMPLE_SIGNING:
        require_image(payload, digest)
    else:
        require_signature(parse_statement(payload), digest)
