"""Finds and reads `devloop.toml` and its overlay, and reports everything that is wrong with them in one go."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devloop.adapters.configpaths import missing_paths
from devloop.core.config import ClusterConfig, Config
from devloop.core.layers import merge, prepare
from devloop.core.problems import Finding, Place, Problem, Problems, closest, dotted, first_at_each_place, services_of
from devloop.core.resolve import Scope, examine
from devloop.core.toml import key_lines
from devloop.core.validate import validate

FILE = "devloop.toml"
OVERLAY = "devloop.local.toml"
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")
_AT_END = " (at end of document)"


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that holds together."""

    path: Path
    overlay: Path | None
    """The `devloop.local.toml` that was read with it."""
    config: Config
    root: Path
    """The folder that its paths are relative to."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to go by where the files have mistakes."""

    file: str = ""
    """As shown to the user, its overlay is beside it; empty where there is no file any more."""
    context: str = ""
    namespace: str = ""
    """These two as far as either file can be read: what is done without them still goes where they would send it."""
    own: ClusterConfig = field(default_factory=ClusterConfig)
    """All that an overlay without mistakes says of the cluster, what it allows too; empty where it has some."""
    faulty: bool = False
    """Whether the overlay has mistakes itself."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One of the two files, read."""

    shown: str
    tables: dict[str, Any]
    lines: Mapping[Place, int]
    findings: tuple[Finding, ...]


