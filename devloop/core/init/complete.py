"""What a TOML file lacks, put into it line by line: the rest of it, a person's comments too, stays as it is.

There are several ways to put a value into a file. Each is tried, and the first is taken after which the parser finds
that value there, and all else as before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from devloop.core.layers import merge
from devloop.core.toml import header, key_lines, line, tables_of, value_text


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
    def text(self) -> str:
        lines = "".join(f"{line(key, value)}\n" for key, value in self.values.items())
        return f"{self.head}{header(self.place)}\n{self.notes}{lines}"


def completed(text: str, blocks: Iterable[Block]) -> str | None:
    """The text with all that the blocks say; None where that would take more than lines that are new or changed."""
    made = text
    for block in blocks:
        is_there = _table(made, block.place) is not None
        # What is there gets one line after the other, and a table that is not comes as a whole.
        parts = [replace(block, values={key: value}) for key, value in block.values.items()] if is_there else [block]
        for part in parts:
            way = _with(made, part)
            if way is None:
                return None
            made = way
    return made


def lacking(text: str, blocks: Iterable[Block]) -> list[str]:
    """What they say and the text does not, as one writes it in a sentence: `[cluster] context = "kind-dev"`."""
    return [
        f"{header(block.place)} {line(key, value)}"
        for block in blocks
        for key, value in block.values.items()
        if (_table(text, block.place) or {}).get(key) != value
    ]


def _with(text: str, block: Block) -> str | None:
    tables = tables_of(text)
    if tables is None:
        return None
    if not block.values:
        return text
    addition = block.values
    for part in reversed(block.place):
        addition = {part: addition}
    wanted = merge(tables, addition)
    return next((way for way in _ways(text, block) if tables_of(way) == wanted), None)


def _ways(text: str, block: Block) -> Iterator[str]:
    """What could come of it, the best first; `block` has one value where there is such a table."""
    yield text
    lines, at = text.split("\n"), key_lines(text)
    for key, value in block.values.items():
        new = line(key, value)
        if (*block.place, key) in at:
            yield _with_value(lines, at[*block.place, key] - 1, key, value)
        for index, each in enumerate(lines):
            if each == f"# {new}":
                yield _instead(lines, index, new)
        if block.place in at:
            index = at[block.place] - 1
            for note in block.notes.splitlines()[-1:]:
                if note in lines[index:]:
                    yield _instead(lines, lines.index(note, index), note, new)
            keys = [at[place] - 1 for place in at if place[:-1] == block.place]
            # Below its last key or its header, or below a line that names the table by dotted keys.
            for above in range(len(block.place), -1, -1):
                dotted = ".".join((*block.place[above:], new))
                for number in (*keys[-1:], index):
                    yield _instead(lines, number, lines[number], dotted)
    yield f"{text.rstrip()}\n\n{block.text}".lstrip()


def _with_value(lines: list[str], index: int, key: str, value: Any) -> str:
    """The string after that key replaced, and all else on its line as it was."""
    string = r'"(?:\\.|[^"\\])*"|\'[^\']*\''
    found = re.compile(rf"(\b{re.escape(key)}[\"']?\s*=\s*)(?:{string})")
    return _instead(lines, index, found.sub(lambda match: f"{match[1]}{value_text(value)}", lines[index], count=1))


def _instead(lines: list[str], index: int, *new: str) -> str:
    return "\n".join([*lines[:index], *new, *lines[index + 1 :]])


def _table(text: str, place: tuple[str, ...]) -> Mapping[str, Any] | None:
    table: Any = tables_of(text)
    for part in place:
        table = table.get(part) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None
