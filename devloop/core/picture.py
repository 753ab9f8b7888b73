"""A picture of a build context: what each path is, so that content decides what counts as a change.

A picture maps paths, relative to the context with POSIX separators (`../` leads out of it), to an `Entry`. Two
pictures with equal entries build the same image; times are kept only to know cheaply whether a file has to be read
again, and never compared. Names that are no UTF-8 are kept with surrogate escapes, as `os.fsdecode` makes them.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EntryType(StrEnum):
    """What a path is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"
    """A socket, a device, a FIFO: BuildKit sends what it can, so its presence counts."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a context."""

    type: EntryType
    mode: int
    """Permission bits; 0 for links."""
    content: str
    """Hash of a file's content in hexadecimal, target of a link, empty for others."""
    quiet: bool = field(default=False, compare=False)
    """In the context, but not watched: a change of it alone starts nothing."""
    size: int = field(default=0, compare=False)
    changed_ns: int = field(default=0, compare=False)
    """When the file was last changed (its ctime, in nanoseconds); 0 when that cannot tell whether it was again."""
    inode: int = field(default=0, compare=False)


_TYPES = tuple(EntryType)
_FILE, _FOLDER, _UNREADABLE = map(_TYPES.index, (EntryType.FILE, EntryType.FOLDER, EntryType.UNREADABLE))
_HEAD = struct.Struct("<qqQ?BH")
_QUIET_AT, _TYPE_AT = 24, 25
_SAME_FROM = _TYPE_AT
"""Where in a packed entry that begins which two pictures are compared by: type, mode, content."""


def pack_head(type_: EntryType, mode: int, quiet: bool, size: int, changed_ns: int, inode: int) -> bytes:
    """The start of a packed entry: while a file's stays the same, it need not be read again."""
    return _HEAD.pack(size, changed_ns, inode, quiet, _TYPES.index(type_), mode & 0o7777)


def is_as_read(packed: bytes, mode: int, size: int, changed_ns: int, inode: int) -> bool:
    """Whether a file is still as it was when it was read for this packed entry."""
    return packed.startswith(_HEAD.pack(size, changed_ns, inode, packed[_QUIET_AT], _FILE, mode & 0o7777))


def pack(entry: Entry) -> bytes:
    """An entry in about 45 bytes: 100,000 of them as objects would take 20 MB more."""
    head = pack_head(entry.type, entry.mode, entry.quiet, entry.size, entry.changed_ns, entry.inode)
    if entry.type is EntryType.FILE:
        return head + bytes.fromhex(entry.content)
    return head + entry.content.encode("utf-8", "surrogateescape")


def unpack(packed: bytes) -> Entry:
    size, changed_ns, inode, quiet, type_, mode = _HEAD.unpack_from(packed)
    content = packed[_HEAD.size :]
    text = content.hex() if type_ == _FILE else content.decode("utf-8", "surrogateescape")
    return Entry(_TYPES[type_], mode, text, quiet, size, changed_ns, inode)


def _is_unreadable(packed: bytes) -> bool:
    return packed[_TYPE_AT] == _UNREADABLE


def is_quiet(packed: bytes) -> bool:
    return packed[_QUIET_AT] != 0


Folders = Mapping[str, Mapping[str, bytes]]
"""Packed entries by the folder they are in (`""` is the context) and their name there."""


class PackedEntries(Mapping[str, Entry]):
    """Entries as `pack` makes them, folder by folder; pictures of one tree share the folders that did not change."""

    __slots__ = ("folders",)

    def __init__(self, folders: Folders) -> None:
        self.folders = folders

    def __getitem__(self, path: str) -> Entry:
        folder, _, name = path.rpartition("/")
        return unpack(self.folders[folder][name])

    def __iter__(self) -> Iterator[str]:
        for folder, entries in self.folders.items():
            yield from (f"{folder}/{name}" if folder else name for name in entries)

    def __len__(self) -> int:
        return sum(map(len, self.folders.values()))


@dataclass(frozen=True, slots=True)
class Picture:
    """Every path of a context that can get into an image, and what counts beside it (a Dockerfile elsewhere)."""

    entries: Mapping[str, Entry]

    @property
    def files(self) -> int:
        """How many of its paths are watched and no folders."""
        if isinstance(self.entries, PackedEntries):
            entries = (entry for folder in self.entries.folders.values() for entry in folder.values())
            return sum(not is_quiet(entry) and entry[_TYPE_AT] != _FOLDER for entry in entries)
        return sum(not entry.quiet and entry.type is not EntryType.FOLDER for entry in self.entries.values())

    @property
    def unreadable(self) -> list[str]:
        """Its paths that are there and cannot be read, sorted."""
        if isinstance(self.entries, PackedEntries):
            folders = self.entries.folders.items()
            found = [
                f"{at}/{name}" if at else name for at, each in folders for name in each if _is_unreadable(each[name])
            ]
            return sorted(found)
        return sorted(path for path, entry in self.entries.items() if entry.type is EntryType.UNREADABLE)

    def in_folder(self, folder: str) -> list[str]:
        """The paths directly in a folder (`""` is the context)."""
        if isinstance(self.entries, PackedEntries):
            return [f"{folder}/{name}" if folder else name for name in self.entries.folders.get(folder, ())]
        return [path for path in self.entries if path.rpartition("/")[0] == folder]

    def changed_since(self, earlier: "Picture", *, quiet: bool = False) -> tuple[str, ...]:
        """Watched paths that differ, sorted: added, removed, or another type, mode or content. `quiet`: all of them."""
        before, after = earlier.entries, self.entries
        if isinstance(before, PackedEntries) and isinstance(after, PackedEntries):
            differing = list(_differing(before.folders, after.folders))
        else:
            differing = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        return tuple(sorted(path for path in differing if quiet or not (after.get(path) or before[path]).quiet))


def _differing(before: Folders, after: Folders) -> Iterator[str]:
    nothing: Mapping[str, bytes] = {}
    for folder in before.keys() | after.keys():
        was, now = before.get(folder, nothing), after.get(folder, nothing)
        if was is now:
            continue
        for name in was.keys() | now.keys():
            old, new = was.get(name), now.get(name)
            if old is not new and (old is None or new is None or old[_SAME_FROM:] != new[_SAME_FROM:]):
                yield f"{folder}/{name}" if folder else name
