"""Taking a picture of a build context from disk, cheaply when an earlier one is known.

A file is read again only when its size, ctime or inode differ from what the earlier picture saw; ctime, because tools
set mtime back. A file that changed less than `_RACY_NS` before it was read may change once more within the same tick,
so its time is not kept and it is read again the next time (git calls that racy).

These functions block: call them in a thread.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from devloop.adapters.scope import Scope, leads_out, parent
from devloop.core.ignore import VERSION_CONTROL, Decision, Matcher, is_temporary, never_triggers
from devloop.core.picture import EntryType, Folders, PackedEntries, Picture, is_as_read, is_quiet, pack_head

_RACY_NS = 2_000_000_000
"""The coarsest tick that a file system's times are known to have (FAT)."""
_CHUNK = 1 << 20
_HASH_BYTES = 16
# A FIFO that took a file's place must not block, and a link is never followed by accident.
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK

Entries = dict[str, bytes]
_NOTHING: Mapping[str, bytes] = {}


Entering = Callable[[str], None]
"""Called with each folder in which something may happen that counts, before it is listed; what it raises ends it all.

A folder that is watched before it is listed cannot change unnoticed in between."""


def _alone(path: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture with what it takes to keep it up to date."""

    scope: Scope
    folders: dict[str, Mapping[str, bytes]]
    """As in `PackedEntries`; the keys are every folder in which something may happen that counts."""

    @property
    def picture(self) -> Picture:
        return Picture(PackedEntries(self.folders))


def take(scope: Scope, earlier: Taken | Picture | None, entering: Entering = _alone) -> Taken:
    """The whole picture: everything is looked at, and read if it seems to have changed since `earlier`."""
    walk = _Walk(scope, earlier, entering)
    walk.everything()
    return walk.taken()


def refresh(earlier: Taken, names: Iterable[str], entering: Entering = _alone) -> Taken:
    """The earlier picture with these names, and all below them, looked at again; they are read whatever their times."""
    scope, reread = earlier.scope, frozenset(names)
    walk = _Walk(scope, earlier, entering, reread)
    if "" in reread or any(pattern.takes_back for pattern in scope.ignore_file.matcher.patterns):
        # With patterns that take back, whether an ignored folder is in the context depends on what is in it.
        walk.everything()
        return walk.taken()
    walk.folders = dict(earlier.folders)
    for name in sorted(reread):
        walk.again(name)
    walk.steering()
    return walk.taken()


class _Owed(NamedTuple):
    """An ignored folder: it comes into the context with the first thing in it that does."""

    name: str
    packed: bytes


class _At(NamedTuple):
    """What everything in one folder inherits."""

    ignored: Decision = Decision()
    quiet: Decision = Decision()
    owed: tuple[_Owed, ...] = ()
    beside: bool = False
    """Not in the context, or asked for although it is ignored there: BuildKit's patterns do not count."""


class _Walk:
    """From what an earlier picture knows to a new one."""

    def __init__(
        self,
        scope: Scope,
        earlier: Taken | Picture | None,
        entering: Entering,
        reread: frozenset[str] = frozenset(),
    ) -> None:
        self.folders: dict[str, Mapping[str, bytes]] = {}
        self._scope = scope
        self._matcher = scope.ignore_file.matcher
        self._known = _known(earlier)
        # What is in an earlier picture of the very same scope was decided for it.
        self._decided = isinstance(earlier, Taken) and earlier.scope is scope
        self._all_watched = scope.roots == ("",) and not scope.quiet.patterns
        self._entering = entering
        self._reread = reread
        self._own: dict[str, Entries] = {}

    def taken(self) -> Taken:
        for folder in self._own:
            known = self._known.get(folder)
            if known is not None and self.folders.get(folder) == known:
                self.folders[folder] = known
        return Taken(self._scope, self.folders)

    def everything(self) -> None:
        self._below("", _At())
        for name in self._scope.beside:
            self._single(name, _At(beside=True))
        self.steering()

    def again(self, name: str) -> None:
        """Look at one name again, and at all below it."""
        while "/" in name and parent(name) not in self.folders:
            name = parent(name)
        self._forget(name)
        above = self._inherited(name)
        if above is not None:
            self._single(name, above)

    def steering(self) -> None:
        """The Dockerfile and the ignore files, which BuildKit reads apart from the context, and through links."""
        for name in self._scope.steering:
            path, folder = self._scope.path_of(name), parent(name)
            # os.path, not pathlib: this module's paths are plain strings, for speed.
            if folder not in self.folders and os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120
                self._entering(os.path.dirname(path))  # noqa: PTH120
                self.folders[folder] = {}
            try:
                status = os.stat(path)  # noqa: PTH116
            except OSError:
                if leads_out(name):
                    self._put(name, None)
                continue
            if stat.S_ISREG(status.st_mode):
                self._put(name, self._file(path, name, status, quiet=False, follow=True))

    def _inherited(self, name: str) -> _At | None:
        """What a name inherits when it is looked at alone; None when it is not in the picture."""
        above = parent(name)
        quiet = _about(self._scope.quiet, above)
        if self._scope.is_beside(name):
            return _At(quiet=quiet, beside=True)
        ignored = _about(self._matcher, above)
        if ignored.ignored or leads_out(name) or never_triggers(name):
            return None
        return _At(ignored, quiet)

    def _forget(self, name: str) -> None:
        self._put(name, None)
        if name in self.folders:
            below = name + "/"
            for folder in [folder for folder in self.folders if folder == name or folder.startswith(below)]:
                del self.folders[folder]

    def _single(self, name: str, at: _At) -> None:
        path = self._scope.path_of(name)
        try:
            status = os.lstat(path)
        except OSError:
            return
        if parent(name) not in self.folders:
            self._entering(os.path.dirname(path))  # noqa: PTH120
            self.folders[parent(name)] = {}
        self._put(name, None)
        entries: Entries = {}
        inner = self._entry(entries, path, name, status, at)
        for packed in entries.values():
            self._put(name, packed)
        if inner is not None:
            self._below(name, inner)

    def _below(self, folder: str, at: _At) -> None:
        """Everything in a folder and in those below it."""
        waiting = [(folder, at)]
        while waiting:
            waiting += self._folder(*waiting.pop())

    def _folder(self, folder: str, at: _At) -> list[tuple[str, _At]]:
        """The entries of one folder; returns the folders in it that have to be entered."""
        path, prefix = self._scope.path_of(folder), f"{folder}/" if folder else ""
        known = self._known.get(folder, _NOTHING)
        entries: Entries = {}
        inner: list[tuple[str, _At]] = []
        if self._scope.wants_events(folder):
            self._entering(path)
        try:
            for name, status in _statuses(path):
                was = known.get(name)
                if was is not None and self._is_as_read(was, prefix, name, status):
                    entries[name] = was
                    continue
                within = self._entry(entries, f"{path}/{name}", prefix + name, status, at)
                if within is not None:
                    inner.append((prefix + name, within))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError:
            self._unreadable(folder)
            return []
        self.folders[folder] = known if known == entries and folder in self._known else entries
        if entries:
            self._pay(at.owed)
        return inner

    def _is_as_read(self, was: bytes, prefix: str, name: str, status: os.stat_result) -> bool:
        return (
            self._decided
            and stat.S_ISREG(status.st_mode)
            and is_as_read(was, status.st_mode, status.st_size, status.st_ctime_ns, status.st_ino)
            and not (self._reread and prefix + name in self._reread)
        )

    def _entry(self, entries: Entries, path: str, name: str, status: os.stat_result, at: _At) -> _At | None:
        """Add one path to its folder's entries; what is in it inherits the result, if it is a folder to be entered."""
        last = name.rpartition("/")[2]
        is_folder = stat.S_ISDIR(status.st_mode)
        was = self._known.get(parent(name), _NOTHING).get(last)
        if was is not None and self._decided and not is_folder:
            self._add(entries, path, name, status, is_quiet(was))
            return None
        if last in VERSION_CONTROL or is_temporary(last):
            return None
        ignored = Decision() if at.beside else self._matcher.decide(name, at.ignored)
        if ignored.whole or (ignored.ignored and not is_folder):
            return None
        quiet = self._scope.quiet.decide(name, at.quiet)
        is_silent = not self._all_watched and self._is_silent(name, quiet, at.beside)
        if not is_folder:
            self._add(entries, path, name, status, is_silent)
            return None
        packed = pack_head(EntryType.FOLDER, status.st_mode, is_silent, 0, 0, status.st_ino)
        if ignored.ignored:
            return _At(ignored, quiet, (*at.owed, _Owed(name, packed)), at.beside)
        entries[last] = packed
        return _At(ignored, quiet, (), at.beside)

    def _is_silent(self, name: str, quiet: Decision, beside: bool) -> bool:
        return quiet.ignored or not (beside or self._scope.in_roots(name))

    def _add(self, entries: Entries, path: str, name: str, status: os.stat_result, quiet: bool) -> None:
        packed = self._leaf(path, name, status, quiet)
        if packed is not None:
            entries[name.rpartition("/")[2]] = packed

    def _leaf(self, path: str, name: str, status: os.stat_result, quiet: bool) -> bytes | None:
        if stat.S_ISREG(status.st_mode):
            return self._file(path, name, status, quiet)
        if not stat.S_ISLNK(status.st_mode):
            return pack_head(EntryType.OTHER, status.st_mode, quiet, 0, 0, 0)
        try:
            target = os.readlink(os.fsencode(path))  # noqa: PTH115
        except OSError:
            return None
        return pack_head(EntryType.LINK, 0, quiet, 0, 0, 0) + target

    def _file(self, path: str, name: str, status: os.stat_result, quiet: bool, *, follow: bool = False) -> bytes | None:
        folder, _, last = name.rpartition("/")
        was = self._known.get(folder, _NOTHING).get(last)
        times = status.st_size, status.st_ctime_ns, status.st_ino
        head = pack_head(EntryType.FILE, status.st_mode, quiet, *times)
        if was is not None and was.startswith(head) and name not in self._reread:
            return was
        now = time.time_ns()
        try:
            content = _hash(path, follow)
        except PermissionError:
            return pack_head(EntryType.UNREADABLE, status.st_mode, quiet, *times)
        except OSError:
            return None
        if status.st_ctime_ns > now - _RACY_NS:
            head = pack_head(EntryType.FILE, status.st_mode, quiet, status.st_size, 0, status.st_ino)
        return was if was == head + content else head + content

    def _unreadable(self, folder: str) -> None:
        if folder:
            self._put(folder, pack_head(EntryType.UNREADABLE, 0, False, 0, 0, 0))

    def _pay(self, owed: tuple[_Owed, ...]) -> None:
        for name, packed in owed:
            self._put(name, packed)

    def _put(self, name: str, packed: bytes | None) -> None:
        """Set or remove one entry, in a copy of its folder's entries."""
        folder, _, last = name.rpartition("/")
        if folder not in self.folders:
            return
        own = self._own.get(folder)
        if own is None or self.folders[folder] is not own:
            own = self._own[folder] = dict(self.folders[folder])
            self.folders[folder] = own
        if packed is None:
            own.pop(last, None)
        else:
            own[last] = packed


def _known(earlier: Taken | Picture | None) -> Folders:
    if isinstance(earlier, Taken):
        return earlier.folders
    if earlier is not None and isinstance(earlier.entries, PackedEntries):
        return earlier.entries.folders
    return {}


def _about(matcher: Matcher, folder: str) -> Decision:
    return matcher.about(folder) if folder else Decision()


def _statuses(path: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(path) as found:
        for entry in found:
            try:
                yield entry.name, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue


def _hash(path: str, follow: bool) -> bytes:
    file = os.open(path, _OPEN if follow else _OPEN | os.O_NOFOLLOW)
    try:
        digest = hashlib.blake2b(digest_size=_HASH_BYTES)
        while chunk := os.read(file, _CHUNK):
            digest.update(chunk)
        return digest.digest()
    finally:
        os.close(file)
