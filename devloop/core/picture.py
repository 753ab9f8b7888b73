"""A picture of a build context: what each path is, so that content decides what counts as a change.

A picture maps paths, relative to the context with POSIX separators, to an `Entry`. Two pictures with equal entries
build the same image; times are kept only to know cheaply whether a file has to be read again, and never compared.
Names that are no UTF-8 are kept with surrogate escapes, as `os.fsdecode` makes them.
"""

from collections.abc import Mapping
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
    """Hash of a file's content, target of a link, empty for others."""
    size: int = field(default=0, compare=False)
    mtime_ns: int = field(default=0, compare=False)
    inode: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """Every path of a context that can get into an image, and what counts beside it (a Dockerfile elsewhere)."""

    entries: Mapping[str, Entry]

    def changed_since(self, earlier: "Picture") -> tuple[str, ...]:
        """Paths that differ, sorted: added, removed, or another type, mode or content."""
        if self.entries == earlier.entries:
            return ()
        before, after = earlier.entries, self.entries
        return tuple(sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)))
