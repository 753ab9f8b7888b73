"""Finds the Dockerfiles of a project, except in what its `.gitignore`s leave out and in folders of dependencies."""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from devloop.core.dockerfile import Dockerfile, parse
from devloop.core.gitignore import patterns
from devloop.core.ignore import Matcher
from devloop.core.init.source import FoundDockerfile, best_context

_OTHERS = frozenset(
    {"node_modules", "venv", "virtualenv", "vendor", "__pycache__", "site-packages", "bower_components"}
)
"""Folders of dependencies; folders whose name begins with a dot are passed over as well."""
_NO_DOCKERFILES = (".dockerignore", ".md", ".txt", ".tmpl", ".tpl", ".template", ".j2", ".in", ".orig", ".bak", ".rej")
_MOST_COPIES = 200
"""Paths that one Dockerfile copies and that are looked for: enough to tell which folder is its context."""


def find_dockerfiles(root: Path) -> list[FoundDockerfile]:
    """All of the project; blocks, so call it in a thread."""
    return [read_dockerfile(root, path) for path in sorted(_walk(root))]


def looks_like_one(name: str) -> bool:
    """`Dockerfile`, `Dockerfile.dev`, `web.Dockerfile`, and the same for `Containerfile`."""
    low = name.lower()
    if low.endswith(_NO_DOCKERFILES):
        return False
    words = ("dockerfile", "containerfile")
    return any(low == word or low.startswith((f"{word}.", f"{word}-")) or low.endswith(f".{word}") for word in words)


def read_dockerfile(root: Path, path: str) -> FoundDockerfile:
    """What one shows: what it is built on, and in which folder all that it copies is."""
    try:
        parsed = parse((root / path).read_text("utf-8", errors="replace"))
    except OSError:
        parsed = Dockerfile()
    folder = posixpath.dirname(path) or "."
    copied = _copied(parsed)
    missing = {each: sum(not _is_there(root / each, source) for source in copied) for each in _upwards(folder)}
    return FoundDockerfile(path, best_context(folder, missing), _bases(parsed))


def _walk(root: Path) -> Iterator[str]:
    waiting: list[tuple[str, Matcher]] = [("", Matcher())]
    while waiting:
        folder, matcher = waiting.pop()
        if own := _own_patterns(root, folder):
            matcher = Matcher((*(pattern.text for pattern in matcher.patterns), *own))
        for name, is_folder in _entries(root / folder):
            path = f"{folder}/{name}" if folder else name
            if is_folder:
                if name not in _OTHERS and not name.startswith(".") and not matcher.ignores(path):
                    waiting.append((path, matcher))
            elif looks_like_one(name) and not matcher.ignores(path):
                yield path


def _own_patterns(root: Path, folder: str) -> tuple[str, ...]:
    try:
        return patterns((root / folder / ".gitignore").read_text("utf-8", errors="surrogateescape"), folder)
    except OSError:
        return ()


def _entries(folder: Path) -> list[tuple[str, bool]]:
    try:
        with os.scandir(folder) as found:
            entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
    except OSError:
        return []
    # A name that is no text could not be written into a configuration.
    return [(name, is_folder) for name, is_folder in entries if name.isprintable()]


def _upwards(folder: str) -> Iterator[str]:
    """The folder and those above it, up to the project's own."""
    while folder != ".":
        yield folder
        folder = posixpath.dirname(folder) or "."
    yield "."


def _copied(dockerfile: Dockerfile) -> list[str]:
    """The paths of the context that it copies, as far as they are written out."""
    found = [
        source
        for stage in dockerfile.stages
        for each in stage.instructions
        if each.name in {"COPY", "ADD"} and not each.flag("from") and not each.heredocs
        for source in each.args[:-1]
        if not ("$" in source or "://" in source or source.startswith("git@") or '"' in source)
    ]
    return found[:_MOST_COPIES]


def _is_there(context: Path, source: str) -> bool:
    relative = posixpath.normpath("/" + source).lstrip("/") or "."
    try:
        if any(char in relative for char in "*?["):
            return next(context.glob(relative), None) is not None
        return (context / relative).exists()
    except (OSError, ValueError):
        return False


def _bases(dockerfile: Dockerfile) -> tuple[str, ...]:
    stages = {stage.name for stage in dockerfile.stages}
    named = (stage.base for stage in dockerfile.stages)
    return tuple(dict.fromkeys(base for base in named if base.lower() not in stages and "$" not in base))
