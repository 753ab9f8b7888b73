"""What is wrong with a configuration, for people: where, what, and what to write instead.

Checks produce `Finding`s, which know the place in the configuration but not the file; whoever has read the files turns
them into `Problem`s with file and line.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

Place = tuple[str | int, ...]
"""Keys and list indices from the root: `("services", "web", "watch", 0)`."""

_CLOSE = 0.65
"""How alike two names have to be (`difflib`): `wbe` is meant for `web` (0.67), `quiet` not for `audit` (0.6)."""
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at one place of the configuration; which file and line that is, is not known yet."""

    place: Place
    message: str
    """What is wrong, naming the value; read after the key."""
    fix: str
    """What to do about it; ends the sentence."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one value of the configuration, and what to do about it."""

    file: str
    """The file, `devloop.toml` or `devloop.local.toml`, as shown to the user."""
    line: int | None
    """Its line, counted from 1; null when it is not known."""
    key: str
    """The key as TOML would write it, `services.web.image`; empty for the file as a whole."""
    message: str
    """What is wrong, naming the value."""
    fix: str
    """What to do about it."""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (where, self.key, f"{self.message}; {self.fix}") if part)


class Problems(tuple[Problem, ...]):
    """All that is wrong, in one go; the other result of reading and resolving a configuration. Never empty."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self)


def quoted(names: Iterable[str], last: str = "and") -> str:
    """A list in a sentence: `` `a`, `b` and `c` ``."""
    marked = [f"`{name}`" for name in names]
    return f" {last} ".join([", ".join(marked[:-1]), marked[-1]]) if len(marked) > 1 else "".join(marked)


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=_CLOSE)
    return by_lower[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """A "did you mean" where something known is close, else the general advice."""
    meant = closest(name, known)
    return f"did you mean `{meant}`?" if meant else otherwise


def dotted(place: Place) -> str:
    """A place as TOML would write it: `services.web.watch[0]`, `services."a b".image`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE_KEY.fullmatch(part) else f'"{part}"')
    return text


def first_at_each_place(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Drop what only follows from an earlier finding about the same value, or about a table around it."""
    kept: dict[Place, Finding] = {}
    for finding in findings:
        if not any(finding.place[:length] in kept for length in range(1, len(finding.place) + 1)):
            kept[finding.place] = finding
    return tuple(kept.values())


def services_of(findings: Iterable[Finding]) -> set[str]:
    """The names of the services that these findings are about."""
    return {str(each.place[1]) for each in findings if each.place[0] == "services" and len(each.place) > 1}
