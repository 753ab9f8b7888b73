"""What a TOML file lacks, put into it line by line: the rest of it, a person's comments too, stays as it is."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from devloop.core.layers import merge
from devloop.core.toml import key_lines, key_text, value_text

_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')


@dataclass(frozen=True, slots=True)
class Block:
    """One table as it is written, with the comments above it and in it."""

    place: tuple[str, ...]
    values: Mapping[str, Any]
    head: str = ""
    """Comment lines above it."""
    notes: str = ""
    """Comment lines below its header."""

    @property
    def header(self) -> str:
        return f"[{'.'.join(map(key_text, self.place))}]"

    @property
    def text(self) -> str:
        lines = (f"{line}\n" for line in map(_line, self.values.items()))
        return f"{self.head}{self.header}\n{self.notes}{''.join(lines)}"


def completed(text: str, blocks: Iterable[Block]) -> str | None:
    """The text with all that the blocks say; None where that would take more than lines that are new or changed."""
    made: str | None = text
    for block in blocks:
        made = None if made is None else _with_block(made, block)
    return made


def _with_block(text: str, block: Block) -> str | None:
    if not block.values:
        return text
    if not _has_table(text, block.place):
        return _first(text, block.place, block.values, [f"{text.rstrip()}\n\n{block.text}".lstrip()])
    made: str | None = text
    for key, value in block.values.items():
        made = None if made is None else _first(made, block.place, {key: value}, _ways(made, block.place, key, value))
    return made


def _ways(text: str, table: tuple[str, ...], key: str, value: Any) -> Iterator[str]:
    """What could come of it, the best first: as it is, with another value, uncommented, or below the table's header."""
    yield text
    lines, at, line = text.splitlines(), key_lines(text), _line((key, value))
    if (*table, key) in at:
        index = at[*table, key] - 1
        yield _with_lines(lines, index, _STRING.sub(lambda _: value_text(value), lines[index], count=1))
        return
    for index, each in enumerate(lines):
        if each == f"# {line}":
            yield _with_lines(lines, index, line)
    index = at[table] - 1
    yield _with_lines(lines, index, lines[index], line)


def _with_lines(lines: list[str], index: int, *instead: str) -> str:
    return "\n".join([*lines[:index], *instead, *lines[index + 1 :], ""])


def _first(text: str, table: tuple[str, ...], values: Mapping[str, Any], ways: Iterable[str]) -> str | None:
    """The first that says what the text says with these values laid over it, and nothing else."""
    addition = values
    for part in reversed(table):
        addition = {part: addition}
    wanted = merge(tomllib.loads(text), addition)
    return next((way for way in ways if _loads(way) == wanted), None)


def _has_table(text: str, place: tuple[str, ...]) -> bool:
    table: Any = tomllib.loads(text)
    for part in place:
        table = table.get(part) if isinstance(table, dict) else None
    return isinstance(table, dict)


def _loads(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _line(item: tuple[str, Any]) -> str:
    key, value = item
    return f"{key_text(key)} = {value_text(value)}"
