"""Pictures as bytes for the state folder.

gzip (with its checksum) around `_MAGIC` and, for each folder: the sizes of three parts, its name and the names in it
(NUL-separated), the length of each packed entry, and the packed entries. Written and read folder by folder, so that
neither needs a second copy of a large picture. Another version, and anything that was cut or altered, reads as None.
"""

import gzip
import io
import os
import struct
import zlib
from array import array
from collections.abc import Iterator, Mapping

from devloop.core.picture import PackedEntries, Picture

_MAGIC = b"devloop picture 1\n"
_SIZES = struct.Struct("<III")


def encode(picture: Picture) -> bytes:
    """The picture as `decode` reads it; only for pictures taken from disk."""
    if not isinstance(picture.entries, PackedEntries):
        raise TypeError("only a picture taken from disk can be stored")
    data = io.BytesIO()
    with gzip.GzipFile(fileobj=data, mode="wb", compresslevel=1, mtime=0) as file:
        file.write(_MAGIC)
        for folder, entries in picture.entries.folders.items():
            file.write(_record(folder, entries))
    return data.getvalue()


def _record(folder: str, entries: Mapping[str, bytes]) -> bytes:
    names = os.fsencode("\0".join((folder, *entries)))
    lengths = array("H", map(len, entries.values())).tobytes()
    packed = b"".join(entries.values())
    return _SIZES.pack(len(names), len(lengths), len(packed)) + names + lengths + packed


def decode(data: bytes | None) -> Picture | None:
    """The picture; None when there is none, or it is of another version or broken."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data or b"")) as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
            return Picture(PackedEntries(dict(_folders(file))))
    except (OSError, EOFError, zlib.error, struct.error, ValueError):
        return None


def _folders(file: gzip.GzipFile) -> Iterator[tuple[str, dict[str, bytes]]]:
    while head := file.read(_SIZES.size):
        names, lengths, packed = map(file.read, _SIZES.unpack(head))
        folder, *inside = os.fsdecode(names).split("\0")
        yield folder, dict(zip(inside, _split(packed, array("H", lengths)), strict=True))


def _split(packed: bytes, lengths: "array[int]") -> Iterator[bytes]:
    at = 0
    for length in lengths:
        yield packed[at : at + length]
        at += length
