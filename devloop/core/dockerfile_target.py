"""What one target of a Dockerfile takes from the build context, and where it lands in the image.

Only stages that the target needs count: it, those it is built on, and those that these copy from or mount. "Nothing
takes this file" is said only when it is certain: not when a stage, a source or a flag could not be understood, and
not when a variable or a named context decides that is not known here. Two things cannot be seen in a Dockerfile and
are left out: ONBUILD instructions of a base image whose name does not tell them, and links inside the context, unless
they are given.
"""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from devloop.core.dockerfile import Dockerfile, Instruction
from devloop.core.dockerfile_match import Hit, aliases, clean, follows, hit
from devloop.core.dockerfile_walk import Landing, Step, Walked, Walker

_ARCHIVE = re.compile(r".+\.(?:tar(?:\..+)?|tgz|tbz2?|txz|tlz|tzst|gz|bz2|xz|zst)", re.IGNORECASE)

_Names = tuple[tuple[str, str], ...]
"""What a path is called: itself, and where links lead to it; each with the link."""


class Fate(StrEnum):
    """What becomes of a path of the build context."""

    COPIED = "copied"
    """A COPY or ADD takes it into the image."""
    CARRIED = "carried"
    """A COPY or ADD of an earlier stage takes it, and the target copies from that stage or mounts it."""
    MOUNTED = "mounted"
    """A RUN reads it from a mount."""
    NOTHING = "nothing"
    """Nothing reads it; this is certain."""
    UNKNOWN = "unknown"
    """It cannot be told."""


