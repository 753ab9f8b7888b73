"""TOML text beyond what `tomllib` does: the line of every key and list item, and writing tables.

`key_lines` reads only texts that `tomllib` has accepted, so it need not reject anything; the grammar is
https://toml.io/en/v1.0.0.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from devloop.core.problems import Place

_TOKEN = re.compile(
    r'''
    (?P<string>"""(?:\\.|(?!""")[^\\])*"{3,5} | \'\'\'(?:(?!\'\'\').)*\'{3,5}
      | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
  | (?P<comment>\#[^\n]*)
  | (?P<mark>[\[\]{}=,.\n])
  | (?P<bare>[^\s"'\[\]{}=,.\#]+)
    ''',
    re.VERBOSE | re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class _Scanner:
    """Walks the tokens once and notes where each key and list item begins."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self._tokens = list(_tokens(text))
        self._next = 0
        self._items: dict[Place, int] = {}

    def scan(self) -> dict[Place, int]:
        table: Place = ()
        while (piece := self._peek()) is not None:
            if piece == "\n":
                self._take()
            elif piece == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _peek(self) -> str | None:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else None

    def _take(self) -> str:
        self._next += 1
        return self._tokens[self._next - 1][0]

    def _line(self) -> int:
        return self._tokens[self._next][1]

    def _header(self) -> Place:
        line = self._line()
        self._take()
        is_list = self._peek() == "["
        if is_list:
            self._take()
        place = self._key((), line, "]")
        for _ in range(2 if is_list else 1):
            self._take()
        if is_list:
            index = self._items.get(place, 0)
            self._items[place] = index + 1
            place = (*place, index)
            self.lines[place] = line
        return place

    def _key(self, place: Place, line: int, end: str) -> Place:
        """Read a dotted key up to `end`, which is not taken; a list of tables is entered at its last item."""
        while self._peek() != end:
            piece = self._take()
            if piece == ".":
                continue
            if place in self._items:
                place = (*place, self._items[place] - 1)
            place = (*place, tomllib.loads(f"k={piece}")["k"] if piece[0] in "\"'" else piece)
            self.lines.setdefault(place, line)
        return place

    def _pair(self, table: Place) -> None:
        place = self._key(table, self._line(), "=")
        self._take()
        self._value(place)

    def _value(self, place: Place) -> None:
        if self._peek() == "{":
            self._members(place, "}")
        elif self._peek() == "[":
            self._members(place, "]")
        else:
            while self._peek() not in {None, ",", "]", "}", "\n"}:
                self._take()

    def _members(self, place: Place, end: str) -> None:
        """An inline table or a list, with its brackets."""
        self._take()
        index = 0
        while self._peek() != end:
            if self._peek() in {",", "\n"}:
                self._take()
            elif end == "}":
                self._pair(place)
            else:
                self.lines[(*place, index)] = self._line()
                self._value((*place, index))
                index += 1
        self._take()


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        piece = match.group()
        if match.lastgroup != "comment":
            yield piece, line
        line += piece.count("\n")


def tables_of(text: str) -> dict[str, Any] | None:
    """The tables of a TOML text; None when it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def key_lines(text: str) -> dict[Place, int]:
    """The line, from 1, at which each table, key and list item of a valid TOML text first appears."""
    return _Scanner(text).scan()


def write(document: Mapping[str, Any]) -> str:
    """A TOML text for tables of strings, numbers, booleans, lists and tables; tables inside lists are inline."""
    return "\n".join(_blocks((), document))


def _blocks(place: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if plain or (place and not table):
        above = f"{header(place)}\n" if place else ""
        yield above + "".join(f"{line(key, value)}\n" for key, value in plain.items())
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _blocks((*place, key), value)


def header(place: Sequence[str]) -> str:
    """What a table begins with."""
    return f"[{'.'.join(map(_key_text, place))}]"


def line(key: str, value: Any) -> str:
    """One key with its value."""
    return f"{_key_text(key)} = {value_text(value)}"


def _key_text(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def value_text(value: Any) -> str:
    """One value on one line."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key_text(key)} = {value_text(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    return json.dumps(value)


def _string(text: str) -> str:
    # JSON's escapes are TOML's too; only DEL has to be escaped there and not in JSON.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
