"""A certificate log (RFC 6962) that promises to publish whatever it is given, and keeps nothing."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from tests.sigstore.precertificate import without_poison
from tests.sigstore.web import serving
from tests.unit.verification.simulated_sigstore import CertificateLog, b64

# Version, id of the log, time and no extensions, before the signature.
_TIME = slice(33, 41)
_SIGNATURE_AT = 43


@contextmanager
def promising(port: int, log: CertificateLog) -> Iterator[str]:
    """The log's URL, which answers until the block ends."""

    def add(body: bytes) -> dict[str, Any]:
        chain = [base64.b64decode(item) for item in json.loads(body)["chain"]]
        issuer = x509.load_der_x509_certificate(chain[1]).public_key()
        promise = log.promise(without_poison(chain[0]), issuer, datetime.now(UTC))
        return {
            "sct_version": 0,
            "id": b64(log.id),
            "timestamp": int.from_bytes(promise[_TIME]),
            "extensions": "",
            "signature": b64(promise[_SIGNATURE_AT:]),
        }

    with serving(port, {"/ct/v1/add-pre-chain": add}):
        yield f"http://127.0.0.1:{port}"
