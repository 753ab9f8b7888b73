"""What to run for a container: the command, environment and folder of its image and Pod, mapped to this machine.

Programs run as plain processes, so a path of the image means nothing to them. Mapped are: the program, the working
directory, `PATH`, `HOME`, `TMPDIR`, and each argument that is an absolute path of the image. Python is the one that
runs the sandbox; a shell and its tools that the image does not bring are those of the machine.
"""

import os
import posixpath
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devloop.sandbox.runtime.rooted import rooted
from devloop.sandbox.runtimeport import ContainerSpec

_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FROM_HERE = ("/usr/bin", "/bin")
"""Folders whose programs stand in for those that the image does not have."""
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Variables that Python itself may need to start."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container lives on disk."""

    root: Path
    """Its own copy of the image."""
    bin: Path
    """A folder beside it with Python, the first of its `PATH`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A process to start."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    folder: Path


def prepare(spec: ContainerSpec, config: Mapping[str, Any], place: Place, port: int) -> Prepared:
    """`config` is that of the image; raises `OSError`."""
    env = _environment(spec, config, place, port)
    folder = rooted(place.root, spec.working_dir or str(config.get("WorkingDir") or "/"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f'mkdir "{spec.working_dir}": {error.strerror}') from error
    words = _words(spec, config)
    return Prepared(mapped(words, config, spec, place), env, folder)


def mapped(words: Sequence[str], config: Mapping[str, Any], spec: ContainerSpec, place: Place) -> tuple[str, ...]:
    """A command of the container as it runs here; raises `OSError`."""
    path = spec.env.get("PATH") or _variables(config).get("PATH") or _PATH
    folder = spec.working_dir or str(config.get("WorkingDir") or "/")
    program = _found(words[0], path, folder, place)
    interpreter = _interpreter(program, path, place) if program.is_relative_to(place.root) else ()
    return (*interpreter, str(program), *(_argument(word, place) for word in words[1:]))


def _words(spec: ContainerSpec, config: Mapping[str, Any]) -> tuple[str, ...]:
    """https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/"""
    if spec.command:
        words = (*spec.command, *spec.args)
    else:
        words = (*(config.get("Entrypoint") or ()), *(spec.args or config.get("Cmd") or ()))
    if not words:
        raise OSError("no command specified")
    return words


def _found(name: str, path: str, folder: str, place: Place) -> Path:
    """The program of that name; raises `OSError`."""
    last = posixpath.basename(name)
    if _PYTHON.fullmatch(last) and (last == name or name.startswith("/")):
        return place.bin / "python3"
    if "/" in name:
        return _checked(name, posixpath.join(folder, name), place)
    for each in path.split(":"):
        program = rooted(place.root, posixpath.join(folder, each, name))
        if program.is_file() and os.access(program, os.X_OK):
            return program
    here = _of_this_machine(name)
    if here is None:
        raise OSError(f'exec: "{name}": executable file not found in $PATH')
    return here


def _checked(name: str, path: str, place: Place) -> Path:
    program = rooted(place.root, path)
    if not program.exists():
        here = _of_this_machine(posixpath.basename(path)) if posixpath.dirname(path) in _FROM_HERE else None
        if here is None:
            raise OSError(f'exec: "{name}": stat {path}: no such file or directory')
        return here
    if program.is_dir() or not os.access(program, os.X_OK):
        raise OSError(f'exec: "{name}": permission denied')
    return program


def _of_this_machine(name: str) -> Path | None:
    candidates = (Path(folder, name) for folder in _FROM_HERE)
    return next((each for each in candidates if each.is_file() and os.access(each, os.X_OK)), None)


def _interpreter(program: Path, path: str, place: Place) -> tuple[str, ...]:
    """What the first line of a script names, mapped as well; the system would look for it outside the image."""
    with program.open("rb") as file:
        first = file.readline(256)
    if not first.startswith(b"#!"):
        return ()
    name, _, argument = first[2:].decode("utf-8", "surrogateescape").strip().partition(" ")
    words = argument.split() if posixpath.basename(name) == "env" else [argument] if argument else []
    return (str(_found(name, path, "/", place)), *words) if name else ()


def _argument(word: str, place: Place) -> str:
    if not word.startswith("/"):
        return word
    there = rooted(place.root, word)
    return str(there) if there != place.root and there.exists() else word


def _environment(spec: ContainerSpec, config: Mapping[str, Any], place: Place, port: int) -> dict[str, str]:
    given = {**_variables(config), **spec.env}
    inside = (str(rooted(place.root, each)) for each in (given.get("PATH") or _PATH).split(":") if each)
    own = {
        "PATH": os.pathsep.join((str(place.bin), *inside, *_FROM_HERE)),
        "HOME": str(rooted(place.root, given.get("HOME") or "/root")),
        "TMPDIR": str(rooted(place.root, given.get("TMPDIR") or "/tmp")),  # noqa: S108 - the image's
        "PORT": str(port),
    }
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {"HOSTNAME": spec.pod.split("/")[1], **kept, **given, **own}


def _variables(config: Mapping[str, Any]) -> dict[str, str]:
    pairs = (str(each).partition("=") for each in config.get("Env") or ())
    return {name: value for name, _, value in pairs}


def furnish(place: Place) -> None:
    """Put what every container finds there: Python, and a place for temporary files."""
    place.bin.mkdir(parents=True)
    for name in ("python3", "python"):
        (place.bin / name).symlink_to(sys.executable)
    for folder in ("/tmp", "/root"):  # noqa: S108 - of the image
        rooted(place.root, folder).mkdir(parents=True, exist_ok=True)
