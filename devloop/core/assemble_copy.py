"""What COPY and ADD put where, given all that the image holds: the rules are those of fsutil's `copy.Copy`."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from devloop.core.assemble_words import CannotAssembleError, NeedsEngineError, said
from devloop.core.dockerfile import Instruction
from devloop.core.dockerfile_match import Source, clean, hit
from devloop.core.dockerfile_walk import REMOTE
from devloop.core.picture import Entry, EntryType, Picture

_FLAGS = {"COPY": {"chown", "chmod", "link", "exclude"}, "ADD": {"chown", "chmod", "link", "exclude"}}
_OWNER = re.compile(r"(\d+)(?::(\d+))?")
_MODE = re.compile(r"0?[0-7]{3,4}")
_MOST_LINKS = 40
_COPIED = frozenset({EntryType.FILE, EntryType.FOLDER, EntryType.LINK})


@dataclass(frozen=True, slots=True)
class Placed:
    """A path of the image."""

    path: str
    """Absolute."""
    type: EntryType
    """A file, a folder or a link."""
    mode: int
    uid: int = 0
    gid: int = 0
    source: str = ""
    """Of the context; empty for what is there for other reasons."""
    target: str = ""
    """Of a link."""
    named: bool = False
    """A source names this very file: ADD would unpack an archive."""


class Tree:
    """What the image holds so far."""

    def __init__(self, held: Mapping[str, Placed]) -> None:
        self._held = dict(held)

    def is_folder(self, path: str) -> bool:
        """A path without links on its way."""
        return path == "/" or (path in self._held and self._held[path].type is EntryType.FOLDER)

    def resolved(self, path: str, instruction: Instruction) -> str:
        """Where a path leads, following the links of the image; what is not there yet stays as it is."""
        done, waiting, links = "/", path.split("/")[::-1], 0
        while waiting:
            part = waiting.pop()
            if part in {"", "."}:
                continue
            done = posixpath.normpath(posixpath.join(done, part))
            held = self._held.get(done)
            if held is not None and held.type is EntryType.LINK:
                if (links := links + 1) > _MOST_LINKS:
                    raise CannotAssembleError(f"{path} is a link in a circle", instruction)
                done = "/" if held.target.startswith("/") else posixpath.dirname(done)
                waiting += held.target.split("/")[::-1]
        return done

    def folders_to(
        self, path: str, instruction: Instruction, *, mode: int = 0o755, uid: int = 0, gid: int = 0
    ) -> list[Placed]:
        """The folders that have to be made for that one to be there, and now are."""
        path, made = self.resolved(path, instruction), []
        while path != "/" and path not in self._held:
            made.append(Placed(path, EntryType.FOLDER, mode, uid, gid))
            path = posixpath.dirname(path)
        if not self.is_folder(path):
            raise CannotAssembleError(f"`{said(instruction)}`: {path} is no folder", instruction)
        for folder in reversed(made):
            self.put(folder, instruction)
        return made[::-1]

    def put(self, placed: Placed, instruction: Instruction) -> None:
        held = self._held.get(placed.path)
        if held is not None and (held.type is EntryType.FOLDER) != (placed.type is EntryType.FOLDER):
            what = "is a folder" if held.type is EntryType.FOLDER else "is no folder"
            raise CannotAssembleError(f"`{said(instruction)}`: {placed.path} {what} in the image", instruction)
        self._held[placed.path] = placed

    def lay(self, layer: Iterable[Placed]) -> None:
        """A layer that was made without looking at what is here."""
        self._held |= {placed.path: placed for placed in layer}

    def with_folders(self, paths: set[str]) -> list[Placed]:
        """What is at these paths, and the folders that they are in: a layer repeats them. Folders come first."""
        wanted = set(paths)
        for path in paths:
            while (path := posixpath.dirname(path)) != "/":
                wanted.add(path)
        return [self._held[path] for path in sorted(wanted)]


class Copying:
    """One COPY or ADD."""

    def __init__(
        self, instruction: Instruction, flags: Mapping[str, str], folder: str, tree: Tree, picture: Picture
    ) -> None:
        self._instruction, self._folder, self._tree, self._picture = instruction, folder, tree, picture
        self._uid, self._gid, self._mode = _owner_and_mode(instruction, flags)
        self._paths: set[str] = set()

    @staticmethod
    def check(instruction: Instruction) -> None:
        """Raises `CannotAssembleError` for what is more than copying files of the context."""
        text = said(instruction)
        if instruction.flag("from"):
            raise NeedsEngineError(f"the sandbox has no engine and cannot copy from a stage: `{text}`", instruction)
        if unknown := next((name for name, _ in instruction.flags if name not in _FLAGS[instruction.name]), ""):
            raise NeedsEngineError(f"the sandbox has no engine for `--{unknown}` of `{text}`", instruction)
        if instruction.heredocs:
            raise NeedsEngineError(f"the sandbox has no engine and cannot read the heredoc of `{text}`", instruction)
        if instruction.name == "ADD" and any(REMOTE.match(word) for word in instruction.args[:-1]):
            raise NeedsEngineError(f"the sandbox has no engine and cannot fetch `{text}`", instruction)

    def copied(self, words: list[str]) -> list[Placed]:
        """What its layer holds; raises `CannotAssembleError`."""
        *patterns, destination = words
        is_marked = destination in {"", "."} or destination.endswith(("/", "/."))
        if len(patterns) > 1 and not is_marked:
            self._refuse(f"`{said(self._instruction)}` has several sources, so its destination has to end with a `/`")
        path = posixpath.normpath(posixpath.join(self._folder, destination))
        for pattern in patterns:
            self._copy(Source(pattern, self._instruction.values("exclude")), path, is_marked)
        return self._tree.with_folders(self._paths)

    def _copy(self, source: Source, path: str, is_marked: bool) -> None:
        found = self._found(source)
        if not found and clean(source.pattern):
            self._refuse(f"`{said(self._instruction)}`: {source.pattern} is not in the build context")
        if clean(source.pattern) == "":
            self._enter(path)
        for name, below in found.items():
            entry = self._picture.entries[name]
            if below:
                self._put(entry, name, posixpath.join(self._tree.resolved(path, self._instruction), below))
            elif entry.type is EntryType.FOLDER:
                self._enter(path)
            elif entry.type is EntryType.LINK:
                why = f"`{said(self._instruction)}`: {name} is a link, which is left to an engine"
                raise NeedsEngineError(why, self._instruction)
            else:
                self._single(entry, name, path, is_marked)

    def _found(self, source: Source) -> dict[str, str]:
        """The paths of the context that it takes, each with what follows the path that was matched."""
        found: dict[str, str] = {}
        for name in sorted(self._picture.entries):
            entry = self._picture.entries[name]
            taken = hit(source, name, folder=entry.type is EntryType.FOLDER)
            if taken is None or taken.part:
                continue
            if taken.doubt:
                raise NeedsEngineError(f"`{said(self._instruction)}`: {taken.doubt}", self._instruction)
            if entry.type not in _COPIED:
                self._refuse(f"`{said(self._instruction)}`: {name} cannot be read, or is no file")
            found[name] = taken.below
        return found

    def _single(self, entry: Entry, name: str, path: str, is_marked: bool) -> None:
        """A file that is named, or that a wildcard takes."""
        if is_marked:
            self._enter(path)
        place = self._tree.resolved(path, self._instruction)
        if self._tree.is_folder(place):
            place = posixpath.join(place, posixpath.basename(name))
        self._enter(posixpath.dirname(place))
        self._put(entry, name, place, named=True)

    def _enter(self, path: str) -> None:
        # --chmod is about the folders above, too, where they have to be made.
        mode = 0o755 if self._mode is None else self._mode
        made = self._tree.folders_to(path, self._instruction, mode=mode, uid=self._uid, gid=self._gid)
        self._paths |= {folder.path for folder in made}

    def _put(self, entry: Entry, name: str, path: str, *, named: bool = False) -> None:
        is_link = entry.type is EntryType.LINK
        mode = 0o777 if is_link else entry.mode if self._mode is None else self._mode
        target = entry.content if is_link else ""
        placed = Placed(path, entry.type, mode, self._uid, self._gid, name, target, named)
        self._tree.put(placed, self._instruction)
        self._paths.add(path)

    def _refuse(self, why: str) -> NoReturn:
        raise CannotAssembleError(why, self._instruction)


def _owner_and_mode(instruction: Instruction, flags: Mapping[str, str]) -> tuple[int, int, int | None]:
    owner, bits = flags.get("chown", ""), flags.get("chmod", "")
    numbers = _OWNER.fullmatch(owner)
    if owner and not numbers:
        raise NeedsEngineError(f"`--chown={owner}` is no number, and needs an engine", instruction)
    if bits and not _MODE.fullmatch(bits):
        raise CannotAssembleError(f"`--chmod={bits}` is no octal number", instruction)
    uid, gid = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (0, 0)
    return uid, gid, int(bits, 8) if bits else None
