"""Layers of what a Dockerfile copies: files, folders and links, as a full build writes them.

These functions block: call them in a thread.
"""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from devloop.adapters.layer import Layer, NoLayerError, read_plain
from devloop.core.assemble_copy import Placed
from devloop.core.picture import EntryType

_LEVEL = 6
_ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
"""How gzip, bzip2, xz and zstd begin; BuildKit looks at the content, too, and not at the name."""
_TYPES = {EntryType.FILE: tarfile.REGTYPE, EntryType.FOLDER: tarfile.DIRTYPE, EntryType.LINK: tarfile.SYMTYPE}


def layer_of(placed: Iterable[Placed], context: Path, *, unpacks: bool = False) -> Layer:
    """One layer, the files of it read from the context; raises `NoLayerError`, also for an archive where the
    instruction `unpacks` it.

    Folders have no time: that of a folder changes whenever an editor saves beside, and the same source would give
    another digest.
    """
    archive, newest = io.BytesIO(), 0
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each in placed:
            info = _info(each)
            data = read_plain(context / each.source, each.source, info) if each.type is EntryType.FILE else b""
            if unpacks and each.named and _is_archive(data):
                raise NoLayerError(f"the sandbox has no engine and cannot unpack {each.source}; COPY takes it as it is")
            tar.addfile(info, io.BytesIO(data))
            newest = max(newest, int(info.mtime) if each.type is EntryType.FILE else 0)
    return Layer.of(archive.getvalue(), _LEVEL, newest)


def _info(placed: Placed) -> tarfile.TarInfo:
    is_folder = placed.type is EntryType.FOLDER
    info = tarfile.TarInfo(placed.path.lstrip("/") + ("/" if is_folder else ""))
    info.type, info.linkname = _TYPES[placed.type], placed.target
    info.mode, info.uid, info.gid = placed.mode, placed.uid, placed.gid
    return info


def _is_archive(data: bytes) -> bool:
    return data.startswith(_ARCHIVES) or data[257:262] == b"ustar"
