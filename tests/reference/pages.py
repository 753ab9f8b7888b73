"""The pages and what makes their blocks."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.reference import codes, commands, configuration, doctor, events, why
from tests.reference.markdown import filled

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, Callable[[], Mapping[str, str]]] = {
    "reference/commands.md": commands.blocks,
    "reference/codes.md": codes.blocks,
    "configuration.md": configuration.blocks,
    "doctor.md": doctor.blocks,
    "events.md": events.blocks,
    "why.md": why.blocks,
}


def as_it_should_be(name: str) -> str:
    """The text of a page with its blocks made anew."""
    return filled((DOCS / name).read_text("utf-8"), PAGES[name]())


def write() -> None:
    for name in PAGES:
        (DOCS / name).write_text(as_it_should_be(name), "utf-8")
