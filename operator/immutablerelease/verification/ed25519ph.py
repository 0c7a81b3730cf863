"""Ed25519ph, the prehashed variant of RFC 8032, which cosign v3 signs with for every Ed25519 key.

The `cryptography` package has pure Ed25519 only, so verification is written out here. It handles
public values alone: nothing about its timing is secret. Like most implementations it checks the
equation without the cofactor, [S]B = R + [k]A, by comparing encodings (section 5.1.7).
"""

import hashlib

# Section 5.1: the field, the order of the base point, and the constant of the curve.
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
# Section 2: dom2(1, "") stands before what is hashed; it keeps the variants apart.
_DOM2 = b"SigEd25519 no Ed25519 collisions\x01\x00"

# Section 5.1.4: extended homogeneous coordinates.
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def verify_prehashed(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the signature is an Ed25519ph one over the data, with an empty context."""
    return verify(public, signature, hashlib.sha512(data).digest(), domain=_DOM2)


def verify(public: bytes, signature: bytes, message: bytes, *, domain: bytes) -> bool:
    """The check that all variants share; pure Ed25519 has an empty domain."""
    key = _decode(public)
    if key is None or len(signature) != 64:
        return False
    encoded_r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= _ORDER:
        return False
    digest = hashlib.sha512(domain + encoded_r + public + message).digest()
    k = int.from_bytes(digest, "little") % _ORDER
    x, y, z, t = key
    return _encode(_combine(s, _BASE, k, (-x % _P, y, z, -t % _P))) == encoded_r


def _decode(encoded: bytes) -> _Point | None:
    """Section 5.1.3; None for what is no point in its one encoding."""
    if len(encoded) != 32:
        return None
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * _SQRT_MINUS_ONE % _P
    if (v * x * x - u) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    """Section 5.1.2."""
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _add(left: _Point, right: _Point) -> _Point:
    """Section 5.1.4; complete on this curve, so it doubles as well."""
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _combine(first: int, left: _Point, second: int, right: _Point) -> _Point:
    """`first` times `left` plus `second` times `right`, bit by bit for both at once."""
    both = _add(left, right)
    result = _NEUTRAL
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        result = _add(result, result)
        match first >> bit & 1, second >> bit & 1:
            case 1, 1:
                result = _add(result, both)
            case 1, 0:
                result = _add(result, left)
            case 0, 1:
                result = _add(result, right)
    return result


def _base() -> _Point:
    point = _decode((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    if point is None:
        raise ArithmeticError("the base point is not on the curve")
    return point


_BASE = _base()
