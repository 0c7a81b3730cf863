"""What a certificate log signs of a precertificate (RFC 6962, section 3.2): it without its poison.

A few lines of DER, as `cryptography` gives the precertificate of a certificate that holds promises
already, and not of one that is yet to get them.
"""

from collections.abc import Iterator

from cryptography import x509

from tests.unit.verification.der import sequence, tlv

_EXTENSIONS = 0xA3
# The object identifier 1.3.6.1.4.1.11129.2.4.3, as an element.
_POISON = bytes.fromhex("060a2b06010401d679020403")


def without_poison(precertificate: bytes) -> bytes:
    """The part of the certificate that is signed, without the extension that spoils it."""
    signed = x509.load_der_x509_certificate(precertificate).tbs_certificate_bytes
    return sequence(*(_cleaned(item) for item in _inside(signed)))


def _cleaned(item: bytes) -> bytes:
    if item[0] != _EXTENSIONS:
        return item
    (listed,) = _inside(item)
    kept = [extension for extension in _inside(listed) if _POISON not in extension]
    return tlv(_EXTENSIONS, sequence(*kept))


def _inside(element: bytes) -> Iterator[bytes]:
    """The elements within an element."""
    start, end = _content(element, 0)
    while start < end:
        _, after = _content(element, start)
        yield element[start:after]
        start = after


def _content(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element begins and ends."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size]), start + size
    return start, start + length
