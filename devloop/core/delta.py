"""Decides whether a change becomes one more layer on the last full build, and what is in that layer.

A delta is right only if it gives the image that a full build would give: the layer holds every file that differs from
the context of the last full build, where the COPY and ADD of the Dockerfile would have put it. Whatever reads a changed
file in another way, and whatever is not understood, is a full build; each reason for one is a clause for people.
"""

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from devloop.core.dockerfile import Instruction
from devloop.core.dockerfile_match import Source, clean, hit, is_plain, split_wild
from devloop.core.dockerfile_target import Fate, Reading, Take, Target
from devloop.core.dockerfile_walk import Landing, Step
from devloop.core.picture import Entry, EntryType, Picture

MOST_BYTES = 32 * 2**20
"""Of changed files: beyond it, packing and uploading them with each save takes longer than a build from the cache."""
MOST_NAMES = 1000
"""Changed names: a branch that was switched is a full build, and is not looked through name by name first."""
_OWNER = re.compile(r"(\d+):(\d+)")
_MODE = re.compile(r"0?[0-7]{3,4}")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of an image: what a layer that puts something into it has to repeat."""

    mode: int
    """Permission bits."""
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Base:
    """The last full build, as far as it matters to what comes on top of it."""

    picture: Picture
    """Its context, as it was when the build had ended."""
    unsure: frozenset[str]
    """Names that changed while it was built: nobody knows which content got into it."""
    folders: Mapping[str, Folder]
    """Of the image, by their absolute paths: those that its layers tell of."""
    volumes: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    """The links of its context, and where they lead."""
    linked: frozenset[str] = frozenset()
    """Absolute paths that are links in the image, of those that its layers tell of."""


@dataclass(frozen=True, slots=True)
class Put:
    """One entry of the layer."""

    path: str
    """Absolute."""
    mode: int
    uid: int = 0
    gid: int = 0
    source: str = ""
    """The file of the context; empty for a folder."""
    mtime: int = 0
    """Of a folder; a file has its own."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One layer on the base gives what a full build would give."""

    puts: tuple[Put, ...]
    """Folders before what is in them; none where the base is what a full build would give."""
    text: str
    """For people: `2 files into /app`."""


@dataclass(frozen=True, slots=True)
class FullBuild:
    """Only a full build is right."""

    reason: str
    """Empty where there is nothing to tell: none was made yet, or nobody wants layers."""


class _OnlyFullError(Exception):
    """The message is the reason."""


def decide(
    target: Target, base: Base, now: Picture, steering: Collection[str], is_outside: Callable[[str], bool]
) -> Delta | FullBuild:
    """`now` is the context as it is. `steering`: names of the Dockerfile and the ignore files; `is_outside` tells the
    names that are watched and no part of the context."""
    try:
        names = sorted({*now.changed_since(base.picture, quiet=True), *base.unsure})
        if steers := next((name for name in names if name in steering), ""):
            raise _OnlyFullError(f"{steers} has changed")
        if len(names) > MOST_NAMES:
            raise _OnlyFullError(f"more than {MOST_NAMES:,} names differ from the last full build")
        deciding = _Deciding(target, base, now)
        for name in names:
            if not is_outside(name):
                deciding.take(name)
        return deciding.delta()
    except _OnlyFullError as reason:
        return FullBuild(str(reason))