@dataclass(frozen=True, slots=True)
class Take:
    """One instruction that takes a path."""

    instruction: Instruction
    stage: str
    """Name of its stage; the index of a stage without name."""
    fate: Fate
    """COPIED, CARRIED or MOUNTED; UNKNOWN when it may take the path."""
    destinations: tuple[str, ...] = ()
    """Absolute paths in the image. Two when it depends on the base image whether the second argument is a folder;
    none when it cannot be told."""
    reason: str = ""
    """Why the fate or the destination cannot be told."""
    later_runs: tuple[Instruction, ...] = ()
    """The RUN instructions of the image that come after it, and may read what it took."""

    @property
    def destination(self) -> str:
        """Where it lands; empty when that cannot be told."""
        return self.destinations[0] if len(self.destinations) == 1 else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """Which instructions of a target read a path."""

    fate: Fate
    takes: tuple[Take, ...] = ()
    """In the order of the Dockerfile; also those that only may."""
    reason: str = ""
    """Why it cannot be told, or what else may read it; empty when all is certain."""

    @property
    def only_copied(self) -> bool:
        """It gets into the image by COPY and ADD of the target alone, to places that are known."""
        known = (take.fate is Fate.COPIED and take.destination for take in self.takes)
        return self.fate is Fate.COPIED and not self.reason and all(known)


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY or ADD that writes into the image."""

    instruction: Instruction
    stage: str
    destination: str
    """Absolute, without a slash at the end; empty when it is not known."""
    is_folder: bool
    """It is certainly a folder; otherwise a file, or a folder when the source or the base image has one there."""
    origin: str
    """The stage or image of `--from`, as written; empty without."""
    from_context: bool
    """At least one of its sources is in the build context, not in a stage, an image, a URL or a heredoc."""


@dataclass(frozen=True, slots=True)
class Target:
    """The part of a Dockerfile that one image is built from."""

    stage: str = ""
    """Name of the stage; its index when it has no name."""
    working_dir: str = ""
    """That of the image; empty when it is not known."""
    doubts: tuple[str, ...] = ()
    """Why a path that no instruction takes may be taken all the same; empty: it is certain."""
    image: tuple[Step, ...] = ()
    """RUN, COPY and ADD that make the image, in order."""
    others: tuple[Step, ...] = ()
    """Those of the stages that are copied from or mounted."""
    images: tuple[str, ...] = ()
    """What the stages that it needs are built on and copy from, without `scratch`; `UNKNOWN` for unknown variables."""

    @property
    def copies(self) -> tuple[Copy, ...]:
        """What writes into the image, in order."""
        return tuple(_copy(step, step.landing) for step in self.image if step.landing)

    def reads(self, path: str, *, folder: bool = False, links: Mapping[str, str] | None = None) -> Reading:
        """What becomes of a path of the context (relative, `/`), a file unless `folder` says so.

        `links` are the symbolic links of the context, by path, with what they lead to.
        """
        outside = posixpath.normpath(path).split("/")[0] == ".."
        path = clean(path)
        names = () if outside else ((path, ""), *aliases(path, links or {}))
        takes = tuple(sorted(self._takes(names, folder), key=lambda take: take.instruction.line))
        unsure = [*(take.reason for take in takes if take.fate is Fate.UNKNOWN), *self.doubts]
        fates = {take.fate for take in takes}
        sure = (fate for fate in (Fate.COPIED, Fate.CARRIED, Fate.MOUNTED) if fate in fates)
        fate = next(sure, Fate.UNKNOWN if unsure else Fate.NOTHING)
        return Reading(fate, takes, unsure[0] if unsure else "")

    def link_followed(self, path: str, links: Mapping[str, str], *, folder: bool = False) -> str:
        """The link of the context under whose name some instruction takes the path; empty where none does."""
        led = [(alias, link) for alias, link in aliases(clean(path), links)]
        steps = (*self.image, *self.others)
        return next((link for alias, link in led for step in steps if _find(step, ((alias, link),), folder)), "")

    def _takes(self, names: _Names, folder: bool) -> Iterator[Take]:
        for step in self.others:
            if found := _find(step, names, folder):
                yield _take(step, found, Fate.CARRIED)
        for at, step in enumerate(self.image):
            if found := _find(step, names, folder):
                runs = tuple(later.instruction for later in self.image[at + 1 :] if later.landing is None)
                yield _take(step, found, Fate.COPIED, runs)


def target_of(
    dockerfile: Dockerfile,
    name: str = "",
    *,
    args: Mapping[str, str] | None = None,
    working_dir: str = "",
    contexts: Collection[str] = (),
) -> Target:
    """The stage of that name, or the last one, with all that it needs.

    `args` are the build arguments; `working_dir` is that of the base image, when it is known; `contexts` are the
    names of other build contexts (`--build-context`), which replace images and stages.
    """
    walker = Walker(dockerfile, args or {}, working_dir, contexts)
    index = walker.find(name) if name else len(dockerfile.stages) - 1
    if index is None or index < 0:
        missing = (f"there is no stage `{name}`",) if name else ()
        return Target(name, doubts=(*dockerfile.problems, *missing))
    for earlier in range(index):  # In order, so that a long chain of stages is not followed recursively.
        walker.walk(earlier)
    target = walker.walk(index)
    chain = _chain(target)
    needed = _needed(chain)
    doubts = (*dockerfile.problems, *(doubt for walked in (*chain, *needed) for doubt in walked.doubts))
    images = (image for walked in (*chain, *needed) for image in (walked.image, *walked.external))
    return Target(
        target.stage.label,
        target.state.working_dir,
        tuple(dict.fromkeys(doubts)),
        tuple(step for walked in chain for step in walked.steps),
        tuple(step for walked in needed for step in walked.steps),
        tuple(dict.fromkeys(image for image in images if image not in {"", "scratch"})),
    )


def _chain(walked: Walked) -> list[Walked]:
    """The stages that an image is made of, the first one first."""
    chain = [walked]
    while base := chain[-1].base:
        chain.append(base)
    return chain[::-1]


def _needed(chain: list[Walked]) -> list[Walked]:
    """The stages that are read by those of the chain, by what they are built on, and so on."""
    found: dict[int, Walked] = {}
    waiting = [needed for walked in chain for needed in walked.needs]
    while waiting:
        for walked in _chain(waiting.pop()):
            if walked.stage.index not in found:
                found[walked.stage.index] = walked
                waiting += walked.needs
    return [found[index] for index in sorted(found)]


def _copy(step: Step, landing: Landing) -> Copy:
    path, folder = landing.path, landing.folder
    return Copy(step.instruction, step.stage.label, path, folder, step.origin, bool(step.sources))


@dataclass(frozen=True, slots=True)
class _Found:
    """That a step takes a path, under the name by which it takes it."""

    hit: Hit
    path: str
    folder: bool
    pattern: str


def _find(step: Step, names: _Names, folder: bool) -> _Found | None:
    """The source that takes a path; one that may take it counts only when no other does."""
    found = [
        _Found(match, name, folder, source.pattern)
        for name, link in names
        for source in step.sources
        if (match := hit(source, name, folder=folder)) and (not link or follows(source, link, name, match))
    ]
    found.sort(key=lambda item: bool(item.hit.doubt))
    return found[0] if found else None


def _take(step: Step, found: _Found, fate: Fate, later_runs: tuple[Instruction, ...] = ()) -> Take:
    doubt = found.hit.doubt or step.doubt
    if step.landing is None:
        fate = Fate.MOUNTED
    destinations, reason = _destinations(step, found) if fate is Fate.COPIED and not doubt else ((), doubt)
    if fate is Fate.CARRIED and not doubt:
        reason = f"where it lands depends on what is copied from the stage `{step.stage.label}`"
    return Take(step.instruction, step.stage.label, Fate.UNKNOWN if doubt else fate, destinations, reason, later_runs)


def _destinations(step: Step, found: _Found) -> tuple[tuple[str, ...], str]:
    """Where it lands, and why that cannot be told."""
    landing, below, name = step.landing or Landing(), found.hit.below, posixpath.basename(found.path)
    if found.hit.part:
        return (), "it takes only some of what is in the folder"
    if not landing.path:
        return (), landing.doubt
    if below:
        return (posixpath.join(landing.path, below),), ""
    if _may_be_extracted(step.instruction, name):
        return (), "ADD extracts archives"
    inside = posixpath.join(landing.path, name)
    if found.folder:
        return (landing.path,), ""
    if landing.folder:
        return (inside,), ""
    if _is_named_like(landing.path, name, posixpath.basename(found.pattern.rstrip("/"))):
        return (landing.path,), ""
    return (landing.path, inside), f"it depends on whether `{landing.path}` is a folder of the base image"


def _may_be_extracted(instruction: Instruction, name: str) -> bool:
    unpacks = instruction.name == "ADD" and instruction.flag("unpack").lower() != "false"
    return unpacks and _ARCHIVE.fullmatch(name) is not None


def _is_named_like(path: str, name: str, pattern: str) -> bool:
    """Whether a destination looks like a file: the name or the suffix of the source, which no wildcard leaves open."""
    suffix = posixpath.splitext(name)[1]
    suffixes = {posixpath.splitext(path)[1], posixpath.splitext(pattern)[1]}
    return posixpath.basename(path) == name == pattern or (bool(suffix) and suffixes == {suffix})
