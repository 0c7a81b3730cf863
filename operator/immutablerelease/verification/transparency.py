"""Transparency logs: that an entry is in one, and that a certificate was promised to be in one.

The one module that uses what sigstore-python keeps private: Merkle proofs (RFC 6962), signed
checkpoints (https://github.com/C2SP/C2SP, `tlog-checkpoint.md`), keyrings and signed certificate
timestamps. A log is the one that its id names, within the time that it is trusted for: where
sigstore-python would try every key, here only one is ever tried.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from cryptography import x509
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
from sigstore._internal.sct import verify_sct
from sigstore._internal.trust import CTKeyring, Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.models import TransparencyLogEntry
from sigstore_models.common.v1 import LogId
from sigstore_models.rekor import v1 as wire

from .certificates import SigningCertificate
from .errors import CertificateNotLogged, NotLogged
from .log_entry import InclusionProof, LogEntry
from .trust_root import Log, TrustRoot, parse_trust_root

_PUBLIC_GOOD = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
_STAGING = "https%3A%2F%2Ftuf-repo-cdn.sigstage.dev"


@cache
def public_good_root(*, staging: bool = False) -> TrustRoot:
    """The trust root of the public Sigstore, as it came with sigstore-python."""
    folder = files("sigstore._store") / (_STAGING if staging else _PUBLIC_GOOD)
    return parse_trust_root((folder / "trusted_root.json").read_bytes())


def verify_promise(entry: LogEntry, logs: Sequence[Log]) -> datetime:
    """When the log took the entry in, by its own signed promise; raises NotLogged."""
    if entry.promise is None or entry.integrated_time is None:
        raise NotLogged("the log entry came without the log's promise")
    time = _time(entry.integrated_time)
    log = _log(entry, logs)
    _require_trusted(log, time)
    # RFC 8785 for what this holds: plain ASCII text and integers.
    signed = json.dumps(
        {
            "body": b64encode(entry.body).decode(),
            "integratedTime": entry.integrated_time,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    _holds(
        lambda: Keyring([log.key]).verify(
            key_id=KeyID(entry.log_id), signature=entry.promise or b"", data=signed
        ),
        f"the promise of the log {log.url} does not hold",
    )
    return time


def verify_inclusion(entry: LogEntry, logs: Sequence[Log], times: Sequence[datetime]) -> None:
    """Raises NotLogged unless the entry is in the tree that the log signed.

    `times` are those that others say the signature was made at.
    """
    if entry.proof is None:
        raise NotLogged("the log entry came without a proof that it is in the log")
    log, proof = _log(entry, logs), entry.proof
    for time in times:
        _require_trusted(log, time)
    theirs = TransparencyLogEntry(_wire_entry(entry, proof))
    _holds(
        lambda: verify_merkle_inclusion(theirs),
        f"the log entry is not in the tree of the log {log.url}",
    )
    _holds(
        lambda: verify_checkpoint(RekorKeyring(Keyring([log.key])), theirs),
        f"the checkpoint of the log {log.url} does not hold",
    )
    size = SignedCheckpoint.from_text(proof.checkpoint).checkpoint.log_size
    if size != proof.tree_size:
        raise NotLogged(
            f"the proof is for a tree of {proof.tree_size} entries, the checkpoint of the log "
            f"{log.url} for one of {size}"
        )


def verify_certificate_logged(
    leaf: SigningCertificate, path: Sequence[x509.Certificate], root: TrustRoot
) -> None:
    """Raises CertificateNotLogged unless a trusted log promised to publish the certificate."""
    try:
        promises = leaf.certificate.extensions.get_extension_for_class(
            x509.PrecertificateSignedCertificateTimestamps
        ).value
    except x509.ExtensionNotFound as error:
        raise CertificateNotLogged("no log promised to publish the certificate") from error
    if len(promises) != 1:
        raise CertificateNotLogged(f"{len(promises)} logs promised the certificate, expected one")
    (promise,) = promises
    time = promise.timestamp.replace(tzinfo=UTC)
    keys = [
        log.key
        for log in root.certificate_logs
        if log.id == promise.log_id and log.period.includes(time)
    ]
    if not keys:
        raise CertificateNotLogged(
            f"the certificate was promised by the log {promise.log_id.hex()[:16]}, which the trust "
            f"root does not name for {time:%Y-%m-%dT%H:%M:%SZ}"
        )
    try:
        verify_sct(leaf.certificate, list(path[1:]), CTKeyring(Keyring(keys)))
    except Exception as error:  # whatever their code raises, the promise was not shown to hold
        raise CertificateNotLogged(f"the promise to publish the certificate: {error}") from error


def _require_trusted(log: Log, time: datetime) -> None:
    if not log.period.includes(time):
        raise NotLogged(f"the log {log.url} is not trusted for {time:%Y-%m-%dT%H:%M:%SZ}")


def _log(entry: LogEntry, logs: Sequence[Log]) -> Log:
    for log in logs:
        if log.id == entry.log_id:
            return log
    raise NotLogged(
        f"the entry is in the log {entry.log_id.hex()[:16]}, which the trust root does not name"
    )


def _holds(check: Callable[[], object], otherwise: str) -> None:
    try:
        check()
    except Exception as error:  # whatever their code raises, it was not shown to hold
        # What follows are the bytes of the proof.
        told = str(error).partition(": expected log_index")[0][:160] or type(error).__name__
        raise NotLogged(f"{otherwise} ({told})") from error


def _wire_entry(entry: LogEntry, proof: InclusionProof) -> wire.TransparencyLogEntry:
    """Their model of the entry, made of what was parsed already."""
    return wire.TransparencyLogEntry.model_construct(
        log_index=entry.index,
        log_id=LogId.model_construct(key_id=entry.log_id),
        # What kind of entry it is says its body; `entry_body` reads it.
        kind_version=wire.KindVersion(kind="", version=""),
        canonicalized_body=entry.body,
        inclusion_proof=wire.InclusionProof.model_construct(
            log_index=proof.index,
            root_hash=proof.root,
            tree_size=proof.tree_size,
            hashes=list(proof.hashes),
            checkpoint=wire.Checkpoint(envelope=proof.checkpoint),
        ),
    )


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise NotLogged(f"the log's time {seconds} is none") from error
