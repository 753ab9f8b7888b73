"""Whether a source of COPY, ADD or `RUN --mount` takes one path of the context, and where it lands.

The rules are those of fsutil `copy.Copy`, which BuildKit copies with. The first wildcard and all after it are matched
with Go's `filepath.Match`; of a folder that is matched the *contents* are copied; `--parents` and `--exclude` take
patterns like those of `.dockerignore`, relative to the folder that is matched. A part of a source that is known only
when the image is built (`UNKNOWN`) may be anything but `..`.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from devloop.core.dockerfile_words import UNKNOWN
from devloop.core.ignore import Matcher


@dataclass(frozen=True, slots=True)
class Source:
    """One source, its variables filled in."""

    pattern: str
    """As written; it may lead out of the context, which BuildKit does not follow."""
    excludes: tuple[str, ...] = ()
    parents: bool = False
    """The folders that the path is in are kept."""
    literal: bool = False
    """`*` and `?` are characters of a name: `RUN --mount` knows no wildcards."""
    unknown: tuple[str, ...] = ()
    """Names of the variables that left an `UNKNOWN` in the pattern."""


@dataclass(frozen=True, slots=True)
class Hit:
    """That a source takes a path, or may take it."""

    below: str = ""
    """Relative to what the source matched; empty when it matched the path itself."""
    doubt: str = ""
    """Why it is not certain, in words; empty when it is."""
    part: bool = False
    """The path is a folder, and only some of what is in it is taken."""


def hit(source: Source, path: str, *, folder: bool = False) -> Hit | None:
    """Whether the source takes the path, relative to the context; None: certainly not."""
    parent, inside = _pivot(source)
    matched = _match(source, parent, path)
    if matched and not matched.doubt and source.parents:
        matched = _inside(source, inside, matched.below)
    if matched is None:
        return _part(clean(f"{parent}/{inside}"), path) if folder else None
    return matched if matched.doubt else _excluded(source.excludes, matched, path)


def is_plain(source: Source) -> bool:
    """Whether it names one file or folder, and takes all of it."""
    return not (source.excludes or source.parents or UNKNOWN in source.pattern or _split(clean(source.pattern))[1])


def split_wild(source: Source) -> tuple[str, str]:
    """The folder before the first wildcard, and the rest; no rest where more than wildcards decides."""
    return ("", "") if source.excludes or source.parents or UNKNOWN in source.pattern else _split(clean(source.pattern))


def clean(path: str) -> str:
    """Relative to the context, without `.` and `..`; empty for the context itself."""
    return posixpath.normpath("/" + path).lstrip("/")


def aliases(path: str, links: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Other paths that lead to a path through links of the context, each with its link."""
    found, waiting = {path}, [path]
    while waiting:
        target = waiting.pop()
        for link, leads_to in links.items():
            end = clean(posixpath.join("/" + posixpath.dirname(link), leads_to))
            if not _is_in(target, end):
                continue
            alias = clean(f"{link}/{target[len(end) :]}")
            # A link to a folder that it is in would lead on for ever.
            if alias not in found and len(found) < 100:
                found.add(alias)
                waiting.append(alias)
                yield alias, link


def follows(source: Source, link: str, alias: str, match: Hit) -> bool:
    """Whether the link is what the source matched, or before its first wildcard: BuildKit follows no other link."""
    matched = alias[: len(alias) - len(match.below)].rstrip("/")
    parent, _ = _pivot(source)
    return matched == link or _is_in(parent if source.literal else _split(parent)[0], link)


def _is_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")


def _pivot(source: Source) -> tuple[str, str]:
    """With `--parents` the folder that is matched first, and the pattern in it: `a/./b` keeps only `b`."""
    if not source.parents:
        return clean(source.pattern), ""
    parent, pivot, inside = source.pattern.partition("/./")
    return (clean(parent), clean(inside)) if pivot else ("", clean(source.pattern))


def _match(source: Source, pattern: str, path: str) -> Hit | None:
    if UNKNOWN in pattern:
        return _match_unknown(source, pattern, path)
    fixed, wild = (pattern, "") if source.literal else _split(pattern)
    if not _is_in(path, fixed):
        return None
    rest = path[len(fixed) :].lstrip("/")
    if not wild:
        return Hit(rest)
    ends = [*(found.start() for found in re.finditer("/", rest)), len(rest)] if rest else []
    # What is in a folder that matches is not matched again.
    for end in ends:
        if _fits(wild, rest[:end]):
            return Hit(rest[end + 1 :])
    if "**" in wild and any(_fits(wild, rest[:end], any_depth=True) for end in ends):
        return Hit(doubt="without --parents a `**` stands for one folder only")
    return None