class _Deciding:
    def __init__(self, target: Target, base: Base, now: Picture) -> None:
        self._target, self._base, self._now = target, base, now
        self._puts: dict[str, Put] = {}
        self._bytes = 0

    def take(self, name: str) -> None:
        """Every place of the image that a changed path of the context gets to."""
        reading = self._read(name)
        if reading is None:
            return
        entry = self._changed(name)
        if not reading.only_copied:
            raise _OnlyFullError(_why(name, reading))
        self._bytes += entry.size
        if self._bytes > MOST_BYTES:
            raise _OnlyFullError(f"more than {MOST_BYTES >> 20} MB differ from the last full build")
        for take in sorted(reading.takes, key=self._place):
            self._put(name, entry, self._place(take), take)

    def _read(self, name: str) -> Reading | None:
        """What becomes of it; None where nothing reads what it is, nor what it was."""
        kinds = self._kinds(name) or {EntryType.FILE, EntryType.FOLDER}
        readings = []
        for is_folder in sorted({kind is EntryType.FOLDER for kind in kinds}):
            if link := self._target.link_followed(name, self._base.links, folder=is_folder):
                raise _OnlyFullError(f"{name} is taken through the link {link}")
            readings.append(self._target.reads(name, folder=is_folder))
        return next((reading for reading in readings if reading.fate is not Fate.NOTHING), None)

    def _place(self, take: Take) -> int:
        """Which step of the image it is: an ONBUILD runs later than it is written."""
        return next(at for at, step in enumerate(self._target.image) if step.instruction is take.instruction)

    def _changed(self, name: str) -> Entry:
        """What it is now, if that and what it was are a file, or if it is a new folder."""
        old, new = self._base.picture.entries.get(name), self._now.entries.get(name)
        if new is None:
            raise _OnlyFullError(f"{name} was deleted")
        if not _is_utf8(name):
            raise _OnlyFullError("a name is no UTF-8")
        if new.type is EntryType.FOLDER and old is not None and old.type is EntryType.FOLDER:
            raise _OnlyFullError(f"the mode of the folder {name} has changed")
        if new.type is EntryType.FOLDER and old is None:
            return new
        if new.type is not EntryType.FILE or (old is not None and old.type is not EntryType.FILE):
            raise _OnlyFullError(f"{name} is no plain file, or was none")
        return new

    def _put(self, name: str, entry: Entry, at: int, take: Take) -> None:
        if take.later_runs:
            raise _OnlyFullError(f"{name} is there for `{_said(take.later_runs[0])}`")
        path, step = take.destination, self._target.image[at]
        if take.instruction.name == "ADD" and self._may_be_unpacked(step, name):
            raise _OnlyFullError(f"`{_said(take.instruction)}` may unpack {name}")
        if not self._is_alone(step, path, name):
            raise _OnlyFullError(f"`{_said(take.instruction)}` may put something else at {path}")
        if any(_is_in(path, volume) for volume in self._base.volumes):
            raise _OnlyFullError(f"{path} is in a VOLUME")
        if path in self._base.linked:
            raise _OnlyFullError(f"{path} is a link in the image")
        for later in self._target.image[at + 1 :]:
            if self._may_write(later, path, name):
                raise _OnlyFullError(f"{path} may be written again by `{_said(later.instruction)}`")
        uid, gid, mode = _owner_and_mode(take.instruction, entry.mode)
        is_folder = entry.type is EntryType.FOLDER
        if name not in self._base.picture.entries:
            self._is_new(name, path, is_folder, step)
        self._puts[path] = Put(path, mode, uid, gid, "" if is_folder else name)

    def _may_be_unpacked(self, step: Step, name: str) -> bool:
        """ADD looks into a file that it is given, whatever its name; what is in a folder it only copies."""
        return any(not is_plain(source) or clean(source.pattern) == name for source in step.sources)

    def _is_alone(self, step: Step, path: str, name: str) -> bool:
        """Whether no other source, and no other match of a wildcard, lands at the same place by the same step."""
        landing = step.landing or Landing()
        taking = [source for source in step.sources if hit(source, name, folder=True)]
        if len(taking) != 1:
            return False
        if not is_plain(taking[0]) and not self._takes_only_files(taking[0], name):
            return False
        return not any(self._may_land(other, landing, path, name) for other in step.sources if other is not taking[0])

    def _takes_only_files(self, source: Source, name: str) -> bool:
        """A wildcard for the names in one folder, which no folder fits: then no two matches have the same name."""
        folder, wild = split_wild(source)
        if not wild or "/" in wild or posixpath.dirname(name) != folder:
            return False
        inside = (
            each
            for picture in (self._now, self._base.picture)
            for each in picture.in_folder(folder)
            if EntryType.FILE not in self._kinds(each)
        )
        return not any(hit(source, each, folder=True) for each in inside)

    def _is_new(self, name: str, path: str, is_folder: bool, step: Step) -> None:
        """Where the base image may have something already, nobody knows what a new name replaces."""
        parent = posixpath.dirname(path)
        landing = step.landing.path if step.landing else ""
        above = self._base.picture.entries.get(posixpath.dirname(name))
        is_known = above is not None and above.type is EntryType.FOLDER
        is_in_new = parent in self._puts and not self._puts[parent].source
        if parent == "/" or path == landing or (is_folder and not (is_in_new or (is_known and parent != landing))):
            raise _OnlyFullError(f"it is not known whether the image has a {path} already")

    def _may_write(self, step: Step, path: str, name: str) -> bool:
        """Whether a later COPY or ADD may put something other than this file there."""
        landing = step.landing
        if landing is None or not landing.path or not self._is_real(landing.path, step):
            return True
        if not _is_in(path, landing.path):
            return False
        if step.origin:
            return True
        if len(step.sources) != len(step.instruction.args) - 1:  # a URL, a repository, a heredoc
            return True
        return any(self._may_land(source, landing, path, name) for source in step.sources)

    def _is_real(self, path: str, step: Step) -> bool:
        """Whether no link of the image leads elsewhere on the way to where a step lands."""
        folders, sources = self._base.folders, step.sources
        is_file = bool(sources) and all(self._kinds(clean(each.pattern)) == {EntryType.FILE} for each in sources)
        return path in {"/", *folders} or (
            is_file and path not in self._base.linked and all(above in folders for above in _above(path))
        )

    def _may_land(self, source: Source, landing: Landing, path: str, name: str) -> bool:
        """Whether a source has a file that lands there: in the folder that it is, or the file that it is."""
        if not is_plain(source) or self._leads_through_a_link(clean(source.pattern)):
            return True
        root, below = clean(source.pattern), path[len(landing.path) :].lstrip("/")
        found = [(clean(f"{root}/{below}"), self._kinds(clean(f"{root}/{below}")))]
        if path in {landing.path, posixpath.join(landing.path, posixpath.basename(root))}:
            found.append((root, self._kinds(root) - {EntryType.FOLDER}))
        return any(kinds for each, kinds in found if each != name)

    def _leads_through_a_link(self, path: str) -> bool:
        return any(_is_in(path, link) for link in self._base.links)

    def _kinds(self, name: str) -> set[EntryType]:
        """What a name of the context is, and was."""
        entries = (self._now.entries.get(name), self._base.picture.entries.get(name))
        return {entry.type for entry in entries if entry is not None}

    def delta(self) -> Delta:
        files = [put.path for put in self._puts.values() if put.source]
        for path in tuple(self._puts):
            for folder in _above(path):
                self._enter(folder)
            if path in self._base.folders and self._puts[path].source:
                raise _OnlyFullError(f"{path} is a folder of the image")
        return Delta(tuple(self._puts[path] for path in sorted(self._puts)), _text(files))

    def _enter(self, folder: str) -> None:
        """What a layer does not repeat of a folder, some runtimes make up."""
        if folder in self._puts:
            return
        known = self._base.folders.get(folder)
        if known is None:
            raise _OnlyFullError(f"it is not known what {folder} is in the image")
        self._puts[folder] = Put(folder, known.mode, known.uid, known.gid, mtime=known.mtime)


