"""A certificate for 127.0.0.1 that nobody else has: made anew for each sandbox, because kubectl sends a token over TLS
only. Elliptic curve P-256 (SEC 1, FIPS 186-5) in a few lines, since Python's standard library makes no keys.

It protects a port of this machine for the minutes that a sandbox lives; it is not made to withstand timing attacks.
"""

import base64
import hashlib
import secrets
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_EC_PUBLIC_KEY, _PRIME256V1, _ECDSA_SHA256 = "2a8648ce3d0201", "2a8648ce3d030107", "2a8648ce3d040302"
_COMMON_NAME, _BASIC_CONSTRAINTS, _ALT_NAME = "550403", "551d13", "551d11"
Point = tuple[int, int] | None


def make_certificate(name: str) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and localhost, and its key, as PEM."""
    private = secrets.randbelow(_N - 1) + 1
    public = _times(private, _G)
    assert public is not None
    point = b"\x04" + public[0].to_bytes(32) + public[1].to_bytes(32)
    body = _to_be_signed(name, point)
    signed = _sequence(body, _sequence(_oid(_ECDSA_SHA256)), _bits(_signature(private, body)))
    key = _sequence(
        _integer(1), _tag(0x04, private.to_bytes(32)), _tag(0xA0, _oid(_PRIME256V1)), _tag(0xA1, _bits(point))
    )
    return _pem("CERTIFICATE", signed), _pem("EC PRIVATE KEY", key)


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """What a server needs to show that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="devloop-sandbox-") as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_text(certificate + key)
        context.load_cert_chain(path)
    return context


def _to_be_signed(name: str, point: bytes) -> bytes:
    who = _sequence(_tag(0x31, _sequence(_oid(_COMMON_NAME), _tag(0x0C, name.encode()))))
    now = datetime.now(UTC)
    valid = _sequence(_time(now - timedelta(days=1)), _time(now + timedelta(days=30)))
    key = _sequence(_sequence(_oid(_EC_PUBLIC_KEY), _oid(_PRIME256V1)), _bits(point))
    names = _sequence(_tag(0x82, b"localhost"), _tag(0x87, bytes([127, 0, 0, 1])))
    constraints = _sequence(_oid(_BASIC_CONSTRAINTS), _tag(0x01, b"\xff"), _tag(0x04, _sequence(_tag(0x01, b"\xff"))))
    extensions = _tag(0xA3, _sequence(constraints, _sequence(_oid(_ALT_NAME), _tag(0x04, names))))
    serial = _integer(secrets.randbits(120) | 1 << 120)
    algorithm = _sequence(_oid(_ECDSA_SHA256))
    return _sequence(_tag(0xA0, _integer(2)), serial, algorithm, who, valid, who, key, extensions)


def _signature(private: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest())
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        point = _times(nonce, _G)
        assert point is not None
        r = point[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * private) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


def _times(factor: int, point: Point) -> Point:
    result: Point = None
    while factor:
        if factor & 1:
            result = _plus(result, point)
        point = _plus(point, point)
        factor >>= 1
    return result


def _plus(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    (x1, y1), (x2, y2) = a, b
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) if a == b else (y2 - y1) * pow(x2 - x1, -1, _P)
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _tag(tag: int, content: bytes) -> bytes:
    """DER: what it is, how long, and the content."""
    size = len(content)
    length = bytes([size]) if size < 128 else _long(size)
    return bytes([tag]) + length + content


def _long(size: int) -> bytes:
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([0x80 | len(digits)]) + digits


def _sequence(*parts: bytes) -> bytes:
    return _tag(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tag(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _bits(content: bytes) -> bytes:
    return _tag(0x03, b"\x00" + content)


def _oid(encoded: str) -> bytes:
    return _tag(0x06, bytes.fromhex(encoded))


def _time(moment: datetime) -> bytes:
    return _tag(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
