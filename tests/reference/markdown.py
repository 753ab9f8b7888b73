"""Tables, paragraphs, and blocks in a page, as Markdown."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

WIDTH = 125
_BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join([_line(head), "|" + "---|" * len(head) + "\n", *map(_line, rows)])


def paragraph(text: str) -> str:
    """Wrapped; what is in backquotes stays on one line, so that it can be searched for."""
    kept = re.sub(r"`[^`]*`", lambda match: match[0].replace(" ", "\0"), text)
    return textwrap.fill(kept, WIDTH, break_on_hyphens=False, break_long_words=False).replace("\0", " ") + "\n"


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """The page with its blocks as they should be; it has to have a place for each, and none for others."""
    places = [name for _, name, _, _ in _BLOCK.findall(page)]
    if sorted(places) != sorted(blocks):
        lacks, odd = set(blocks) - set(places), set(places) - set(blocks)
        raise ValueError(f"the page lacks a place for {sorted(lacks)}; nothing makes {sorted(odd)}; each once")
    return _BLOCK.sub(lambda match: f"{match[1]}{blocks[match[2]]}{match[4]}", page)


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in escaped) + "\n"
