"""Reads from compose.yaml and skaffold.yaml which images are built from which Dockerfiles.

Only what they say in so many words is taken: a value with a variable or a template in it is left out, and what is not
understood is passed over, since it only helps to guess.
"""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from devloop.core.init.source import StatedBuild

_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_SKAFFOLD = ("skaffold.yaml", "skaffold.yml")
_OTHER_BUILDERS = frozenset({"bazel", "jib", "buildpacks", "custom", "ko"})
"""Of Skaffold: these need no Dockerfile."""


def read_stated(root: Path) -> tuple[list[StatedBuild], list[str]]:
    """What the files of the project's folder say, Skaffold's first; and a sentence for each that cannot be read."""
    builds: list[StatedBuild] = []
    problems: list[str] = []
    for names, read in ((_SKAFFOLD, _skaffold), (_COMPOSE, _compose)):
        file = next((name for name in names if (root / name).is_file()), None)
        if file is None:
            continue
        try:
            documents = [*yaml.load_all((root / file).read_text("utf-8"), Loader=_Loader)]
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            mark = getattr(error, "problem_mark", None)
            problems.append(f"{file} cannot be read{f' (line {mark.line + 1})' if mark else ''} and is passed over")
            continue
        builds += [build for document in documents for build in read(file, _mapping(document))]
    return [build for build in builds if (root / build.dockerfile).is_file()], problems


class _Loader(yaml.SafeLoader):
    """Takes the tags of other tools (`!reset` of Compose) for nothing."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


def _compose(file: str, document: Mapping[str, Any]) -> Iterator[StatedBuild]:
    for name, service in _mapping(document.get("services")).items():
        service = _mapping(service)
        build = service.get("build")
        table = {"context": build} if isinstance(build, str) else _mapping(build)
        context = _inside(table.get("context") or ".") if table and "dockerfile_inline" not in table else None
        dockerfile = _inside(table.get("dockerfile") or "Dockerfile", context or ".")
        if context is None or dockerfile is None:
            continue
        yield StatedBuild(
            file,
            dockerfile,
            context,
            name=str(name),
            image=_plain(service.get("image")),
            target=_plain(table.get("target")),
            args=_arguments(table.get("args")),
            depends_on=tuple(map(str, service.get("depends_on") or ())),
        )


def _skaffold(file: str, document: Mapping[str, Any]) -> Iterator[StatedBuild]:
    for artifact in map(_mapping, _list(_mapping(document.get("build")).get("artifacts"))):
        context = _inside(artifact.get("context") or artifact.get("workspace") or ".")
        docker = _mapping(artifact.get("docker")) or _mapping(artifact.get("kaniko"))
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


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain(value: Any) -> str:
    """A text without anything that the other tool would fill in."""
    return value if isinstance(value, str) and not ("$" in value or "{{" in value) else ""


def _inside(value: Any, folder: str = ".") -> str | None:
    """A path of the project, relative to a folder of it; None for what is elsewhere or not written out."""
    text = _plain(value)
    if not text or "://" in text or text.startswith(("/", "~", "git@")):
        return None
    path = posixpath.normpath(posixpath.join(folder, text))
    return None if path.startswith("..") else path


def _arguments(value: Any) -> tuple[tuple[str, str], ...]:
    """Build arguments with their values; those that come from the environment are not known here."""
    pairs = (str(item).partition("=")[::2] for item in value if "=" in str(item)) if isinstance(value, list) else ()
    table = dict(pairs) if isinstance(value, list) else _mapping(value)
    texts = ((str(key), _scalar(item)) for key, item in table.items())
    return tuple(sorted((key, text) for key, text in texts if text is not None))


def _scalar(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) and _plain(value) == value else None