def _why(name: str, reading: Reading) -> str:
    """Why a path that is read is not simply copied."""
    other = next((take for take in reading.takes if take.fate is not Fate.COPIED), None)
    if other is not None and other.fate is Fate.MOUNTED:
        return f"{name} is mounted for `{_said(other.instruction)}`"
    if other is not None and other.fate is Fate.CARRIED:
        return f"{name} is copied into the stage `{other.stage}`"
    reason = reading.reason or next((take.reason for take in reading.takes if take.reason), "")
    return f"{name}: {reason}" if reason else f"it is not known where {name} gets to"


def _owner_and_mode(instruction: Instruction, mode: int) -> tuple[int, int, int]:
    """Owner, group and mode of what it copies; names of owners are known to the image alone."""
    owner, bits = instruction.flag("chown"), instruction.flag("chmod")
    numbers = _OWNER.fullmatch(owner)
    if owner and not numbers:
        raise _OnlyFullError(f"`--chown={owner}` needs the image to be understood")
    if bits and not _MODE.fullmatch(bits):
        raise _OnlyFullError(f"`--chmod={bits}` is no octal number")
    uid, gid = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    return uid, gid, int(bits, 8) if bits else mode


def _said(instruction: Instruction) -> str:
    """In one line; whoever shows it masks and cuts it, in this order."""
    return " ".join(instruction.text.split())


def _text(files: Collection[str]) -> str:
    if not files:
        return "nothing differs from the last full build"
    where = posixpath.commonpath([posixpath.dirname(path) for path in files])
    return f"{len(files):,} file{'' if len(files) == 1 else 's'} into {where}"


def _above(path: str) -> Iterator[str]:
    """The folders that it is in, below the root."""
    while (path := posixpath.dirname(path)) != "/":
        yield path


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
