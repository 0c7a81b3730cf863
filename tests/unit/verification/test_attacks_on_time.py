"""Signatures whose time nobody trusted tells, or that were made out of time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.verification import keyless
from tests.unit.verification.keyless import (
    Attack,
    Case,
    Keyless,
    attach,
    without,
)
from tests.unit.verification.scene import Scene
from tests.unit.verification.simulated_sigstore import (
    CA,
    MINUTE,
    T0,
    Clock,
    b64,
    certificate_der,
    foreign,
    iso,
    trusted,
)

LATE = T0 + 60 * MINUTE


def _v1(**changes: Any) -> Attack:
    return lambda scene: attach(scene, Keyless(log=trusted().log1, **changes))


def _stamped(**changes: Any) -> Attack:
    return lambda scene: attach(scene, Keyless(**changes))


def _clocks(*clocks: dict[str, Any], made: Callable[[], Keyless] = Keyless) -> Attack:
    return lambda scene: attach(scene, made(), root=trusted().root(timestampAuthorities=clocks))


def _with_clock(clock: Clock) -> Attack:
    """A clock that the trust root names, but should not."""
    return _clocks(clock.wire(), made=lambda: Keyless(clock=clock))


def _of_the_trusted(clock: Clock) -> Clock:
    """A clock with the certificates of the trusted one and a key of its own."""
    clock.certificates[:] = trusted().clock.certificates
    return clock


def _times(*times: datetime) -> Attack:
    return _stamped(log=trusted().log1, stamped_at=list(times))


ON_TIME: dict[str, Case] = {
    "no timestamp for an entry that tells no time": (
        _stamped(stamped_at=[]),
        "NoTrustedTime",
        "neither a timestamp authority nor a log",
    ),
    "a log's time without its promise": (
        _v1(entry=without("inclusionPromise")),
        "NoTrustedTime",
        "neither a timestamp authority nor a log",
    ),
    "a promise after the certificate expired": (
        _v1(logged_at=LATE),
        "UntrustedCertificate",
        "as of 2026-03-01T13:00:00Z",
    ),
    "a promise before the certificate was issued": (
        _v1(logged_at=T0 - MINUTE),
        "UntrustedCertificate",
        "as of 2026-03-01T11:59:00Z",
    ),
    "a promise from the future": (
        _v1(logged_at=T0.replace(year=2036)),
        "UntrustedCertificate",
        "as of 2036",
    ),
    "a timestamp after the certificate expired": (
        _stamped(stamped_at=[LATE]),
        "UntrustedCertificate",
        "as of 2026-03-01T13:00:00Z",
    ),
    "a timestamp out of time beside a promise in time": (
        _times(LATE),
        "UntrustedCertificate",
        "as of 2026-03-01T13:00:00Z",
    ),
    "a promise out of time beside a timestamp in time": (
        _v1(logged_at=LATE, stamped_at=[T0 + MINUTE]),
        "UntrustedCertificate",
        "as of 2026-03-01T13:00:00Z",
    ),
    "two timestamps, one of them out of time": (
        _stamped(stamped_at=[T0 + MINUTE, LATE]),
        "UntrustedCertificate",
        "as of 2026-03-01T13:00:00Z",
    ),
    "a timestamp of something else": (
        _stamped(stamped=lambda signature: b"x"),
        "NoTrustedTime",
        "Mismatch between messages",
    ),
    "a timestamp of a clock that nobody trusts": (
        _stamped(clock=foreign().clock),
        "NoTrustedTime",
        "timestamp:",
    ),
    "a timestamp with the certificate of the trusted clock, by another key": (
        lambda s: attach(s, Keyless(clock=_of_the_trusted(Clock()))),
        "NoTrustedTime",
        "signature",
    ),
    "a timestamp that was refused": (
        _stamped(
            stamp=lambda made: made.replace(b"\x30\x03\x02\x01\x00", b"\x30\x03\x02\x01\x02", 1)
        ),
        "NoTrustedTime",
        "not GRANTED",
    ),
    "a timestamp that is none": (
        _stamped(stamp=lambda made: b"x"),
        "MalformedSignature",
        "not an RFC 3161 response",
    ),
    "the same timestamp twice": (
        lambda s: attach(s, Keyless(), timestampVerificationData=_repeated(s, 2)),
        "MalformedSignature",
        "comes twice",
    ),
    "thirty-three timestamps": (
        _stamped(stamped_at=[T0 + MINUTE] * 33),
        "MalformedSignature",
        "at most 32",
    ),
    "a clock that was retired before": (
        _clocks(trusted().clock.wire(validFor={"start": "2026-01-01T00:00:00Z", "end": iso(T0)})),
        "NoTrustedTime",
        "not trusted for 2026-03-01T12:01:00Z",
    ),
    "a trust root without a clock": (_clocks(), "NoTrustedTime", "names no timestamp authority"),
    "a clock whose certificate is for signing code": (
        _with_clock(
            Clock(CA(ExtendedKeyUsageOID.CODE_SIGNING), purpose=ExtendedKeyUsageOID.CODE_SIGNING)
        ),
        "NoTrustedTime",
        "unsuitable certificate purpose",
    ),
    "a clock whose certificate had expired": (
        _with_clock(Clock(CA(ExtendedKeyUsageOID.TIME_STAMPING, end=T0))),
        "NoTrustedTime",
        "expired",
    ),
    "a clock without a root": (
        _clocks(
            trusted().clock.wire()
            | {
                "certChain": {
                    "certificates": [
                        {"rawBytes": b64(certificate_der(trusted().clock.certificates[0]))}
                    ]
                }
            }
        ),
        "NoTrustedTime",
        "no root apart from",
    ),
}


def _repeated(scene: Scene, count: int) -> dict[str, Any]:
    stamp = trusted().clock.stamp(b"x", T0 + MINUTE)
    return {"rfc3161Timestamps": [{"signedTimestamp": b64(stamp)}] * count}


@pytest.mark.parametrize(("attack", "reason", "told"), ON_TIME.values(), ids=ON_TIME)
async def test_a_time_is_refused_for(scene: Scene, attack: Attack, reason: str, told: str) -> None:
    root = attack(scene)
    verdict = await scene.verify(keyless.policy(scene.registry), trust=keyless.trust(root))
    assert (verdict.verdict, verdict.reason) == ("Refused", reason), verdict.message
    assert told in verdict.message
