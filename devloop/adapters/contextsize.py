"""How large a build context is and how many folders of it would be watched, measured for `devloop doctor`.

A sibling of `devloop.adapters.survey`, which counts what is watched: here counts what BuildKit may send, also when a
change of it starts no cycle. Nothing is read but the ignore file.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from devloop.adapters.scope import Area, Scope, parent, shown
from devloop.core.ignore import VERSION_CONTROL, Decision, is_temporary
from devloop.core.judgements import LARGEST, ContextSize

_NEARLY_ALL = 0.8
"""Of a folder's bytes: what has so many of them is named instead of the folder."""
_Sized = tuple[int, str]
"""Bytes, and the name of what has them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One area, looked through once."""

    context: ContextSize
    folders: int
    """How many would be watched."""
    ignore_file: str
    """Where something can be left out; it need not exist."""
    problems: tuple[str, ...]
    """One sentence for each pattern of it that BuildKit refuses."""


def measure(area: Area) -> Measured | None:
    """Look through an area; None when there is no such context. Blocks, so call it in a thread."""
    if not area.context.is_dir():
        return None
    scope = Scope.read(area)
    walk = _Walk(scope)
    walk.context()
    ignore_file = scope.ignore_file.path or area.context / ".dockerignore"
    beside = (name for name in scope.beside if not scope.is_beside(parent(name)))
    watched = walk.watched + sum(_folders_of(scope.path_of(name)) for name in beside)
    return Measured(walk.size(), watched, str(ignore_file), scope.ignore_file.matcher.problems)


@dataclass(slots=True)
class _Folder:
    """What is known of one folder's bytes so far."""

    name: str
    size: int = 0
    entries: list[_Sized] = field(default_factory=list)

    def add(self, size: int, name: str) -> None:
        self.size += size
        self.entries.append((size, name))

    @property
    def telling(self) -> _Sized:
        """The folder, or what nearly all of its bytes are in."""
        size, name = max(self.entries, default=(0, ""))
        return self.size, name if size and size >= _NEARLY_ALL * self.size else self.name


class _Walk:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._files = 0
        self._unreadable: list[str] = []
        self._top = _Folder("")
        self.watched = 0

    def context(self) -> None:
        """Enter every folder that may hold something of the context, then add up from the deepest."""
        entered: list[tuple[_Folder, _Folder]] = []
        waiting = [(self._top, Decision(), False)]
        while waiting:
            folder, ignored, hidden = waiting.pop()
            self.watched += not hidden and self._scope.wants_events(folder.name)
            for name, within in self._look(folder, ignored):
                inner = _Folder(name)
                entered.append((inner, folder))
                waiting.append((inner, within, hidden or _is_hidden(name)))
        for inner, folder in reversed(entered):
            if inner.entries:
                folder.add(*inner.telling)

    def size(self) -> ContextSize:
        largest = sorted((entry for entry in self._top.entries if entry[0]), reverse=True)[:LARGEST]
        context = self._scope.area.context
        return ContextSize(
            self._files,
            self._top.size,
            tuple((shown(name, context), size) for size, name in largest),
            tuple(shown(name, context) for name in self._unreadable),
        )

    def _look(self, folder: _Folder, ignored: Decision) -> Iterator[tuple[str, Decision]]:
        """Count the files of one folder; the folders in it that have to be entered."""
        prefix = f"{folder.name}/" if folder.name else ""
        try:
            with os.scandir(self._scope.path_of(folder.name)) as found:
                entries = list(found)
        except PermissionError:
            self._unreadable.append(folder.name)
            return
        except OSError:
            return
        for entry in entries:
            name = prefix + entry.name
            decision = self._scope.ignore_file.matcher.decide(name, ignored)
            if entry.is_dir(follow_symlinks=False):
                if not decision.whole:
                    yield name, decision
            elif not decision.ignored:
                self._file(folder, name, entry)

    def _file(self, folder: _Folder, name: str, entry: "os.DirEntry[str]") -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return
        self._files += 1
        is_file = stat.S_ISREG(status.st_mode)
        folder.add(status.st_size if is_file else 0, name)
        if is_file and not os.access(entry.path, os.R_OK):
            self._unreadable.append(name)


def _folders_of(path: str) -> int:
    """The folders of something that is watched and not in the context."""
    count = 0
    for _, folders, _ in os.walk(path):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        count += 1
    return count


def _is_hidden(name: str) -> bool:
    """Whether what happens in a folder never starts a cycle."""
    last = name.rpartition("/")[2]
    return last in VERSION_CONTROL or is_temporary(last)
