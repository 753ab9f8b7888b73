"""Layers as tar archives: the one of a delta is written, those of a base are read for the folders that they hold.

These functions block: call them in a thread.
"""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from devloop.core.delta import Folder, Put
from devloop.core.image import sha256_of

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
_LEVEL = 1
"""Of compression: the layer goes over a fast network once, and a save waits for it."""


class NoLayerError(Exception):
    """A file cannot be put into a layer as a full build would; the message is a clause for people."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, ready to be uploaded. The same content gives the same digests."""

    blob: bytes
    digest: str
    """Of the compressed blob, as a manifest names it."""
    diff_id: str
    """Of the archive in it, as an image's config names it."""
    newest: int
    """When the newest of its files was saved, in whole Unix seconds."""

    @classmethod
    def of(cls, archive: bytes, level: int, newest: int) -> "Layer":
        """Of a tar archive, compressed at that level of gzip."""
        blob = gzip.compress(archive, level, mtime=0)
        return cls(blob, sha256_of(blob), sha256_of(archive), newest)


def pack(puts: Iterable[Put], context: Path) -> Layer:
    """The layer of a delta, its files read from the context; raises `NoLayerError`."""
    archive, newest = io.BytesIO(), 0
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for put in puts:
            info = _info(put)
            data = read_plain(context / put.source, put.source, info, _refuse_special) if put.source else b""
            tar.addfile(info, io.BytesIO(data))
            newest = max(newest, int(info.mtime) if put.source else 0)
    return Layer.of(archive.getvalue(), _LEVEL, newest)


def looked_into(file: BinaryIO) -> dict[str, Folder | None]:
    """The folders (and, as None, the links) of a layer, by their absolute paths; raises `NoLayerError`."""
    found: dict[str, Folder | None] = {}
    try:
        with tarfile.open(fileobj=file, mode="r|*") as tar:
            for info in tar:  # which keeps all of them, and a layer may have a million
                path = "/" + info.name.removeprefix("./").strip("/")
                if info.issym():
                    found[path] = None
                elif info.isdir():
                    found[path] = Folder(stat.S_IMODE(info.mode), info.uid, info.gid, int(info.mtime))
                tar.members.clear()  # type: ignore[attr-defined]
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise NoLayerError(f"a layer of the last full build cannot be read ({error})") from error
    return found


def _info(put: Put) -> tarfile.TarInfo:
    info = tarfile.TarInfo(put.path.lstrip("/") + ("" if put.source else "/"))
    info.type = tarfile.REGTYPE if put.source else tarfile.DIRTYPE
    info.mode, info.uid, info.gid, info.mtime = put.mode, put.uid, put.gid, put.mtime
    return info


def read_plain(
    path: Path,
    name: str,
    info: tarfile.TarInfo,
    refuse: Callable[[str, int, os.stat_result], None] = lambda *_: None,
) -> bytes:
    """The content of a plain file; its size and its time, in whole seconds as BuildKit keeps them, go into `info`.

    Raises `NoLayerError`, as `refuse` may: it is given the name, the open file and what it is.
    """
    try:
        handle = os.open(path, _FLAGS)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise NoLayerError(f"{name} is no plain file any more")
            refuse(name, handle, status)
            data = file.read()
    except OSError as error:
        raise NoLayerError(f"{name} cannot be read: {error.strerror}") from error
    info.size, info.mtime = len(data), int(status.st_mtime)
    return data


def _refuse_special(name: str, handle: int, status: os.stat_result) -> None:
    """What a full build keeps of a file, and a layer would not."""
    if status.st_nlink > 1:
        raise NoLayerError(f"{name} is a hard link")
    if _has_attributes(handle):
        raise NoLayerError(f"{name} has extended attributes")


def _has_attributes(handle: int) -> bool:
    """Besides those that security modules give every file, and that are never part of an image."""
    if not hasattr(os, "listxattr"):
        return False
    try:
        names = os.listxattr(handle)
    except OSError:
        return False
    return any(not name.startswith("security.") or name == "security.capability" for name in names)
