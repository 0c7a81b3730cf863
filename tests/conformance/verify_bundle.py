"""The operator's verification behind the command line of the public Sigstore conformance suite.

    verify-bundle [--staging] --bundle FILE [--trusted-root FILE]
        (--certificate-identity ID --certificate-oidc-issuer URL | --key PEM) FILE_OR_DIGEST

Exit code 0 only if the bundle was verified.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from immutablerelease.api.authorities import Identity
from immutablerelease.verification.bundle import parse_bundle
from immutablerelease.verification.errors import (
    MalformedSignature,
    VerificationError,
    WrongIdentity,
    WrongSubject,
)
from immutablerelease.verification.identities import load_identity
from immutablerelease.verification.keys import load_key
from immutablerelease.verification.proof import prove_identity, prove_key
from immutablerelease.verification.signature import Message, Signature
from immutablerelease.verification.strict_json import InvalidJSON, parse_object
from immutablerelease.verification.transparency import public_good_root
from immutablerelease.verification.trust_root import TrustRoot, parse_trust_root

_STATEMENTS = {"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"}
_DIGEST = re.compile("sha256:([0-9a-f]{64})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify one bundle; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        verify(options)
    except VerificationError as error:
        print(f"{error.reason}: {error.diagnostics()}", file=sys.stderr)
        return 1
    return 0


def verify(options: argparse.Namespace) -> None:
    """Raises VerificationError unless the bundle signs the artifact, by whom it should be."""
    artifact = _artifact(options.artifact)
    signature = parse_bundle(options.bundle.read_bytes(), file=artifact)
    root = _root(options)
    if options.key is not None:
        prove_key(signature, load_key(options.key.read_text()), root, log_required=True)
    else:
        wanted = load_identity(
            Identity(issuer=options.certificate_oidc_issuer, subject=options.certificate_identity)
        )
        proven = prove_identity(signature, root, log_required=True)
        if proven.identity is None or not wanted.holds(proven.identity):
            raise WrongIdentity(f"signed by {proven.identity}")
    if signature.envelope is not None:
        _require_subject(signature, artifact)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="client", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("verify-bundle")
    command.add_argument("--staging", action="store_true")
    command.add_argument("--bundle", type=Path, required=True)
    command.add_argument("--certificate-identity")
    command.add_argument("--certificate-oidc-issuer")
    command.add_argument("--key", type=Path)
    command.add_argument("--trusted-root", type=Path)
    command.add_argument("artifact", metavar="FILE_OR_DIGEST")
    return parser


def _artifact(given: str) -> Message:
    digest = _DIGEST.fullmatch(given)
    if digest is not None:
        return Message(bytes.fromhex(digest[1]))
    return Message.of(Path(given).read_bytes())


def _root(options: argparse.Namespace) -> TrustRoot:
    if options.trusted_root is not None:
        return parse_trust_root(options.trusted_root.read_bytes())
    return public_good_root(staging=options.staging)


def _require_subject(signature: Signature, artifact: Message) -> None:
    """A statement may be about several files; the artifact must be one of them."""
    try:
        statement = parse_object(signature.payload)
    except InvalidJSON as error:
        raise MalformedSignature(f"statement: {error}") from error
    if statement.get("_type") not in _STATEMENTS:
        raise MalformedSignature(f"statement: of the type {statement.get('_type')}")
    subjects = statement.get("subject")
    digests = [
        subject["digest"].get("sha256")
        for subject in (subjects if isinstance(subjects, list) else [])
        if isinstance(subject, dict) and isinstance(subject.get("digest"), dict)
    ]
    if artifact.sha256.hex() not in digests:
        raise WrongSubject("the statement is not about the artifact")


if __name__ == "__main__":
    sys.exit(main())
