"""Reads from Compose's and Skaffold's files which images are built from which Dockerfiles.

Only what they say in so many words is taken: a value with a variable or a template in it is left out, and what is not
understood is passed over, since it only helps to guess.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from devloop.adapters.composefiles import is_local, mapping, services_of
from devloop.core.init.source import StatedBuild

_SKAFFOLD = ("skaffold.yaml", "skaffold.yml")
_OTHER_BUILDERS = frozenset({"bazel", "jib", "buildpacks", "custom", "ko"})
"""Of Skaffold: these need no Dockerfile."""


def read_stated(root: Path) -> tuple[list[StatedBuild], list[str]]:
    """What the files of the project say, Skaffold's first; and a sentence for each that cannot be read."""
    files = _Files(root)
    builds = [*_skaffold(files), *_compose(files)]
    return [build for build in builds if (root / build.dockerfile).is_file()], files.problems


class _Loader(yaml.SafeLoader):
    """Takes the tags of other tools (`!reset` of Compose) for nothing."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


_STUMBLES = (ValueError, LookupError, OverflowError, AttributeError)
"""What PyYAML lets through where a value is none of its type (`2024-13-45`, `!!bool x`); the first also for a path."""


class _Files:
    """The YAML files of a project, each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[str] = []
        self._known: dict[str, Sequence[Any]] = {}

    def first(self, path: str) -> Mapping[str, Any]:
        """The first document of a file; empty where there is none."""
        documents = self.all(path)
        return mapping(documents[0]) if documents else {}

    def all(self, path: str) -> Sequence[Any]:
        if path not in self._known:
            self._known[path] = self._read(path) if is_local(path) and not path.startswith("..") else []
        return self._known[path]

    def _read(self, path: str) -> Sequence[Any]:
        try:
            return [*yaml.load_all((self.root / path).read_text("utf-8"), Loader=_Loader)]
        except FileNotFoundError:
            return []
        except (OSError, yaml.YAMLError, RecursionError, *_STUMBLES) as error:
            mark = getattr(error, "problem_mark", None)
            self.problems.append(
                f"{path} cannot be read{f' (line {mark.line + 1})' if mark else ''} and is passed over"
            )
            return []


def _compose(files: _Files) -> Iterator[StatedBuild]:
    for file, name, service in services_of(files.root, files.first):
        table = service["build"]
        context = _inside(table.get("context"))
        dockerfile = _inside(table.get("dockerfile") or "Dockerfile", context or ".")
        if context is None or dockerfile is None or "dockerfile_inline" in table:
            continue
        yield StatedBuild(
            file,
            dockerfile,
            context,
            name=name,
            image=_plain(service.get("image")),
            target=_plain(table.get("target")),
            args=_arguments(table.get("args")),
            depends_on=tuple(dict.fromkeys(service.get("depends_on", ()))),
        )


def _skaffold(files: _Files) -> Iterator[StatedBuild]:
    """The artifacts of the project's file and of those that it requires, each with paths relative to its own folder."""
    waiting = [name for name in _SKAFFOLD if (files.root / name).is_file()][:1]
    known: set[str] = set()
    while waiting:
        file = waiting.pop(0)
        if file in known:
            continue
        known.add(file)
        for document in map(mapping, files.all(file)):
            yield from _artifacts(file, document)
            waiting += [path for each in _list(document.get("requires")) if (path := _required(files, file, each))]


def _required(files: _Files, file: str, entry: Any) -> str | None:
    """The file of a configuration of the same project; what comes from a repository is none."""
    path = _inside(mapping(entry).get("path"), posixpath.dirname(file) or ".")
    if path is None or not (files.root / path).is_dir():
        return path
    return next((f"{path}/{name}" for name in _SKAFFOLD if (files.root / path / name).is_file()), None)


def _artifacts(file: str, document: Mapping[str, Any]) -> Iterator[StatedBuild]:
    folder = posixpath.dirname(file) or "."
    for artifact in map(mapping, _list(mapping(document.get("build")).get("artifacts"))):
        context = _inside(artifact.get("context") or artifact.get("workspace") or ".", folder)
        docker = mapping(artifact.get("docker")) or mapping(artifact.get("kaniko"))
        dockerfile = _inside(docker.get("dockerfile") or "Dockerfile", context or ".")
        if context is None or dockerfile is None or not _OTHER_BUILDERS.isdisjoint(artifact):
            continue
        yield StatedBuild(
            file,
            dockerfile,
            context,
            image=_plain(artifact.get("image")),
            target=_plain(docker.get("target")),
            args=_arguments(docker.get("buildArgs")),
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain(value: Any) -> str:
    """A text without anything that the other tool would fill in."""
    return value if isinstance(value, str) and not ("$" in value or "{{" in value) else ""


def _inside(value: Any, folder: str = ".") -> str | None:
    """A path of the project, relative to a folder of it; None for what is elsewhere or not written out."""
    text = _plain(value)
    if not text or not is_local(text):
        return None
    path = posixpath.normpath(posixpath.join(folder, text))
    return None if path.startswith("..") else path


def _arguments(value: Any) -> tuple[tuple[str, str], ...]:
    """Build arguments with their values; those that come from the environment are not known here."""
    texts = ((str(key), _scalar(item)) for key, item in mapping(value).items())
    return tuple(sorted((key, text) for key, text in texts if text is not None))


def _scalar(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) and _plain(value) == value else None
