"""One `.dockerignore` pattern, compiled to what it means for BuildKit.

The rules are those of moby/patternmatcher, which turns a pattern into a Go regular expression without looking at it
as a whole. Its oddities are kept, because an image is built by them: `[*]` is no class of one star, `[^a]` matches
`/`, and `|` or `{2}` in a pattern that has a wildcard are operators. A pattern that BuildKit refuses raises
`BadPatternError`.
"""

import re
from collections.abc import Callable

Test = Callable[[str], bool]
"""Whether a path, relative to the context, is matched by the pattern itself (not through a parent folder)."""

_ESCAPED_BY_GO = frozenset(".+()$")
_QUANTIFIER = re.compile(r"\{(\d{1,4})(?:,(\d{1,4})?)?\}")
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PERL = {"d": "0-9", "s": r"\t\n\f\r ", "w": "0-9A-Za-z_"}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


class BadPatternError(ValueError):
    """BuildKit refuses this pattern, and with it the build; the message says why."""


def compile_pattern(pattern: str) -> Test:
    """The test for a cleaned pattern (no `!`, no leading `/`); raises `BadPatternError`."""
    _check_syntax(pattern)
    kind, expression = _to_go(pattern)
    if kind == "exact":
        return pattern.__eq__
    if kind == "prefix":
        return _starts(pattern[:-2])
    if kind == "suffix":
        return _ends(pattern[2:])
    try:
        search = re.compile(_to_python(expression), re.ASCII).search
    except (re.error, OverflowError) as error:
        raise BadPatternError(f"it makes no regular expression ({error})") from error
    return lambda path: search(path) is not None


def _starts(prefix: str) -> Test:
    return lambda path: path.startswith(prefix)


def _ends(suffix: str) -> Test:
    whole = suffix[1:] if suffix.startswith("/") else None
    return lambda path: path.endswith(suffix) or path == whole


def _check_syntax(pattern: str) -> None:
    """What Go's `filepath.Match` refuses: a trailing `\\`, an empty or open class, a range without an end."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "[":
            at = _end_of_class(pattern, at + 1)
            continue
        at += 2 if pattern[at] == "\\" else 1
    if at > len(pattern):
        raise BadPatternError("it ends with a `\\` that escapes nothing")


def _end_of_class(pattern: str, at: int) -> int:
    at += pattern.startswith("^", at)
    first = True
    while first or not pattern.startswith("]", at):
        at = _end_of_member(pattern, at)
        if pattern.startswith("-", at):
            at = _end_of_member(pattern, at + 1)
        first = False
    return at + 1


def _end_of_member(pattern: str, at: int) -> int:
    if pattern[at : at + 1] in {"", "-", "]"}:
        raise BadPatternError("a `[` class in it is empty, not closed, or has a range without an end")
    at += pattern[at] == "\\"
    if at + 1 >= len(pattern) or "\udc80" <= pattern[at] <= "\udcff":
        raise BadPatternError("a `[` class in it is not closed")
    return at + 1


def _to_go(pattern: str) -> tuple[str, str]:
    """How patternmatcher would match it (`exact`, `prefix`, `suffix`, `regexp`), and its Go regular expression."""
    kind, out, at, rounds = "exact", ["^"], 0, 0
    # Go's scanner skips a byte order mark at the start.
    at += pattern.startswith("\ufeff")
    while at < len(pattern):
        char, at = pattern[at], at + 1
        if char == "*" and pattern.startswith("*", at):
            at += 1
            at += pattern.startswith("/", at)
            if at < len(pattern):
                kind, piece = "regexp", "(.*/)?"
            elif kind == "exact":
                kind, piece = "prefix", ""
            else:
                kind, piece = "regexp", ".*"
            if rounds == 0:
                kind = "suffix"
        elif char == "*":
            kind, piece = "regexp", "[^/]*"
        elif char == "?":
            kind, piece = "regexp", "[^/]"
        elif char in _ESCAPED_BY_GO:
            piece = "\\" + char
        elif char == "\\":
            kind, piece, at = "regexp", "\\" + pattern[at : at + 1], at + 1
        else:
            kind, piece = ("regexp" if char in "[]" else kind), char
        out.append(piece)
        rounds += 1
    return kind, "".join(out) + "$"


def _to_python(go: str) -> str:
    """The Go regular expression of a pattern in Python's syntax; what Go refuses raises `BadPatternError`."""
    out, at = [], 0
    while at < len(go):
        char = go[at]
        if char == "\\":
            piece, at = _escape(go, at)
        elif char == "[":
            piece, at = _class(go, at)
        elif char == "{" and (repeat := _QUANTIFIER.match(go, at)):
            _check_repeat(repeat)
            piece, at = repeat.group(), repeat.end()
        else:
            piece, at = _plain(char), at + 1
        out.append(piece)
    return "".join(out)


def _plain(char: str) -> str:
    if char == "$":
        return r"\Z"
    return char if char in "^|().*?" else re.escape(char)


def _check_repeat(repeat: re.Match[str]) -> None:
    low, high = int(repeat[1]), int(repeat[2] or repeat[1])
    if low > high or high > 1000:
        raise BadPatternError(f"`{repeat.group()}` in it is no valid repetition")


def _escape(go: str, at: int) -> tuple[str, int]:
    char = go[at + 1]
    if char.lower() in _PERL:
        return f"[{'^' if char.isupper() else ''}{_PERL[char.lower()]}]", at + 2
    if char in "bBA":
        return "\\" + char, at + 2
    if char == "z":
        return r"\Z", at + 2
    return re.escape(_escaped_char(go, at)), at + 2


def _escaped_char(go: str, at: int) -> str:
    char = go[at + 1]
    if char in _CONTROLS:
        return _CONTROLS[char]
    if char.isalnum() or not char.isascii():
        raise BadPatternError(f"`\\{char}` in it is no valid escape")
    return char


def _class(go: str, at: int) -> tuple[str, int]:
    """A class, member by member, so that nothing in it can mean more to Python than to Go."""
    at += 1
    negated = go.startswith("^", at)
    at += negated
    members: list[str] = []
    while not members or not go.startswith("]", at):
        if at >= len(go):
            raise BadPatternError("a `[` class in it is not closed")
        member, at = _member(go, at)
        members.append(member)
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1


def _member(go: str, at: int) -> tuple[str, int]:
    end = go.find(":]", at + 2) if go.startswith("[:", at) else -1
    if end >= 0:
        return _posix(go[at + 2 : end]), end + 2
    if go[at] == "\\" and go[at + 1] in "dsw":
        return _PERL[go[at + 1]], at + 2
    low, at = _member_char(go, at)
    high = low
    if go.startswith("-", at) and not go.startswith("-]", at):
        high, at = _member_char(go, at + 1)
    if high < low:
        raise BadPatternError(f"`{low}-{high}` in it is a range that runs backwards")
    return f"{_coded(low)}-{_coded(high)}", at


def _posix(name: str) -> str:
    try:
        return _POSIX[name]
    except KeyError:
        raise BadPatternError(f"`[:{name}:]` in it is no known class") from None


def _member_char(go: str, at: int) -> tuple[str, int]:
    if at >= len(go):
        raise BadPatternError("a `[` class in it is not closed")
    if go[at] == "\\":
        return _escaped_char(go, at), at + 2
    return go[at], at + 1


def _coded(char: str) -> str:
    return f"\\U{ord(char):08x}"
