"""Base64 in its one canonical form, for what is signed or hashed."""

import base64
import binascii
from typing import Any

from .errors import MalformedSignature


def decode_base64(value: Any, what: str) -> bytes:
    """Bytes from standard base64 (RFC 4648, section 4); raises MalformedSignature."""
    if not isinstance(value, str) or not value:
        raise MalformedSignature(f"{what}: absent or empty")
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedSignature(f"{what}: not base64") from error
    if base64.b64encode(decoded).decode() != value:
        raise MalformedSignature(f"{what}: not canonical base64")
    return decoded
