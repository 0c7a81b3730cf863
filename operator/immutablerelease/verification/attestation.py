"""in-toto statements that attest something about an image: which image, and what is said.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and, for version 0.1,
https://github.com/in-toto/attestation/blob/main/spec/v0.1.0/statement.md, which differ in the name
of their type alone. A statement may be about several artifacts built together; it is about this
image only if one of them is known by the image's digest in SHA-256, and by nothing else beside it
that could name another.
"""

from dataclasses import dataclass
from typing import Any

from .errors import MalformedSignature, WrongSubject, quote
from .reference import is_digest
from .strict_json import InvalidJSON, parse_object

STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
MAX_SUBJECTS = 256
MAX_DIGESTS = 16


@dataclass(frozen=True)
class Attested:
    """What was said, and of what kind it is. Trusted as far as whoever signed it is."""

    predicate_type: str
    predicate: Any


def parse_attestation(payload: bytes, digest: str) -> Attested:
    """What the statement says of the image with that digest.

    Raises:
        MalformedSignature: it is no statement of a known version.
        WrongSubject: it is about something else.
    """
    try:
        statement = parse_object(payload)
    except InvalidJSON as error:
        raise MalformedSignature(f"statement: {error}") from error
    kind = statement.get("_type")
    if kind not in STATEMENT_TYPES:
        raise MalformedSignature(f"statement: type {quote(kind)}, expected in-toto v0.1 or v1")
    predicate_type = statement.get("predicateType")
    if not isinstance(predicate_type, str) or not predicate_type:
        raise MalformedSignature("statement: no predicateType")
    subjects = _subjects(statement.get("subject"))
    if digest not in subjects:
        about = subjects[0] if len(subjects) == 1 else f"{len(subjects)} other artifacts"
        raise WrongSubject(f"attestation about {about or 'no image'}, expected {digest}")
    return Attested(predicate_type, statement.get("predicate"))


def _subjects(value: Any) -> tuple[str, ...]:
    """The digest of each subject; empty for one that is not known by SHA-256 alone."""
    if not isinstance(value, list) or not value:
        raise MalformedSignature("statement: no subject")
    if len(value) > MAX_SUBJECTS:
        raise MalformedSignature(f"statement: {len(value)} subjects, at most {MAX_SUBJECTS}")
    return tuple(_subject(item) for item in value)


def _subject(value: Any) -> str:
    digests = value.get("digest") if isinstance(value, dict) else None
    if not isinstance(digests, dict) or not 0 < len(digests) <= MAX_DIGESTS:
        raise MalformedSignature(f"statement: a subject without 1 to {MAX_DIGESTS} digests")
    if not all(isinstance(item, str) for item in digests.values()):
        raise MalformedSignature("statement: a digest of a subject is not text")
    if digests.keys() != {"sha256"}:
        return ""
    found = f"sha256:{digests['sha256']}"
    if not is_digest(found):
        raise MalformedSignature("statement: a sha256 that is not 64 lower-case hex digits")
    return found
