"""What can be built in a project: its Dockerfiles, and what compose.yaml and skaffold.yaml say of them.

Paths are relative to the project's folder, with slashes; `.` is the folder itself.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_VARIANTS = frozenset(
    (
        *("dev", "development", "local", "debug", "prod", "production", "release", "staging", "test", "tests", "ci"),
        *("base", "build", "builder", "alpine", "slim", "debian", "ubuntu", "arm64", "amd64", "multi", "multistage"),
    )
)
"""What says how a Dockerfile builds, not what: `Dockerfile.dev` is of the same thing as `Dockerfile`."""
_GENERIC = frozenset(
    (
        *("docker", "dockerfiles", "build", "builds", "deploy", "deployment", "container", "containers"),
        *("image", "images", "ops", "ci", "src", "infra", "package"),
    )
)
"""Folders that hold a Dockerfile and do not say of what."""


@dataclass(frozen=True, slots=True)
class FoundDockerfile:
    """A Dockerfile, and what it shows."""

    path: str
    context: str = "."
    """The folder in which all that it copies is found: its own, or one above it."""
    bases: tuple[str, ...] = ()
    """The images that its stages are built on."""


@dataclass(frozen=True, slots=True)
class StatedBuild:
    """A build as the file of another tool says it."""

    file: str
    """`compose.yaml`"""
    dockerfile: str
    context: str
    name: str = ""
    """What that file calls it; empty where it has no names."""
    image: str = ""
    target: str = ""
    args: tuple[tuple[str, str], ...] = ()
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Name:
    """What something to build may be called, and where that name comes from."""

    text: str
    origin: str
    """Ends a sentence: `the folder's name`."""


@dataclass(frozen=True, slots=True)
class StatedImage:
    """An image that another tool's file names for it."""

    image: str
    file: str


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to build; what becomes a service if a workload is found for it."""

    dockerfile: str
    context: str
    names: tuple[Name, ...]
    """The best first; never empty."""
    images: tuple[StatedImage, ...] = ()
    target: str = ""
    args: tuple[tuple[str, str], ...] = ()
    called: tuple[str, ...] = ()
    """Its names in compose.yaml."""
    depends_on: tuple[str, ...] = ()
    """Names in compose.yaml."""
    bases: tuple[str, ...] = ()
    is_variant: bool = False
    """`Dockerfile.dev`: whether another Dockerfile beside it is the plain one decides if this one counts."""

    def __str__(self) -> str:
        return f"{self.dockerfile}, target {self.target}" if self.target else self.dockerfile


def plain(text: str) -> str:
    """A name as Kubernetes would write it: lower case, with `-` for all that it does not take."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def sources(found: Iterable[FoundDockerfile], stated: Sequence[StatedBuild], project: str) -> tuple[Source, ...]:
    """Everything that can be built, in the order of the paths; `project` is the name of the project's folder."""
    made: list[Source] = []
    for dockerfile in sorted(found, key=lambda each: (each.path.count("/"), each.path)):
        own = [each for each in stated if each.dockerfile == dockerfile.path]
        made += [_source(dockerfile, group, project) for group in _groups(own)] or [_source(dockerfile, (), project)]
    return tuple(made)


def _groups(stated: Sequence[StatedBuild]) -> list[Sequence[StatedBuild]]:
    """What is one build. Skaffold's way counts where it knows the Dockerfile, for it is the one for Kubernetes; what
    Compose says of the same Dockerfile adds names."""
    nameless = [each for each in stated if not each.name]
    if len({_way(each) for each in nameless}) == 1:
        return [[*nameless, *(each for each in stated if each.name)]]
    groups: dict[tuple[object, ...], list[StatedBuild]] = {}
    for each in stated:
        groups.setdefault(_way(each), []).append(each)
    return list(groups.values())


def _way(build: StatedBuild) -> tuple[object, ...]:
    return build.context, build.target, build.args


def _source(found: FoundDockerfile, stated: Sequence[StatedBuild], project: str) -> Source:
    first = stated[0] if stated else None
    context = first.context if first else found.context
    return Source(
        dockerfile=found.path,
        context=context,
        names=_names(found.path, context, stated, project),
        images=tuple(StatedImage(each.image, each.file) for each in stated if each.image),
        target=first.target if first else "",
        args=first.args if first else (),
        called=tuple(each.name for each in stated if each.name),
        depends_on=tuple(dict.fromkeys(name for each in stated for name in each.depends_on)),
        bases=found.bases,
        is_variant=suffix_of(found.path) in _VARIANTS and not stated,
    )


def suffix_of(path: str) -> str:
    """What a Dockerfile's own name adds: `worker` of `Dockerfile.worker` and of `worker.Dockerfile`."""
    name = posixpath.basename(path).lower()
    for word in ("dockerfile", "containerfile"):
        if name.startswith(word):
            return name.removeprefix(word).strip(".-_")
        if name.endswith(f".{word}"):
            return name.removesuffix(f".{word}")
    return ""


def _names(path: str, context: str, stated: Sequence[StatedBuild], project: str) -> tuple[Name, ...]:
    named = [Name(each.name, f"its name in {each.file}") for each in stated if each.name]
    suffix = suffix_of(path)
    if suffix and suffix not in _VARIANTS:
        named.append(Name(suffix, "the Dockerfile's name"))
    else:
        named += [_folder_name(posixpath.dirname(path), project), _folder_name(context, project)]
    known: dict[str, Name] = {}
    for each in named:
        known.setdefault(plain(each.text), each)
    # A context that is the whole project says nothing about one of several Dockerfiles in it.
    if len(known) > 1 and known.get(plain(project)) == Name(project, _PROJECT):
        del known[plain(project)]
    return tuple(name for text, name in known.items() if text) or (Name("app", "what else it could be called"),)


_PROJECT = "the project's folder"


def _folder_name(folder: str, project: str) -> Name:
    """The nearest folder whose name says something; the project's own at the top."""
    while folder not in {"", "."}:
        name = posixpath.basename(folder)
        if plain(name) and name.lower().lstrip(".") not in _GENERIC:
            return Name(name, "the folder's name")
        folder = posixpath.dirname(folder)
    return Name(project, _PROJECT)


def best_context(folder: str, missing: Mapping[str, int]) -> str:
    """The folder to send to a build: the nearest to the Dockerfile in which the fewest copied paths are missing.

    `missing` has the Dockerfile's folder and those above it, the nearest first. A folder like `docker/`, which is there
    for Dockerfiles alone, is the last choice.
    """
    generic = folder not in {"", "."} and posixpath.basename(folder).lower().lstrip(".") in _GENERIC
    order = [*[*missing][1:], folder] if generic and len(missing) > 1 else [*missing]
    return min(order, key=lambda each: missing[each]) if order else folder
