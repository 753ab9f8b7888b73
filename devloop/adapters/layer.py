"""Layers as tar archives: the one of a delta is written, those of a base are read for the folders that they hold.

These functions block: call them in a thread.
"""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterable
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
    """When the newest of its files was saved, in Unix seconds, rounded up."""


def pack(puts: Iterable[Put], context: Path) -> Layer:
    """The layer of a delta, its files read from the context; raises `NoLayerError`."""
    archive, newest = io.BytesIO(), 0
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for put in puts:
            info = _info(put)
            data = _read(context / put.source, put.source, info) if put.source else b""
            tar.addfile(info, io.BytesIO(data))
            newest = max(newest, int(info.mtime) + 1 if put.source else 0)
    blob = gzip.compress(archive.getvalue(), _LEVEL, mtime=0)
    return Layer(blob, sha256_of(blob), sha256_of(archive.getvalue()), newest)


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


def _read(path: Path, name: str, info: tarfile.TarInfo) -> bytes:
    """Its content; its size and its time, in whole seconds as BuildKit keeps them, go into `info`."""
    try:
        handle = os.open(path, _FLAGS)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise NoLayerError(f"{name} is no plain file any more")
            if status.st_nlink > 1:
                raise NoLayerError(f"{name} is a hard link")
            if _has_attributes(handle):
                raise NoLayerError(f"{name} has extended attributes")
            data = file.read()
    except OSError as error:
        raise NoLayerError(f"{name} cannot be read: {error.strerror}") from error
    info.size, info.mtime = len(data), int(status.st_mtime)
    return data


def _has_attributes(handle: int) -> bool:
    """Besides those that security modules give every file, and that are never part of an image."""
    if not hasattr(os, "listxattr"):
        return False
    try:
        names = os.listxattr(handle)
    except OSError:
        return False
    return any(not name.startswith("security.") or name == "security.capability" for name in names)
