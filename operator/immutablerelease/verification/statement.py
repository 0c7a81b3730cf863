"""in-toto statements: what a trusted key said about which image.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md. A signature of cosign v3 is a
statement of its own predicate type (cosign, `pkg/types/predicate.go`). Every other predicate type,
a scan that failed for one, is a statement about the image but no signature of it.
"""

from dataclasses import dataclass
from typing import Any

from .errors import MalformedSignature, WrongPredicateType, WrongSubject, quote
from .strict_json import InvalidJSON, parse_object

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"


@dataclass(frozen=True)
class Statement:
    """A statement about exactly one thing."""

    subject_digest: str
    predicate_type: str


def parse_statement(payload: bytes) -> Statement:
    """A statement of version 1 with exactly one subject, known by SHA-256 alone."""
    try:
        statement = parse_object(payload)
    except InvalidJSON as error:
        raise MalformedSignature(f"statement: {error}") from error
    if statement.get("_type") != STATEMENT_TYPE:
        raise MalformedSignature(
            f"statement: type {quote(statement.get('_type'))}, expected {quote(STATEMENT_TYPE)}"
        )
    predicate_type = statement.get("predicateType")
    if not isinstance(predicate_type, str):
        raise MalformedSignature("statement: no predicateType")
    return Statement(_only_subject(statement.get("subject")), predicate_type)


def require_signature(statement: Statement, digest: str) -> None:
    """Raises unless the statement is a signature of the image with that digest."""
    if statement.subject_digest != digest:
        raise WrongSubject(f"statement about {statement.subject_digest}, expected {digest}")
    if statement.predicate_type != SIGNATURE_PREDICATE:
        raise WrongPredicateType(
            f"statement of type {quote(statement.predicate_type)}, "
            f"expected {quote(SIGNATURE_PREDICATE)}"
        )


def _only_subject(subjects: Any) -> str:
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise MalformedSignature("statement: expected exactly one subject")
    subject = subjects[0]
    digests = subject.get("digest") if isinstance(subject, dict) else None
    if not isinstance(digests, dict) or digests.keys() != {"sha256"}:
        raise MalformedSignature("statement: expected a subject with a sha256 digest alone")
    value = digests["sha256"]
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise MalformedSignature("statement: the subject's sha256 is not 64 lower-case hex digits")
    return f"sha256:{value}"
