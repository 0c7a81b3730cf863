"""Entries of a transparency log as they come with a signature: their shape; nothing is verified.

In bundles they are `TransparencyLogEntry` of https://github.com/sigstore/protobuf-specs
(`sigstore_rekor.proto`); in simple signing the annotation `dev.sigstore.cosign/bundle` holds the
entry and the log's promise alone (cosign, `specs/SIGNATURE_SPEC.md`).
"""

from dataclasses import dataclass
from typing import Any

from .base64_text import decode_base64
from .errors import MalformedSignature, quote
from .strict_json import InvalidJSON, parse_object

MAX_HASHES = 64
_MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True)
class InclusionProof:
    """A Merkle path from the entry to the root of a tree that the log signed."""

    index: int
    tree_size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True)
class LogEntry:
    """One entry, with a proof, a promise, or both."""

    log_id: bytes
    index: int
    # `hashedrekord/0.0.1` and the like.
    kind: str
    body: bytes
    # Seconds since 1970 by the log's clock; it counts only under the log's promise.
    integrated_time: int | None = None
    promise: bytes | None = None
    proof: InclusionProof | None = None


def parse_entry(value: Any, *, lenient: bool = False) -> LogEntry:
    """An entry in a bundle; raises MalformedSignature.

    `lenient`: a proof without a checkpoint proves nothing, and counts as none (version 0.1).
    """
    entry = _object(value, "log entry")
    version = _object(entry.get("kindVersion"), "log entry: kindVersion")
    promise = entry.get("inclusionPromise")
    proof = entry.get("inclusionProof")
    if lenient and isinstance(proof, dict) and "checkpoint" not in proof:
        proof = None
    made = LogEntry(
        log_id=_bytes(_object(entry.get("logId"), "log entry: logId").get("keyId"), "keyId"),
        # Protobuf leaves out what is zero.
        index=_integer(entry.get("logIndex", "0"), "logIndex"),
        kind=f"{version.get('kind')}/{version.get('version')}",
        body=_bytes(entry.get("canonicalizedBody"), "canonicalizedBody"),
        integrated_time=_integer(entry.get("integratedTime", "0"), "integratedTime") or None,
        promise=None
        if promise is None
        else _bytes(_object(promise, "promise").get("signedEntryTimestamp"), "promise"),
        proof=None if proof is None else _proof(_object(proof, "log entry: inclusionProof")),
    )
    if made.promise is not None and made.integrated_time is None:
        raise MalformedSignature("log entry: a promise without the time that it is about")
    return made


def parse_promise(text: str) -> LogEntry:
    """The entry in the annotation of a simple signature; raises MalformedSignature."""
    try:
        bundle = parse_object(text.encode())
    except InvalidJSON as error:
        raise MalformedSignature(f"log entry: {error}") from error
    payload = _object(bundle.get("Payload"), "log entry: Payload")
    index, time = payload.get("logIndex"), payload.get("integratedTime")
    if type(index) is not int or type(time) is not int or index < 0 or time <= 0:
        raise MalformedSignature("log entry: logIndex and integratedTime are not natural numbers")
    body = _bytes(payload.get("body"), "body")
    return LogEntry(
        log_id=_hex(payload.get("logID")),
        index=index,
        kind=_kind(body),
        body=body,
        integrated_time=time,
        promise=_bytes(bundle.get("SignedEntryTimestamp"), "SignedEntryTimestamp"),
    )


def parse_body(body: bytes) -> dict[str, Any]:
    """The document that the log recorded; raises MalformedSignature."""
    try:
        return parse_object(body)
    except InvalidJSON as error:
        raise MalformedSignature(f"log entry: body: {error}") from error


def _kind(body: bytes) -> str:
    document = parse_body(body)
    return f"{document.get('kind')}/{document.get('apiVersion')}"


def _proof(proof: dict[str, Any]) -> InclusionProof:
    hashes = proof.get("hashes", [])
    if not isinstance(hashes, list) or len(hashes) > MAX_HASHES:
        raise MalformedSignature(f"inclusion proof: expected at most {MAX_HASHES} hashes")
    checkpoint = _object(proof.get("checkpoint"), "inclusion proof: checkpoint").get("envelope")
    if not isinstance(checkpoint, str):
        raise MalformedSignature("inclusion proof: no checkpoint")
    made = InclusionProof(
        index=_integer(proof.get("logIndex", "0"), "logIndex"),
        tree_size=_integer(proof.get("treeSize"), "treeSize"),
        root=_bytes(proof.get("rootHash"), "rootHash"),
        hashes=tuple(_bytes(item, "hash of the inclusion proof") for item in hashes),
        checkpoint=checkpoint,
    )
    if made.index >= made.tree_size:
        raise MalformedSignature(
            f"inclusion proof: index {made.index} in a tree of {made.tree_size} entries"
        )
    return made


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedSignature(f"{what}: expected an object")
    return value


def _bytes(value: Any, what: str) -> bytes:
    return decode_base64(value, f"log entry: {what}")


def _hex(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise MalformedSignature(f"log entry: logID {quote(value)} is not hex digits") from error


def _integer(value: Any, what: str) -> int:
    # Protobuf writes 64-bit integers as text.
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 19:
        raise MalformedSignature(f"log entry: {what} is {quote(value)}, expected a natural number")
    number = int(value)
    if number > _MAX_INTEGER:
        raise MalformedSignature(f"log entry: {what} is {quote(value)}, more than 63 bits")
    return number
