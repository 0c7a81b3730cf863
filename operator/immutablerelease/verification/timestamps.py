"""Signed timestamps (RFC 3161): that a trusted clock saw the signature, and when.

What is stamped is the signature itself. The certificates of the timestamp authority come from the
trust root; those inside a timestamp are compared with them.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from rfc3161_client import TimeStampResponse, VerifierBuilder, decode_timestamp_response

from .errors import MalformedSignature, NoTrustedTime
from .trust_root import CertificateAuthority

MAX_TIMESTAMPS = 32
_DETAIL = re.compile(r'(?:reason|data): "(?:Verify error: )?([^"]+)"')


def trusted_times(
    timestamps: Sequence[bytes], signature: bytes, authorities: Sequence[CertificateAuthority]
) -> tuple[datetime, ...]:
    """The times of those timestamps that hold.

    Raises:
        MalformedSignature: there are too many, two that are the same, or one that is none.
        NoTrustedTime: there are some, and none holds.
    """
    if len(timestamps) > MAX_TIMESTAMPS:
        raise MalformedSignature(f"{len(timestamps)} timestamps, at most {MAX_TIMESTAMPS} count")
    if len(set(timestamps)) != len(timestamps):
        raise MalformedSignature("the same timestamp comes twice")
    responses = [_decode(item) for item in timestamps]
    outcomes = [_time(response, signature, authorities) for response in responses]
    times = tuple(item for item in outcomes if isinstance(item, datetime))
    if outcomes and not times:
        raise NoTrustedTime(f"timestamp: {'; '.join(dict.fromkeys(map(str, outcomes)))}")
    return times


def _decode(data: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(data)
    except Exception as error:  # any failure to parse foreign bytes means the same
        raise MalformedSignature("timestamp: not an RFC 3161 response") from error


def _time(
    response: TimeStampResponse, signature: bytes, authorities: Sequence[CertificateAuthority]
) -> datetime | str:
    """The time, or why it does not count."""
    failures: list[str] = []
    for authority in authorities:
        try:
            _verify(response, signature, authority)
            time = response.tst_info.gen_time
        except Exception as error:  # noqa: BLE001 - whatever it raises, it does not hold
            failures.append(_told(error))
            continue
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        if authority.held_at(aware):
            return aware
        failures.append(f"its authority is not trusted for {aware:%Y-%m-%dT%H:%M:%SZ}")
    return "; ".join(dict.fromkeys(failures)) or "the trust root names no timestamp authority"


def _verify(response: TimeStampResponse, signature: bytes, authority: CertificateAuthority) -> None:
    leaf, *others = authority.certificates
    if not others:
        raise ValueError("its authority has no root apart from the certificate that stamps")
    *intermediates, root = others
    builder = VerifierBuilder(tsa_certificate=leaf, intermediates=intermediates, roots=[root])
    builder.build().verify_message(response, signature)


def _told(error: Exception) -> str:
    """What went wrong, without the places in OpenSSL's source that it went wrong in."""
    details = _DETAIL.findall(str(error))
    return str(details[-1]) if details else str(error) or type(error).__name__
