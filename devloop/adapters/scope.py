"""What belongs to one service's picture: its build context, the files that steer the build, and what is watched."""

import os
from dataclasses import dataclass
from pathlib import Path

from devloop.core.ignore import Decision, Matcher, never_triggers, parse
from devloop.core.picture import Picture
from devloop.core.service import BuildSpec, Service

_FAR = "../../../"


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """The ignore file that BuildKit uses, and what it says."""

    path: Path | None
    """None when there is none."""
    matcher: Matcher

    @property
    def says(self) -> tuple[object, ...]:
        return self.path, self.matcher.patterns, self.matcher.problems


def ignore_candidates(context: Path, dockerfile: Path) -> tuple[Path, Path]:
    """Where BuildKit looks: beside the Dockerfile first, also outside the context, then in the context."""
    return dockerfile.with_name(dockerfile.name + ".dockerignore"), context / ".dockerignore"


def read_ignore_file(context: Path, dockerfile: Path) -> IgnoreFile:
    """The first one that can be read counts alone; an unreadable one counts as absent, as it does for BuildKit."""
    for path in ignore_candidates(context, dockerfile):
        try:
            return IgnoreFile(path, Matcher(parse(path.read_bytes())))
        except OSError:
            continue
    return IgnoreFile(None, Matcher())


@dataclass(frozen=True, slots=True)
class Area:
    """What the user configured: equal areas share one picture."""

    context: Path
    dockerfile: Path
    watch: tuple[Path, ...]
    ignore: tuple[str, ...]

    @classmethod
    def of(cls, service: Service) -> "Area":
        context = _absolute(service.build.context)
        watch = tuple(sorted({_absolute(path) for path in service.watch} or {context}))
        return cls(context, _absolute(service.build.dockerfile), watch, service.ignore)

    def is_of(self, spec: BuildSpec) -> bool:
        """Whether a build takes its context from here."""
        return (self.context, self.dockerfile) == (_absolute(spec.context), _absolute(spec.dockerfile))

    def folders(self) -> frozenset[str]:
        """Folders that exist now and have, somewhere below, all that is of interest."""
        paths = (self.context, self.dockerfile.parent, *self.watch)
        folders = {path if path.is_dir() else path.parent for path in paths}
        inner = {folder for folder in folders if self.context in folder.parents}
        return frozenset(map(str, folders - inner))


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """An area with its patterns read: what exactly a picture shows, and which of it is watched.

    Names are relative to the context; those of other places start with `../`.
    """

    area: Area
    ignore_file: IgnoreFile
    quiet: Matcher
    """The service's own patterns: in the image, but not watched."""
    steering: tuple[str, ...]
    """Names of the Dockerfile and of every file that is or could become the ignore file: always watched."""
    roots: tuple[str, ...]
    """Names of what is watched in the context; `("",)` is all of it."""
    beside: tuple[str, ...]
    """Names of what is watched and not in the context: elsewhere, or ignored there but asked for."""

    @classmethod
    def read(cls, area: Area) -> "Scope":
        ignore_file = read_ignore_file(area.context, area.dockerfile)
        steering = (area.dockerfile, *ignore_candidates(area.context, area.dockerfile))
        watched = tuple(name_of(path, area.context) for path in area.watch)
        ignores = ignore_file.matcher.ignores
        roots = tuple(name for name in watched if not name or not (leads_out(name) or ignores(name)))
        return cls(
            area,
            ignore_file,
            Matcher(parse("\n".join(area.ignore))),
            tuple(dict.fromkeys(name_of(path, area.context) for path in steering)),
            roots,
            tuple(name for name in watched if name not in roots),
        )

    def same_as(self, other: "Scope") -> bool:
        """Whether both were read from the same area and the same ignore file."""
        return self.area == other.area and self.ignore_file.says == other.ignore_file.says

    def path_of(self, name: str) -> str:
        return os.path.normpath(os.path.join(self.area.context, name))  # noqa: PTH118 - keeps `a/link/..` lexical

    def in_roots(self, name: str) -> bool:
        """Whether a name of the context is, or is in, something watched."""
        return any(not root or name == root or name.startswith(root + "/") for root in self.roots)

    def is_beside(self, name: str) -> bool:
        return any(name == root or name.startswith(root + "/") for root in self.beside)

    def wants_events(self, folder: str) -> bool:
        """Whether something may happen directly in this folder that counts."""
        if self.is_beside(folder) or folder in map(parent, (*self.steering, *self.beside)):
            return True
        if leads_out(folder) or (folder and self.quiet.about(folder).whole):
            return False
        return not folder or self.in_roots(folder) or any(root.startswith(folder + "/") for root in self.roots)

    def is_outside(self, name: str) -> bool:
        """Whether a name is watched, and no part of the context."""
        return leads_out(name) or (self.is_beside(name) and self.ignore_file.matcher.ignores(name))

    @property
    def tells_all(self) -> bool:
        """Whether every change in the context is told: all of it is watched."""
        return self.roots == ("",) and not self.quiet.patterns

    def counts(self, name: str, *, is_folder: bool) -> bool:
        """Whether a change at this name can make a difference that is watched."""
        if name in self.steering:
            return True
        if never_triggers(name) or (not name and not is_folder):
            return False
        quiet = self.quiet.about(name) if name else Decision()
        if quiet.whole or (quiet.ignored and not is_folder):
            return False
        if self.is_beside(name):
            return True
        ignored = self.ignore_file.matcher.about(name) if name else Decision()
        if leads_out(name) or ignored.whole or (ignored.ignored and not is_folder):
            return False
        return is_folder or self.in_roots(name)


@dataclass(frozen=True, slots=True)
class Context:
    """A build context as it is known."""

    scope: Scope
    picture: Picture


def name_of(path: str | Path, context: Path) -> str:
    """How a picture calls a path; empty for the context itself."""
    name = os.path.relpath(path, context)
    return "" if name == "." else name


def shown(name: str, context: Path) -> str:
    """A name for people, which any encoding can take; what is far from the context is told by its absolute path."""
    name = os.fsencode(name).decode("utf-8", "replace")
    if not name.startswith(_FAR):
        return name or "."
    path = os.path.normpath(os.path.join(context, name))  # noqa: PTH118 - stays lexical
    home = os.path.expanduser("~")  # noqa: PTH111 - never raises
    return f"~{path[len(home) :]}" if path.startswith(home + "/") else path


def is_there(context: Path, shown_name: str) -> bool:
    """Whether there is what is shown so; also where its name was not shown as it is. `context`: as the file says it, a
    link perhaps, from which `..` leads out by the name."""
    if "\ufffd" in shown_name:
        return True
    names = [shown_name]
    if shown_name.startswith("~/"):
        names.append(os.path.expanduser(shown_name))  # noqa: PTH111 - never raises
    return any(os.path.lexists(os.path.normpath(os.path.join(context, name))) for name in names)  # noqa: PTH118


def leads_out(name: str) -> bool:
    """Whether a name is of something that is not in the context."""
    return name == ".." or name.startswith("../")


def parent(name: str) -> str:
    return name.rpartition("/")[0]


def _absolute(path: Path) -> Path:
    # Links are kept: a context that is a link may be pointed elsewhere while it is watched.
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