def find(cwd: Path) -> Path | None:
    """`devloop.toml` in this folder or the nearest one above it that has one."""
    return next((folder / FILE for folder in (cwd, *cwd.parents) if _is_file(folder / FILE)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return False


def _chosen(path: Path | None, cwd: Path) -> Path | None:
    """The file that was named, whether or not it is there, else the one that is found."""
    found = cwd / path if path else find(cwd)
    return Path(os.path.normpath(found)) if found else None


def load(path: Path | None, cwd: Path, environ: Mapping[str, str]) -> LoadedConfig | Problems | None:
    """Read the file (found from `cwd` when none is named; None when there is none) and its overlay."""
    cwd = cwd.absolute()
    found = _chosen(path, cwd)
    if found is None:
        return None
    overlay = found.with_name(OVERLAY)
    paths = [found, overlay] if overlay.exists() and overlay != found else [found]
    read = [_read(each, cwd, environ) for each in paths]
    sources = [source for source in read if isinstance(source, _Source)]
    problems = [problem for problem in read if isinstance(problem, Problem)]
    config, findings = _checked(sources, found.parent)
    if isinstance(read[0], _Source):  # an overlay alone is no configuration
        located = [_located(finding, sources) for finding in findings]
        problems += sorted(located, key=lambda problem: (problem.file != sources[0].shown, problem.line or 0))
    if problems:
        return Problems(problems)
    return LoadedConfig(found, paths[1] if len(paths) > 1 else None, config, found.parent)


def check_texts(texts: Mapping[str, str], root: Path, environ: Mapping[str, str]) -> Config | Problems:
    """What files in that folder would say, overlays last; they need not be there yet."""
    read = [_parse(name, text, environ) for name, text in texts.items()]
    sources = [source for source in read if isinstance(source, _Source)]
    config, findings = _checked(sources, root)
    problems = [problem for problem in read if isinstance(problem, Problem)]
    problems += [_located(finding, sources) for finding in findings]
    return Problems(problems) if problems else config


def left_of(problems: Problems, path: Path | None, cwd: Path, environ: Mapping[str, str]) -> Left:
    """What the files that `load` found those mistakes in say all the same."""
    found = _chosen(path, cwd.absolute())
    if found is None:
        return Left()
    overlay = found.with_name(OVERLAY)
    below, own = (_read(each, cwd, environ) if each.exists() else None for each in (found, overlay))
    told = any(problem.file == os.path.relpath(overlay, cwd) for problem in problems)
    checked = validate({"cluster": _table(own, "cluster")})
    unread = isinstance(own, Problem) or (own is not None and bool(own.findings))
    faulty = told or unread or bool(checked.findings)
    cluster = merge(_table(below, "cluster"), _table(own, "cluster"))
    context, namespace = (
        value if isinstance(value := cluster.get(key), str) else "" for key in ("context", "namespace")
    )
    return Left(
        os.path.relpath(found, cwd), context, namespace, ClusterConfig() if faulty else checked.config.cluster, faulty
    )


def _table(source: _Source | Problem | None, name: str) -> dict[str, Any]:
    table = source.tables.get(name) if isinstance(source, _Source) else None
    return table if isinstance(table, dict) else {}


def _read(path: Path, cwd: Path, environ: Mapping[str, str]) -> _Source | Problem:
    shown = os.path.relpath(path, cwd)
    try:
        return _parse(shown, path.read_text("utf-8-sig"), environ)
    except UnicodeDecodeError:
        return Problem(shown, None, "", "is not UTF-8, as TOML has to be", "save it as UTF-8")
    except OSError as error:
        fix = "create it, or leave `-f` out" if isinstance(error, FileNotFoundError) else "make it a readable file"
        return Problem(shown, None, "", f"cannot be read ({error.strerror})", fix)


def _parse(shown: str, text: str, environ: Mapping[str, str]) -> _Source | Problem:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _syntax_problem(shown, text, str(error))
    tables, findings = prepare(document, environ)
    return _Source(shown, tables, key_lines(text), tuple(findings))


def _syntax_problem(shown: str, text: str, message: str) -> Problem:
    at = _AT_LINE.search(message)
    line = int(at[1]) if at else text.count("\n") + 1
    plain = _AT_LINE.sub("", message).replace(_AT_END, "")
    wrong = f"is no valid TOML ({plain[:1].lower()}{plain[1:]})"
    return Problem(shown, line, "", wrong, "mend this line, or the one before it")


def _checked(sources: Sequence[_Source], root: Path) -> tuple[Config, list[Finding]]:
    tables: dict[str, Any] = {}
    findings: list[Finding] = []
    for source in sources:
        tables = merge(tables, source.tables)
        findings += source.findings
    checked = validate(tables)
    config = checked.config
    findings += checked.findings
    # What holds for any cluster: one that is not local, and names that clash only when they are written alike.
    anywhere = Scope(root, namespace="", local=False, user="somebody", branch="some-branch")
    resolved, contradictions = examine(config, anywhere, doubtful=services_of(findings))
    absent = missing_paths(config, resolved, root)
    findings = _with_meant(sources, [*findings, *contradictions, *absent], services_of(absent))
    told: dict[Place, Finding] = {}
    for finding in map(checked.written, first_at_each_place(findings)):
        # A value that does not fit the key that was guessed: the misspelt key has been told.
        told.setdefault(finding.place, finding)
    return config, [*told.values()]


def _with_meant(sources: Sequence[_Source], findings: list[Finding], without_paths: set[str]) -> list[Finding]:
    """What an incomplete service of the overlay alone lacks follows from its name, where that is almost another's."""
    services = [_table(source, "services") for source in sources]
    above = {name: table for overlay in services[1:] for name, table in overlay.items() if name not in services[0]}
    for name, table in above.items():
        lacks = name in without_paths or not (isinstance(table, dict) and "image" in table)
        if lacks and (meant := closest(name, services[0])):
            told = Finding(("services", name), f"{sources[0].shown} has no such service", f"did you mean `{meant}`?")
            findings = [told, *(each for each in findings if each.place[:2] != told.place)]
    return findings


def _located(finding: Finding, sources: list[_Source]) -> Problem:
    source, line = _where(finding, sources)
    key = dotted(_as_written(finding.place, source.tables))
    return Problem(source.shown, line, key, finding.message, finding.fix)


def _as_written(place: Place, tables: Any) -> Place:
    """The place without what only the long form has: `build.context` is `build` in `build = "web"`."""
    for depth, part in enumerate(place):
        if isinstance(tables, str):
            return place[:depth]
        tables = tables.get(part) if isinstance(tables, dict) else None
    return place


def _where(finding: Finding, sources: list[_Source]) -> tuple[_Source, int | None]:
    """The file that the value came from and its line, or that of the nearest table around it."""
    own = next((source for source in sources if finding in source.findings), None)
    places = [finding.place[:length] for length in range(len(finding.place), 0, -1)]
    if finding.place[-1:] == ("tag",):
        places.insert(1, (*finding.place[:-1], "image"))
    for place in places:
        for source in [own] if own else reversed(sources):
            if place in source.lines:
                return source, source.lines[place]
    return own or sources[0], None
