"""What of a service's source was saved after its image was built, from the times of its files and of commits."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from devloop.adapters.scope import Area, Scope, shown
from devloop.core.ignore import Decision, never_triggers
from devloop.core.why.facts import SavedFile, Source

_SHOWN = 20
_GIT_PATIENCE = 3.0
_Saved = tuple[float, str, str]
"""When, the name in the context, and the pattern that leaves it out."""


def look(service: str, area: Area, built: float, *, of_files: bool = False) -> Source | None:
    """The source as it is now, beside an image that was built then (0.0: not known); None when there is no context.

    `of_files`: that is the time of the newest file in it, which says nothing of the files that steer the build.

    Left out are what version control and editors write, and what the ignore file leaves out, unless git keeps it or it
    steers the build: that is something that a person saves. A file that is as git has it counts from its commit, where
    that is earlier: a clone or a switch of branches writes files that nobody saved. Blocks, so call it in a thread.
    """
    if not area.context.is_dir():
        return None
    scope = Scope.read(area)
    links: dict[str, str] = {}
    history = _History(area.context, built)
    inside = sorted(history.saves(_in_context(scope, links)), reverse=True)
    outside = max(history.saves([*_kept_by_git(scope), *_steering(scope)]), default=None)
    late = [saved for saved in inside[:_SHOWN] if built and _after(saved[0], built)]
    newer = tuple(_file(area, saved) for saved in late if not (of_files and saved[1] in scope.steering))
    newest = max([*inside[:1], *([outside] if outside else [])], default=None)
    ignore_file = scope.ignore_file.path
    return Source(
        service,
        shown("", area.context) if area.context == Path.cwd() else os.path.relpath(area.context),
        os.path.relpath(ignore_file) if ignore_file is not None else "",
        newer,
        _file(area, newest) if newest else None,
        built,
        links=links,
    )


def _after(at: float, built: float) -> bool:
    """Whether that was saved after the image was built: where devloop made it, in the second of its newest file."""
    return (int(at) if built.is_integer() else at) > built


def _file(area: Area, saved: _Saved) -> SavedFile:
    at, name, pattern = saved
    return SavedFile(shown(name, area.context), at, pattern)


def _in_context(scope: Scope, links: dict[str, str]) -> Iterator[_Saved]:
    """What BuildKit may be sent; symbolic links among it are entered into `links`."""
    waiting = [("", Decision())]
    while waiting:
        folder, ignored = waiting.pop()
        prefix = f"{folder}/" if folder else ""
        for entry in _entries(scope.path_of(folder)):
            name = prefix + entry.name
            if never_triggers(name):
                continue
            decision = scope.ignore_file.matcher.decide(name, ignored)
            if entry.is_dir(follow_symlinks=False):
                if not decision.whole:
                    waiting.append((name, decision))
            elif not decision.ignored and not scope.quiet.ignores(name):
                if entry.is_symlink():
                    links[name] = str(Path(entry.path).readlink())
                yield from _saved(entry.path, name, "")


def _kept_by_git(scope: Scope) -> Iterator[_Saved]:
    """Files that the ignore file leaves out, and that git has."""
    matcher = scope.ignore_file.matcher
    if not matcher.patterns:
        return
    for name in _tracked(scope.area.context):
        decision = matcher.about(name)
        if decision.ignored and name not in scope.steering and not scope.quiet.ignores(name):
            yield from _saved(scope.path_of(name), name, decision.pattern)


def _steering(scope: Scope) -> Iterator[_Saved]:
    """The Dockerfile and its ignore files, which make the image also where they are left out of the context."""
    for name in scope.steering:
        yield from _saved(scope.path_of(name), name, "")


@dataclass
class _History:
    """When what is newer than the image was saved, as far as git tells more than the times of files."""

    context: Path
    built: float

    def saves(self, files: Iterable[_Saved]) -> Iterator[_Saved]:
        """Without those that git has just so since before the image was built: somebody else wrote them then."""
        for at, name, pattern in files:
            if not self.built or not _after(at, self.built) or name not in self._unchanged:
                yield at, name, pattern
            elif name in self._committed:
                yield min(at, self._committed[name]), name, pattern

    @cached_property
    def _unchanged(self) -> frozenset[str]:
        """What is as the commit at hand has it."""
        changed = _git(self.context, "diff", "--name-only", "-z", "--relative", "HEAD")
        return frozenset() if changed is None else frozenset(_tracked(self.context)) - set(_names(changed))

    @cached_property
    def _committed(self) -> Mapping[str, float]:
        """The last commit of each file that has one since the image was built."""
        asked = ("log", f"--max-age={int(self.built)}", "--format=%x00%ct", "--name-only", "--relative", "--", ".")
        times: dict[str, float] = {}
        for entry in (_git(self.context, *asked) or b"").split(b"\0")[1:]:
            at, *names = entry.split(b"\n")
            times = {os.fsdecode(name): float(at) for name in names if name} | times
        return times


def _tracked(context: Path) -> list[str]:
    return _names(_git(context, "ls-files", "-z") or b"")


def _names(told: bytes) -> list[str]:
    return [os.fsdecode(name) for name in told.split(b"\0") if name]


def _git(context: Path, *words: str) -> bytes | None:
    """What git says; None when there is no git, no repository or no commit. Takes no lock, so it writes nothing."""
    command = ["git", "--no-optional-locks", "-c", "core.quotePath=false", "-C", str(context), *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _saved(path: str, name: str, pattern: str) -> Iterator[_Saved]:
    try:
        yield os.lstat(path).st_mtime, name, pattern
    except OSError:
        return


def _entries(folder: str) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
