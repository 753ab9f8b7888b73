"""What is watched for a service and what is left out, counted without reading a file: for `devloop plan`."""

import os
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from devloop.adapters.scope import Area, Scope, parent
from devloop.core.ignore import VERSION_CONTROL, Decision, is_temporary
from devloop.core.service import Service

TEMPORARY = "temporary files of editors"
"""Stands in a survey for all the names that `is_temporary` knows."""


@dataclass(frozen=True, slots=True)
class Survey:
    """How many files are watched, and how many paths each pattern leaves out."""

    files: int
    ignored: tuple[tuple[str, int], ...]
    """Pattern and paths, the most first. A folder that need not be entered is one path, whatever is in it."""


def survey(service: Service) -> Survey:
    """Look at the build context and at what else is watched; blocks, so call it in a thread."""
    return _Walk(Scope.read(Area.of(service))).survey()


class _At(NamedTuple):
    """What everything in one folder inherits; see `devloop.adapters.pictures`, which takes the same decisions."""

    ignored: Decision = Decision()
    quiet: Decision = Decision()
    beside: bool = False


class _Walk:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._files = 0
        self._ignored: Counter[str] = Counter()

    def survey(self) -> Survey:
        self._below("", _At())
        for name in self._scope.beside:
            if not self._scope.is_beside(parent(name)):
                self._single(name)
        paths = [self._scope.path_of(name) for name in self._scope.steering]
        self._files += sum(os.path.isfile(path) for path in paths)  # noqa: PTH113 - strings, as in `pictures`
        return Survey(self._files, tuple(self._ignored.most_common()))

    def _single(self, name: str) -> None:
        """Something that is watched and not in the context."""
        path = self._scope.path_of(name)
        if not os.path.lexists(path):
            return
        is_folder = os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114
        within = self._look(name, is_folder, _At(beside=True))
        if within is not None:
            self._below(name, within)

    def _below(self, folder: str, at: _At) -> None:
        waiting = [(folder, at)]
        while waiting:
            folder, at = waiting.pop()
            prefix = f"{folder}/" if folder else ""
            for name, is_folder in _entries(self._scope.path_of(folder)):
                within = self._look(prefix + name, is_folder, at)
                if within is not None:
                    waiting.append((prefix + name, within))

    def _look(self, name: str, is_folder: bool, at: _At) -> _At | None:
        """Count one path; returns what is inherited by what is in it, if it is a folder to be entered."""
        if name in self._scope.steering or (self._scope.is_beside(name) and not at.beside):
            return None  # counted apart
        last = name.rpartition("/")[2]
        if last in VERSION_CONTROL or is_temporary(last):
            self._ignored[f"{last}/" if last in VERSION_CONTROL else TEMPORARY] += 1
            return None
        ignored = Decision() if at.beside else self._scope.ignore_file.matcher.decide(name, at.ignored)
        quiet = self._scope.quiet.decide(name, at.quiet)
        for decision in (ignored, quiet):
            if decision.whole or (decision.ignored and not is_folder):
                self._ignored[decision.pattern] += 1
                return None
        if not is_folder:
            self._files += at.beside or self._scope.in_roots(name)
            return None
        return _At(ignored, quiet, at.beside) if at.beside or self._holds_watched(name) else None

    def _holds_watched(self, folder: str) -> bool:
        return self._scope.in_roots(folder) or any(root.startswith(f"{folder}/") for root in self._scope.roots)


def _entries(folder: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(folder) as found:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
    except OSError:
        return []
