"""Words of a Dockerfile's line as BuildKit's shell lexer reads them: quotes, escapes, `$VAR`, `${VAR:-word}`, `<<EOF`.

The rules are those of moby/buildkit `frontend/dockerfile/shell/lex.go`, with one addition: a variable whose value is
not known leaves the mark `UNKNOWN` in the text, so that nobody takes a guess for the word.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

UNKNOWN = "\0"
"""Stands for a part of a word that is known only when the image is built; it may be empty."""
GO_SPACE = "".join(char for char in map(chr, range(0x3001)) if char.isspace() and char not in "\x1c\x1d\x1e\x1f")
"""What Go takes for a space; Python takes a few more."""

Lookup = Callable[[str], str | None]
"""The value of a variable, maybe with `UNKNOWN` in it; None when it is certainly not set."""

_HEREDOC = re.compile(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)", re.DOTALL)
_SPECIAL = "@*#?-$!0"
_DEEPEST = 40
"""How deep `${A:-${B:-...}}` may go: far more than anybody writes."""


class BadWordError(ValueError):
    """BuildKit refuses this word; the message says why."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """A word without its quotes and escapes, and with its variables filled in."""

    text: str
    unknown: tuple[str, ...] = ()
    """Names of the variables that left an `UNKNOWN` in it."""


@dataclass(frozen=True, slots=True)
class Heredoc:
    """The start of a heredoc: `<<EOF`, `<<-'EOF'`."""

    name: str
    """The line that ends it."""
    tabs: bool = False
    """`<<-`: tabs before the end, and before each line of the body, do not count."""


def expand(word: str, lookup: Lookup, escape: str = "\\") -> Expanded:
    """One word of COPY, ADD, WORKDIR, ENV, ARG or FROM; raises `BadWordError`."""
    lexer = _Lexer(word, escape, lookup)
    text = "".join(piece for piece, _ in lexer.pieces())
    return Expanded(text, tuple(dict.fromkeys(lexer.unknown)))


def heredocs_of(line: str) -> tuple[Heredoc, ...]:
    """The heredocs that a line of RUN, COPY or ADD starts, in the order of their bodies; raises `BadWordError`."""
    # BuildKit looks for no heredoc in a line that it cannot split, and leaves that line to the shell.
    try:
        words = _split(line, raw=True)
    except BadWordError:
        return ()
    found = map(heredoc_of, words)
    return tuple(heredoc for heredoc in found if heredoc)


def heredoc_of(word: str) -> Heredoc | None:
    """The heredoc that a single word is; None when it is none; raises `BadWordError` for open quotes."""
    match = _HEREDOC.fullmatch(word)
    names = _split(match[3], raw=False) if match else []
    return Heredoc(names[0], match[2] == "-") if match and len(names) == 1 else None


def _split(text: str, *, raw: bool) -> list[str]:
    """Split at spaces outside quotes; `raw` keeps quotes and escapes."""
    lexer = _Lexer(text, "\\", lambda name: None, raw_quotes=raw, raw_escapes=raw, keep_unset=True)
    words, word = [], ""
    for piece, splits in lexer.pieces():
        for char in piece:
            if not (splits and char in GO_SPACE):
                word += char
            elif word:
                words.append(word)
                word = ""
    return [*words, word] if word else words


class _Lexer:
    """Reads a text from left to right."""

    def __init__(
        self,
        text: str,
        escape: str,
        lookup: Lookup,
        *,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        keep_unset: bool = False,
    ) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._escape = escape
        self._lookup = lookup
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes
        self._keep_unset = keep_unset
        """A variable that is not set stays as it is written."""
        self.unknown: list[str] = []

    def pieces(self, stop: str = "") -> Iterator[tuple[str, bool]]:
        """The text up to `stop` or the end, piece by piece, each with whether a space in it ends a word."""
        while char := self._peek():
            if char == stop:
                self._at += 1
                return
            if char == "$":
                yield self._dollar(), True
            elif char == "<":
                yield self._angle(), False
            elif char in "'\"":
                yield self._quoted(), False
            elif char == self._escape:
                yield self._escaped(), False
            else:
                yield self._next(), True
        if stop:
            raise BadWordError(f"a `{stop}` is missing")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _nested(self, stop: str, *, raw_escapes: bool = False) -> str:
        if self._depth == _DEEPEST:
            raise BadWordError("it nests too deeply")
        outer, self._raw_escapes = self._raw_escapes, raw_escapes
        self._depth += 1
        text = "".join(piece for piece, _ in self.pieces(stop))
        self._depth -= 1
        self._raw_escapes = outer
        return text

    def _escaped(self) -> str:
        escape = self._next()
        return (escape if self._raw_escapes else "") + self._next()

    def _angle(self) -> str:
        """A `<`, or a `<<` with the spaces after it: they belong to the word."""
        self._at += 1
        if self._peek() != "<":
            return "<"
        self._at += 1
        start = self._at
        while self._peek() and self._peek() in "\t\r ":
            self._at += 1
        return "<<" + self._text[start : self._at]

    def _quoted(self) -> str:
        quote = self._next()
        text = self._double() if quote == '"' else self._single()
        self._at += 1
        return f"{quote}{text}{quote}" if self._raw_quotes else text

    def _single(self) -> str:
        start, self._at = self._at, self._text.find("'", self._at)
        if self._at < 0:
            raise BadWordError("a single quote is not closed")
        return self._text[start : self._at]

    def _double(self) -> str:
        text = ""
        while (char := self._peek()) != '"':
            if not char:
                raise BadWordError("a double quote is not closed")
            text += self._dollar() if char == "$" else self._double_char()
        return text

    def _double_char(self) -> str:
        """Inside double quotes only a quote, a `$` and the escape itself can be escaped."""
        char = self._next()
        if char != self._escape or not self._peek():
            return "" if char == self._escape else char
        if self._peek() in {'"', "$", self._escape}:
            return (char if self._raw_escapes else "") + self._next()
        return char * 2 if self._raw_escapes and not self._raw_quotes else char

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() == "{":
            self._at += 1
            return self._braces()
        name = self._name()
        return self._value(name, "$" + name) if name else "$"

    def _name(self) -> str:
        start = self._at
        if self._peek().isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        elif self._peek() and self._peek() in _SPECIAL:
            self._at += 1
        else:
            while (char := self._peek()).isalpha() or char.isdecimal() or char == "_":
                self._at += 1
        return self._text[start : self._at]

    def _value(self, name: str, as_written: str) -> str:
        value = self._get(name)
        if value is None:
            return as_written if self._keep_unset else ""
        return value

    def _get(self, name: str) -> str | None:
        value = self._lookup(name)
        if value is not None and UNKNOWN in value:
            self.unknown.append(name)
        return value

    def _braces(self) -> str:
        if self._peek() in {"", "{", "}", ":"}:
            raise BadWordError("a `${` in it names no variable")
        name, sign = self._name(), self._next()
        if sign == "}":
            return self._value(name, f"${{{name}}}")
        if sign == "/":
            return self._replaced(name)
        colon = ":" if sign == ":" else ""
        sign = self._next() if colon else sign
        if not sign:
            raise BadWordError("a `}` is missing")
        # With a colon BuildKit refuses a wrong sign only when it needs the value.
        if (sign not in {"-", "+", "?", "#", "%"} and not (colon and self._keep_unset)) or (colon and sign in "#%"):
            raise BadWordError(f"`${{{name}{colon}{sign}` is no substitution")
        word = self._nested("}", raw_escapes=sign in {"#", "%"})
        return self._modified(name, colon, sign, word)

    def _modified(self, name: str, colon: str, sign: str, word: str) -> str:
        value = self._get(name)
        if value is None and self._keep_unset:
            return f"${{{name}{colon}{sign}{word}}}"
        if value and not value.strip(UNKNOWN):  # It may be empty, or not set at all.
            return UNKNOWN
        missing = value is None or (bool(colon) and not value)
        if sign == "-":
            return word if missing else value or ""
        if sign == "+":
            return "" if missing else word
        if sign == "?" and missing:
            raise BadWordError(f"`${name}` has to be set: {word or 'it is not'}")
        return value or "" if sign == "?" or not value else self._not_understood(name)

    def _replaced(self, name: str) -> str:
        """`${name/pattern/replacement}`."""
        if self._peek() == "/":
            self._at += 1
        pattern = self._nested("/", raw_escapes=True)
        replacement = self._nested("}", raw_escapes=True)
        value = self._get(name)
        if value is None and self._keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        return self._not_understood(name)

    def _not_understood(self, name: str) -> str:
        """Substitutions by pattern are left unknown."""
        self.unknown.append(name)
        return UNKNOWN
