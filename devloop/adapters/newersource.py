"""What of a service's source was saved after its image was built, from the times of its files; reads none of them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from devloop.adapters.scope import Area, Scope, shown
from devloop.core.ignore import Decision, never_triggers
from devloop.core.why.facts import SavedFile, Source

_SHOWN = 20
_GIT_PATIENCE = 3.0
_Saved = tuple[float, str, str]
"""When, the name in the context, and the pattern that leaves it out."""


def look(service: str, area: Area, built: float) -> Source | None:
    """The source as it is now, beside an image that was built then (0.0: not known); None when there is no context.

    Left out are what version control and editors write, and what the ignore file leaves out, unless git keeps it: that
    is something that a person saves. Blocks, so call it in a thread.
    """
    if not area.context.is_dir():
        return None
    scope = Scope.read(area)
    links: dict[str, str] = {}
    inside = sorted(_in_context(scope, links), reverse=True)
    outside = max(_kept_by_git(scope), default=None)
    newer = tuple(_file(area, saved) for saved in inside[:_SHOWN] if built and saved[0] > built)
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


def _tracked(context: Path) -> list[str]:
    command = ["git", "-C", str(context), "ls-files", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


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