def _split(pattern: str) -> tuple[str, str]:
    """The folders before the first wildcard, and the rest."""
    parts = pattern.split("/")
    wild = next((at for at, part in enumerate(parts) if _has_wildcard(part)), len(parts))
    return "/".join(parts[:wild]), "/".join(parts[wild:])


def _has_wildcard(part: str) -> bool:
    return re.search(r"[*?\[]", re.sub(r"\\.", "", part, flags=re.DOTALL)) is not None


def _match_unknown(source: Source, pattern: str, path: str) -> Hit | None:
    """`src/$X` may take `src` itself too, when `$X` is empty."""
    folders = [path[:end] for end, char in enumerate(path) if char == "/"]
    candidates = ["", *folders, path]
    may = any(_fits(pattern, text, any_depth=True) or _fits(pattern, text + "/", any_depth=True) for text in candidates)
    names = " and ".join(f"`${name}`" for name in source.unknown)
    doubt = f"{names} in its source is known only when the image is built" if names else "its source cannot be read"
    return Hit(doubt=doubt) if may else None


def _inside(source: Source, pattern: str, below: str) -> Hit | None:
    """Whether the pattern after the pivot takes it; below stays relative to the pivot."""
    if UNKNOWN in pattern:
        return _match_unknown(source, pattern, below)
    if not below:  # A file that is its own pivot is taken whatever the pattern says.
        return Hit()
    matcher = _matcher((pattern,))
    if not pattern or pattern.startswith("!") or matcher.problems:
        return Hit(doubt=f"it is not clear what --parents takes for `{pattern or '.'}`")
    return Hit(below) if matcher.ignores(below) else None


def _excluded(patterns: tuple[str, ...], matched: Hit, path: str) -> Hit | None:
    if not patterns:
        return matched
    matcher = _matcher(patterns)
    if matcher.problems:
        return Hit(matched.below, matcher.problems[0])
    if matched.below:
        return None if matcher.ignores(matched.below) else matched
    # BuildKit applies the patterns to what is in a folder; its documentation also shows them with single files.
    if matcher.ignores(path) or matcher.ignores(posixpath.basename(path)):
        return Hit(doubt="its --exclude may apply to a source itself")
    return matched


@lru_cache(maxsize=256)
def _matcher(patterns: tuple[str, ...]) -> Matcher:
    return Matcher(pattern.strip() for pattern in patterns if pattern.strip())


def _part(pattern: str, folder: str) -> Hit | None:
    """Of a folder that a source leads through, only some is taken."""
    parts, names = pattern.split("/"), folder.split("/") if folder else []
    for part, name in zip(parts, names, strict=False):
        if UNKNOWN in part or "**" in part:
            break
        if not _fits(part, name):
            return None
    else:
        if len(parts) <= len(names):
            return None
    sure = UNKNOWN not in pattern and not _has_wildcard(pattern)
    return Hit(part=True, doubt="" if sure else "it takes what fits its pattern in the folder")


def _fits(pattern: str, text: str, *, any_depth: bool = False) -> bool:
    """Go's `filepath.Match`; `any_depth`: a `**` takes slashes too."""
    glob = _glob(pattern, any_depth)
    return glob is not None and glob.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _glob(pattern: str, any_depth: bool) -> re.Pattern[str] | None:
    """As a regular expression; None for a pattern that Go refuses: such a one matches nothing."""
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if any_depth and pattern.startswith("**/", at):
            piece, at = "(?:.*/)?", at + 3
        elif any_depth and pattern.startswith("**", at):
            piece, at = ".*", at + 2
        elif char == "[":
            piece, at = _char_class(pattern, at + 1)
        elif char == "\\":
            piece, at = re.escape(pattern[at + 1 : at + 2]), at + 2
        else:
            piece, at = {"*": "[^/]*", "?": "[^/]", UNKNOWN: ".*"}.get(char) or re.escape(char), at + 1
        if not piece:
            return None
        out += piece
    return re.compile(out, re.DOTALL)


def _char_class(pattern: str, at: int) -> tuple[str, int]:
    """A class, and where it ends; it may match a slash, as in Go. Empty when it is malformed."""
    negated = pattern.startswith("^", at)
    at += negated
    members = ""
    while not members or not pattern.startswith("]", at):
        low, at = _class_char(pattern, at)
        high = low
        if low and pattern.startswith("-", at):
            high, at = _class_char(pattern, at + 1)
        if not low or not high:
            return "", len(pattern)
        # A range that runs backwards holds nothing; in its place stands what is no character of any name.
        members += f"{re.escape(low)}-{re.escape(high)}" if low <= high else "\ufffe"
    return f"[{'^' if negated else ''}{members}]", at + 1


def _class_char(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at : at + 1] in {"-", "]"}:
        return "", at
    at += pattern.startswith("\\", at)
    return pattern[at : at + 1], at + 1
