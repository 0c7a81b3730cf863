"""Trust roots: which authorities, logs and clocks a keyless signature is believed on, and when.

A `TrustedRoot` of https://github.com/sigstore/protobuf-specs (`sigstore_trustroot.proto`), as
`cosign trusted-root create` writes it. Every part is trusted for its own time only, both ends
included.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from pydantic import ValidationError
from sigstore_models.common.v1 import PublicKey, TimeRange
from sigstore_models.trustroot import v1 as wire

from immutablerelease.api.base import first_problem

from .errors import UnusableTrustRoot
from .strict_json import parse_object

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Period:
    """A time with a start and perhaps an end, both included."""

    start: datetime
    end: datetime | None

    def includes(self, time: datetime) -> bool:
        """Whether the time is in it."""
        return self.start <= time and (self.end is None or time <= self.end)


@dataclass(frozen=True)
class CertificateAuthority:
    """Certificates from the one that issues, or stamps, up to the root."""

    certificates: tuple[x509.Certificate, ...]
    period: Period

    def held_at(self, time: datetime) -> bool:
        """Whether the authority is trusted for that time."""
        return self.period.includes(time)


@dataclass(frozen=True)
class Log:
    """A log, its key, and the id that entries name it by."""

    id: bytes
    url: str
    key: PublicKey
    period: Period


@dataclass(frozen=True)
class TrustRoot:
    """What keyless signatures, and logged ones, are checked against."""

    authorities: tuple[CertificateAuthority, ...]
    transparency_logs: tuple[Log, ...]
    certificate_logs: tuple[Log, ...]
    timestamp_authorities: tuple[CertificateAuthority, ...]
    # SHA-256 of the text it was read from.
    fingerprint: str


def parse_trust_root(data: bytes) -> TrustRoot:
    """The trust root in the JSON text; raises UnusableTrustRoot."""
    if len(data) > MAX_BYTES:
        raise UnusableTrustRoot(f"the trust root has {len(data)} bytes, at most {MAX_BYTES} count")
    try:
        document = wire.TrustedRoot.from_json(_named(data))
        return TrustRoot(
            authorities=tuple(_authority(item) for item in document.certificate_authorities),
            transparency_logs=_logs(document.tlogs),
            certificate_logs=_logs(document.ctlogs),
            timestamp_authorities=tuple(
                _authority(item) for item in document.timestamp_authorities
            ),
            fingerprint=hashlib.sha256(data).hexdigest(),
        )
    except ValidationError as error:
        told = first_problem(error)
        raise UnusableTrustRoot(f"the trust root cannot be read: {told}") from error
    except (ValueError, RecursionError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnusableTrustRoot(f"the trust root cannot be read: {told}") from error


def _named(data: bytes) -> bytes:
    """With the names of authorities that are empty, which protobuf leaves out.

    sigstore-models insists on them (https://protobuf.dev/programming-guides/json/ does not), though
    nothing hangs on a name: what is trusted is the certificates.
    """
    document = parse_object(data)
    for kind in ("certificateAuthorities", "timestampAuthorities"):
        items = document.get(kind)
        for item in items if isinstance(items, list) else ():
            subject = item.setdefault("subject", {}) if isinstance(item, dict) else None
            if isinstance(subject, dict):
                subject.setdefault("organization", "")
                subject.setdefault("commonName", "")
    return json.dumps(document).encode()


def _authority(item: wire.CertificateAuthority) -> CertificateAuthority:
    certificates = tuple(
        x509.load_der_x509_certificate(certificate.raw_bytes)
        for certificate in item.cert_chain.certificates
    )
    if not certificates:
        raise ValueError("an authority without a certificate")
    return CertificateAuthority(certificates, _period(item.valid_for))


def _logs(items: Sequence[wire.TransparencyLogInstance]) -> tuple[Log, ...]:
    return tuple(
        Log(item.log_id.key_id, item.base_url, item.public_key, _period(item.public_key.valid_for))
        for item in items
    )


def _period(item: TimeRange | None) -> Period:
    if item is None:
        return Period(datetime.min.replace(tzinfo=UTC), None)
    return Period(_aware(item.start), None if item.end is None else _aware(item.end))


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
