"""A signature with everything it came with, whichever layout it was found in. Nothing is trusted.

The layouts (`bundle`, `simplesigning`) produce it, `proof` judges it. What was signed comes out
only together with who signed it.
"""

import hashlib
from dataclasses import dataclass

from .certificates import SigningCertificate
from .log_entry import LogEntry


@dataclass(frozen=True)
class Message:
    """What a signature is over: bytes, or no more than their SHA-256."""

    sha256: bytes
    data: bytes | None = None

    @classmethod
    def of(cls, data: bytes) -> "Message":
        """The message that is these bytes."""
        return cls(hashlib.sha256(data).digest(), data)

    def digest(self, algorithm: str) -> bytes | None:
        """The hash by `sha256`, `sha384` or `sha512`; None if it cannot be known."""
        if algorithm == "sha256":
            return self.sha256
        if self.data is None or algorithm not in {"sha384", "sha512"}:
            return None
        return hashlib.new(algorithm, self.data).digest()


@dataclass(frozen=True)
class Envelope:
    """What a DSSE envelope holds besides its signature."""

    payload_type: str
    payload: bytes
    # The envelope's own text, where the layout preserves it.
    text: bytes | None = None


@dataclass(frozen=True)
class Signature:
    """One signature and what is to prove by whom and when it was made."""

    value: bytes
    message: Message
    envelope: Envelope | None = None
    certificate: SigningCertificate | None = None
    entries: tuple[LogEntry, ...] = ()
    # RFC 3161 responses, DER.
    timestamps: tuple[bytes, ...] = ()

    @property
    def payload(self) -> bytes:
        """What the signer said: the content of the envelope, or the message itself."""
        if self.envelope is not None:
            return self.envelope.payload
        return self.message.data or b""
