"""Whether the folders and files that a configuration names are there."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from devloop.core import toml
from devloop.core.config import BuildConfig, Config, ServiceConfig
from devloop.core.problems import Finding, Place
from devloop.core.resolve import absolute, secret_files
from devloop.core.service import Service

_CREATE = "create it, or name another one with `dockerfile` under `build`"


def missing_paths(config: Config, services: Sequence[Service], root: Path) -> list[Finding]:
    """A finding for every path of these services that is not there, or is not what it has to be."""
    findings: list[Finding] = []
    for service in services:
        try:
            findings += _of_service(config.services[service.name], service, root)
        except OSError as error:
            wrong = f"`{error.filename}` cannot be read ({error.strerror})"
            findings.append(Finding(("services", service.name, "build"), wrong, "make it readable for you"))
    return findings


def _of_service(config: ServiceConfig, service: Service, root: Path) -> Iterator[Finding]:
    place: Place = ("services", service.name)
    if service.build.context.is_dir():
        yield from _dockerfile(config, service, root)
    else:
        yield _no_folder(place, config.build.context, service.build.context)
    for index, text in enumerate(config.watch):
        if not absolute(root, text).exists():
            yield Finding((*place, "watch", index), f"there is no `{text}`", _fix(text))
    for path in secret_files(service.build):
        if not path.is_file():
            yield Finding((*place, "build", "secrets"), f"there is no file `{_shown(path, root)}`", "create it")


def _no_folder(place: Place, text: str, path: Path) -> Finding:
    if path.exists():
        return Finding((*place, "build", "context"), f"`{text}` is no folder", "name the folder that holds it")
    return Finding((*place, "build", "context"), f"there is no folder `{text}`", _fix(text))


def _fix(text: str) -> str:
    if text.startswith("~"):
        return f"write `${{HOME}}{text[1:]}`"
    if "://" in text or text.startswith("git@"):
        return "name a folder here: devloop builds what it can watch"
    return "create it, or correct the path (it is relative to this file)"


def _dockerfile(config: ServiceConfig, service: Service, root: Path) -> Iterator[Finding]:
    path = service.build.dockerfile
    if path.is_file():
        return
    others = _instead(config, service)
    fix = f"write `{_naming(config.build, _shown(others[0], root))}` if that one is meant" if others else _CREATE
    key = "dockerfile" if config.build.dockerfile else "context"
    yield Finding(("services", service.name, "build", key), f"there is no `{_shown(path, root)}`", fix)


def _naming(build: BuildConfig, dockerfile: str) -> str:
    """What to write to name that Dockerfile: the table that a mere folder becomes, or the key of a table."""
    if build.model_fields_set <= {"context"}:
        return f"build = {toml.value_text({'context': build.context, 'dockerfile': dockerfile})}"
    return f"dockerfile = {toml.value_text(dockerfile)}"


def _instead(config: ServiceConfig, service: Service) -> list[Path]:
    """Dockerfiles that may have been meant: the same path inside the context, else what is called like one."""
    context = service.build.context
    if config.build.dockerfile and (inside := absolute(context, config.build.dockerfile)).is_file():
        return [inside]
    return sorted(_called_like_one(context.iterdir()))


def _called_like_one(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        name = path.name.lower()
        looks_right = name.startswith(("dockerfile", "containerfile")) or name.endswith(".dockerfile")
        if looks_right and not name.endswith(".dockerignore") and path.is_file():
            yield path


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
