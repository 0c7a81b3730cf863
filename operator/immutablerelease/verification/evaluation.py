"""Which authorities of a policy signed an image: bytes and keys in, signers and problems out. Pure.

A signature is checked before what it signs is read. A key counts once, under however many names and
in however many layouts it appears.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from immutablerelease.api.attestations import AttestationFormat
from immutablerelease.api.policy import Policy, SignatureFormat

from .artifact import Artifact, ArtifactFormat
from .bundle import Envelope, parse_envelope, parse_keyed_bundle
from .errors import InvalidPolicy, UnusableKey, VerificationError, WrongKey
from .keys import VerificationKey, load_key
from .simplesigning import SignedPayload, parse_layer, require_image
from .statement import parse_statement, require_signature


@dataclass(frozen=True)
class Signer:
    """An authority that signed the image, and where its signature is."""

    authority: str
    fingerprint: str
    format: ArtifactFormat
    # Digest of the manifest that carries the signature.
    manifest: str
    # Of an attestation: what kind of statement it is.
    predicate_type: str = ""


@dataclass(frozen=True)
class Evaluation:
    """What the artifacts amount to; signers have distinct keys."""

    signers: tuple[Signer, ...]
    problems: tuple[VerificationError, ...]


@dataclass(frozen=True)
class Authorities:
    """The keys of a policy that were found usable, each once."""

    names: Mapping[str, str]
    keys: tuple[VerificationKey, ...]


def load_authorities(policy: Policy) -> Authorities:
    """The keys of the policy; raises InvalidPolicy if it could never hold, or is unclear.

    The API server checks most of this by CEL; a policy that got past it must not pass here.
    """
    spec, name = policy.spec, policy.metadata.name
    names: dict[str, str] = {}
    keys: list[VerificationKey] = []
    if len({authority.name for authority in spec.authorities}) != len(spec.authorities):
        raise InvalidPolicy(f"policy {name}: two authorities have one name")
    for authority in spec.authorities:
        try:
            key = load_key(authority.key.pem)
        except UnusableKey as error:
            raise UnusableKey(f"policy {name}, authority {authority.name}: {error}") from error
        if key.fingerprint not in names:
            names[key.fingerprint] = authority.name
            keys.append(key)
    if len(keys) < spec.quorum:
        raise InvalidPolicy(
            f"policy {name}: {len(keys)} distinct keys, fewer than its quorum of {spec.quorum}"
        )
    return Authorities(names, tuple(keys))


def evaluate(artifacts: Iterable[Artifact], authorities: Authorities, digest: str) -> Evaluation:
    """Who among the authorities signed the image with that digest."""
    signers: dict[str, Signer] = {}
    problems: list[VerificationError] = []
    for artifact in artifacts:
        try:
            signer, payload = signed_by(artifact, authorities)
            _require_image(artifact, payload, digest)
        except VerificationError as error:
            problems.append(error)
            continue
        signers.setdefault(signer.fingerprint, signer)
    return Evaluation(tuple(signers.values()), tuple(problems))


def signed_by(artifact: Artifact, authorities: Authorities) -> tuple[Signer, bytes]:
    """The authority that signed the artifact, and what it signed: a signature or an attestation.

    Raises:
        WrongKey: none of the authorities did.
        MalformedSignature, UnsupportedSignature: the artifact is not what its layout says.
    """
    key, payload = _verified(_parse(artifact), authorities.keys)
    signer = Signer(
        authority=authorities.names[key.fingerprint],
        fingerprint=key.fingerprint,
        format=artifact.format,
        manifest=artifact.manifest,
    )
    return signer, payload


def _parse(artifact: Artifact) -> Envelope | SignedPayload:
    match artifact.format:
        case SignatureFormat.BUNDLE:
            return parse_keyed_bundle(artifact.data)
        case SignatureFormat.SIMPLE_SIGNING:
            return parse_layer(artifact.layer, artifact.data)
        case AttestationFormat.ENVELOPE:
            return parse_envelope(artifact.data)


def _require_image(artifact: Artifact, payload: bytes, digest: str) -> None:
    if artifact.format is SignatureFormat.SIMPLE_SIGNING:
        require_image(payload, digest)
    else:
        require_signature(parse_statement(payload), digest)


def _verified(
    signed: Envelope | SignedPayload, keys: tuple[VerificationKey, ...]
) -> tuple[VerificationKey, bytes]:
    verified = signed.verify(keys)
    if verified is None:
        wanted = ", ".join(key.fingerprint[:19] for key in keys)
        what = "simple signing" if isinstance(signed, SignedPayload) else "statement's"
        raise WrongKey(f"a {what} signature is by none of the keys {wanted}")
    return verified
