"""Proves who made a signature: by a key that the policy holds, or by a certificate and when.

For a certificate: trusted times, a path to an authority as of each of them, the certificate in a
certificate log, whom it names, the signature in a transparency log, and that all of these speak of
one signature over one content by one signer.
https://github.com/sigstore/architecture-docs/blob/main/client-spec.md, section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .certificates import Identity
from .entry_body import require_same
from .errors import NotLogged, NoTrustedTime, UnsupportedSignature, WrongKey
from .keys import VerificationKey
from .log_entry import LogEntry
from .signature import Signature
from .timestamps import trusted_times
from .transparency import verify_certificate_logged, verify_inclusion, verify_promise
from .trust_root import TrustRoot


@dataclass(frozen=True)
class Logged:
    """Where a transparency log holds the signature, and since when if the log says so."""

    index: int
    time: datetime | None


@dataclass(frozen=True)
class Proven:
    """Who made a signature, and when, as far as somebody trusted says so."""

    key: VerificationKey
    identity: Identity | None = None
    logged: Logged | None = None
    time: datetime | None = None


def prove_key(
    signature: Signature, key: VerificationKey, root: TrustRoot | None, *, log_required: bool
) -> Proven:
    """That the key made the signature; raises SignatureError."""
    if not _signed_by(key, signature):
        raise WrongKey(f"a signature is not by the key {key.fingerprint[:19]}")
    if not log_required:
        return Proven(key)
    if root is None:
        raise NotLogged("a log is required, but there is no trust root to know it by")
    times = trusted_times(signature.timestamps, signature.value, root.timestamp_authorities)
    logged = _logged(signature, key, root, times)
    return Proven(key, logged=logged, time=_first(times, logged))


def prove_identity(signature: Signature, root: TrustRoot, *, log_required: bool) -> Proven:
    """Whose certificate made the signature; raises SignatureError."""
    leaf = signature.certificate
    if leaf is None:
        raise UnsupportedSignature("a signature is by a key, expected a certificate")
    if not _signed_by(leaf.key, signature):
        raise WrongKey("a signature is not by the key of its certificate")
    times = trusted_times(signature.timestamps, signature.value, root.timestamp_authorities)
    logged = _logged(signature, leaf.key, root, times) if log_required else None
    known = [*times, *([logged.time] if logged and logged.time else [])]
    if not known:
        raise NoTrustedTime("neither a timestamp authority nor a log says when it was signed")
    for time in known:
        path = leaf.issued_by(root.authorities, time)
        verify_certificate_logged(leaf, path, root)
    return Proven(leaf.key, leaf.identity(), logged, _first(times, logged))


def _signed_by(key: VerificationKey, signature: Signature) -> bool:
    if signature.message.data is None:
        return key.verifies_sha256(signature.value, signature.message.sha256)
    return key.verifies(signature.value, signature.message.data)


def _logged(
    signature: Signature, key: VerificationKey, root: TrustRoot, times: Sequence[datetime]
) -> Logged:
    if len(signature.entries) != 1:
        raise NotLogged(f"{len(signature.entries)} log entries came with a signature, expected one")
    (entry,) = signature.entries
    time = None
    if entry.promise is not None:
        time = verify_promise(entry, root.transparency_logs)
    if entry.proof is not None or entry.promise is None:
        verify_inclusion(entry, root.transparency_logs, times)
    require_same(entry, signature, key)
    return Logged(_index(entry), time)


def _index(entry: LogEntry) -> int:
    # Nobody signed the entry's own number unless the log promised it; the proof's is proven.
    if entry.promise is None and entry.proof is not None:
        return entry.proof.index
    return entry.index


def _first(times: Sequence[datetime], logged: Logged | None) -> datetime | None:
    known = [*times, *([logged.time] if logged and logged.time else [])]
    return min(known, default=None)
