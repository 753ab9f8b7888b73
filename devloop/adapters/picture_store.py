"""Pictures as bytes for the state folder.

`MAGIC`, a BLAKE2b checksum, and zlib around: the names (NUL-separated, a `/` before each folder), the length of each
packed entry, and the packed entries. Another version, and anything that was cut or altered, reads as None.
"""

import hashlib
import os
import struct
import zlib
from array import array
from collections.abc import Iterator

from devloop.core.picture import PackedEntries, Picture

_MAGIC = b"devloop picture 1\n"
_SUM_BYTES = 16
_SIZES = struct.Struct("<II")


def encode(picture: Picture) -> bytes:
    """The picture as `decode` reads it; only for pictures taken from disk."""
    if not isinstance(picture.entries, PackedEntries):
        raise TypeError("only a picture taken from disk can be stored")
    words: list[str] = []
    packed: list[bytes] = []
    for folder, entries in picture.entries.folders.items():
        words += ("/", folder, *entries)
        packed += entries.values()
    names = os.fsencode("\0".join(words))
    lengths = array("H", map(len, packed)).tobytes()
    body = b"".join((_SIZES.pack(len(names), len(lengths)), names, lengths, *packed))
    compressed = zlib.compress(body, 1)
    return _MAGIC + _checksum(compressed) + compressed


def decode(data: bytes | None) -> Picture | None:
    """The picture; None when there is none, or it is of another version or broken."""
    start = len(_MAGIC) + _SUM_BYTES
    if not data or not data.startswith(_MAGIC) or _checksum(data[start:]) != data[len(_MAGIC) : start]:
        return None
    body = zlib.decompress(data[start:])
    names_size, lengths_size = _SIZES.unpack_from(body)
    packed_at = _SIZES.size + names_size + lengths_size
    lengths = array("H", body[_SIZES.size + names_size : packed_at])
    words = iter(os.fsdecode(body[_SIZES.size : _SIZES.size + names_size]).split("\0"))
    return Picture(PackedEntries(_folders(words, _split(body, packed_at, lengths))))


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_SUM_BYTES).digest()


def _split(body: bytes, at: int, lengths: "array[int]") -> Iterator[bytes]:
    for length in lengths:
        yield body[at : at + length]
        at += length


def _folders(words: Iterator[str], packed: Iterator[bytes]) -> dict[str, dict[str, bytes]]:
    folders: dict[str, dict[str, bytes]] = {}
    for word in words:
        if word == "/":
            entries = folders.setdefault(next(words), {})
        elif word:
            entries[word] = next(packed)
    return folders
