"""Layers unpacked one over the other, with whiteouts, and without trust in what they say.

No path leaves the root, whatever its name, the links on its way or its own target; there are no devices, no setuid bits
and no owners. https://github.com/opencontainers/image-spec/blob/main/layer.md

These functions block: call them in a thread.
"""

import gzip
import os
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from devloop.sandbox.runtime.rooted import kept_inside, rooted

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class BadLayerError(Exception):
    """A layer that cannot be unpacked; the message says why."""


def unpack(layer: Path, root: Path) -> None:
    """One layer over what is in the root; raises `BadLayerError`."""
    try:
        with _opened(layer) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            unpacking = _Unpacking(root)
            for member in tar:
                unpacking.take(tar, member)
                tar.members.clear()  # type: ignore[attr-defined] # which it keeps all of
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise BadLayerError(str(error)) from error


@contextmanager
def _opened(layer: Path) -> Iterator[BinaryIO]:
    """Without its compression."""
    with layer.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start.startswith(_GZIP):
            with gzip.open(file) as stream:
                yield cast(BinaryIO, stream)
        elif start == _ZSTD:
            with _zstd(file) as stream:
                yield stream
        else:
            yield file


def _zstd(file: BinaryIO) -> BinaryIO:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore] # Python 3.14
    except ImportError:
        raise BadLayerError("it is compressed with zstd, which Python reads from 3.14 on") from None
    return cast(BinaryIO, zstd.open(file))


class _Unpacking:
    """One layer on its way; it remembers what it brought, as its whiteouts are about earlier layers alone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._brought: set[Path] = set()

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = posixpath.normpath("/" + member.name)
        name = posixpath.basename(path)
        if path == "/" or member.name.split("/").count(".."):
            return
        above = rooted(self._root, posixpath.dirname(path))
        if name == _OPAQUE:
            self._empty(above)
        elif name.startswith(_WHITEOUT):
            if (gone := name.removeprefix(_WHITEOUT)) not in {"", ".", ".."}:
                self._remove(above / gone)
        else:
            self._put(tar, member, above / name)

    def _put(self, tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
        if member.isdir():
            self._folder(member, place)
        elif member.isfile() or member.issym() or member.islnk():
            self._make_way(place)
            if member.isfile():
                _write(tar, member, place)
            elif member.issym():
                # By where it comes to lie: the folders of its name may be links to others.
                place.symlink_to(kept_inside(str(place.relative_to(self._root)), member.linkname))
            else:
                self._hard_link(member, place)
        else:  # a device, a FIFO: nobody needs it here
            return
        self._bring(place)

    def _folder(self, member: tarfile.TarInfo, place: Path) -> None:
        if place.is_symlink() or not place.is_dir():
            self._make_way(place)
            place.mkdir()
        # Whoever unpacks has to be able to write into it, and is not root.
        place.chmod(member.mode & 0o777 | 0o700)

    def _make_way(self, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        _delete(place)

    def _hard_link(self, member: tarfile.TarInfo, place: Path) -> None:
        target = rooted(self._root, member.linkname, follow=False)
        if target.is_symlink() or not target.is_file():
            raise BadLayerError(f"{member.name} is a link to {member.linkname}, which is no file")
        os.link(target, place)

    def _bring(self, place: Path) -> None:
        while place != self._root and place not in self._brought:
            self._brought.add(place)
            place = place.parent

    def _empty(self, folder: Path) -> None:
        if folder.is_dir() and not folder.is_symlink():
            for each in folder.iterdir():
                self._remove(each)

    def _remove(self, place: Path) -> None:
        """What earlier layers put there."""
        if place not in self._brought:
            _delete(place)
        else:
            self._empty(place)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None
    with source, place.open("xb") as file:
        shutil.copyfileobj(source, file)
    place.chmod(member.mode & 0o777 | 0o400)
    os.utime(place, (member.mtime, member.mtime))


def _delete(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
