"""Reads the services of a project's Compose files as Compose puts them together: override, `include` and `extends`.

Of a service only `build`, `image` and `depends_on` are kept, with contexts relative to the project's folder. What names
variables stays as it is written, for the reader to pass over.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_MAIN = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDE = (
    *("compose.override.yml", "compose.override.yaml"),
    *("docker-compose.override.yml", "docker-compose.override.yaml"),
)
_OTHER = re.compile(r"(?:docker-)?compose[.-][\w.-]+\.ya?ml")
_DEVELOPMENT = re.compile(r"[.-](?:dev|devel|development|local)\.ya?ml$")
_MOST_EXTENDED = 8
"""Services that lead to each other; Compose itself refuses circles."""
_MOST_INCLUDED = 100
"""Files that one leads to."""

Table = Mapping[str, Any]
Read = Callable[[str], Table]
"""The content of a file, by its path in the project; empty where there is none that can be read."""
Known = dict[tuple[str, str], dict[str, Table]]
"""What was read on the way, by file and folder; empty for a file that is being read, so a circle adds nothing."""


def services_of(root: Path, read: Read) -> Iterator[tuple[str, str, Table]]:
    """File, name and content of each service that is built, each name once."""
    main = _first(root, _MAIN)
    override = _first(root, _OVERRIDE) if main else ""
    known: set[str] = set()
    for file in [*([main] if main else []), *_for_development(root, main)]:
        services = _together([file, override] if override and file == main else [file], "", read, {})
        built = {name: each for name, each in services.items() if each.get("build") and name not in known}
        known |= {*built}
        yield from ((file, name, _settled(each, ".")) for name, each in built.items())


def _first(root: Path, names: tuple[str, ...]) -> str:
    return next((name for name in names if (root / name).is_file()), "")


def _for_development(root: Path, main: str) -> list[str]:
    """Files that Compose reads only when they are named (`-f`): those for development, or the only one there is."""
    others = sorted(path.name for path in root.iterdir() if _OTHER.fullmatch(path.name) and path.is_file())
    others = [name for name in others if not main or name not in _OVERRIDE]
    alone = not main and len(others) == 1
    return [name for name in others if alone or _DEVELOPMENT.search(name)]


def _together(files: list[str], folder: str, read: Read, known: Known) -> dict[str, Table]:
    """The services of files of which each overrides those before it."""
    found: dict[str, Table] = {}
    for file in files:
        if (file, folder) not in known and len(known) < _MOST_INCLUDED:
            known[file, folder] = {}
            known[file, folder] = _of_file(file, folder, read, known)
        found = _over(found, known.get((file, folder), {}))
    return found


def _of_file(file: str, folder: str, read: Read, known: Known) -> dict[str, Table]:
    """The services of one file, whose paths start at a folder, and of those that it includes."""
    included: dict[str, Table] = {}
    document = read(file)
    for entry in _several(document.get("include")):
        included |= _included(mapping(entry) or {"path": entry}, folder, read, known)
    own = {str(name): _extended(file, str(name), folder, read) for name in mapping(document.get("services"))}
    return _over(included, own)


def _included(entry: Table, folder: str, read: Read, known: Known) -> dict[str, Table]:
    paths = [_joined(folder, name) for name in _several(entry.get("path")) if isinstance(name, str)]
    if not paths:
        return {}
    own = entry.get("project_directory")
    start = _joined(folder, own) if own and isinstance(own, str) else posixpath.dirname(paths[0])
    return {name: _settled(each, start) for name, each in _together(paths, start, read, known).items()}


def _extended(file: str, name: str, folder: str, read: Read, depth: int = 0) -> Table:
    """One service, laid over the one that it extends, whose dependencies are not its own."""
    raw = mapping(mapping(read(file).get("services")).get(name))
    own = _kept(raw, folder)
    extends = raw.get("extends")
    base = mapping({"service": extends} if isinstance(extends, str) else extends)
    if not base.get("service") or depth > _MOST_EXTENDED:
        return own
    if base.get("file"):
        file = _joined(folder, str(base["file"]))
        folder = posixpath.dirname(file)
    found = _settled(_extended(file, str(base["service"]), folder, read, depth + 1), folder)
    return _laid({key: value for key, value in found.items() if key != "depends_on"}, own)


def _over(base: Mapping[str, Table], over: Mapping[str, Table]) -> dict[str, Table]:
    return {**base, **{name: _laid(base.get(name, {}), table) for name, table in over.items()}}


def _laid(base: Table, over: Table) -> Table:
    """One service over another: tables and lists are put together, other values replaced."""
    one, two = base.get("build", {}), over.get("build", {})
    joined = {
        "build": {**one, **two, "args": {**one.get("args", {}), **two.get("args", {})}},
        "depends_on": [*dict.fromkeys((*base.get("depends_on", ()), *over.get("depends_on", ())))],
    }
    return {**base, **over, **{key: value for key, value in joined.items() if key in base or key in over}}


def _kept(service: Table, folder: str) -> Table:
    """What matters of a service, in the long forms."""
    build = service.get("build")
    table = {**mapping({"context": build} if isinstance(build, str) else build)}
    if table:
        table["args"] = _arguments(table.get("args"))
    if isinstance(context := table.get("context"), str) and is_local(context):
        table["context"] = _joined(folder, context)
    after = service.get("depends_on")
    listed = [*map(str, after)] if isinstance(after, list | Mapping) else []
    found = {"build": table, "image": service.get("image"), "depends_on": listed}
    return {key: value for key, value in found.items() if value}


def _settled(service: Table, folder: str) -> Table:
    """The same with its context, which is the folder of the file where that says nothing."""
    if not service.get("build") or service["build"].get("context"):
        return service
    return {**service, "build": {**service["build"], "context": folder or "."}}


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def is_local(path: str) -> bool:
    """Whether it is written as a path within the project."""
    return not ("://" in path or "$" in path or path.startswith(("/", "~", "git@")))


def _arguments(value: Any) -> Table:
    """Build arguments as a table; those that come from the environment have no value."""
    if not isinstance(value, list):
        return mapping(value)
    pairs = (str(item).partition("=") for item in value)
    return {name: text if equals else None for name, equals, text in pairs}


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def mapping(value: Any) -> Table:
    """A table of a file; an empty one where there is something else."""
    return value if isinstance(value, Mapping) else {}
