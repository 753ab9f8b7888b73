"""`docs/events.md`: every event, object and word, from the classes and their docstrings."""

import dataclasses
import re
from collections.abc import Iterator
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from devloop.core import events as ev
from devloop.core.failure import Connection, ExitCode, Failure, FailureCode
from devloop.core.problems import Problem
from tests.reference.docstrings import Docstrings, of_class
from tests.reference.markdown import paragraph, table

OBJECTS = (ev.Hold, ev.Change, ev.PodRow, Failure, Problem)
WORDS: tuple[type[Enum], ...] = (
    ev.Trigger,
    ev.Phase,
    ev.Outcome,
    ev.Verdict,
    ev.HoldCode,
    ev.LeaseChange,
    ev.WarningCode,
    ev.LogSource,
    ev.StepState,
    Connection,
)
_PLAIN = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    ExitCode: "integer",
    FailureCode: "[failure code]",
}


def blocks() -> dict[str, str]:
    """The blocks of the page, by name."""
    of_events = {cls.event: _told(cls) for cls in ev.EVENT_TYPES}
    return {**of_events, "objects": _sections(OBJECTS), "words": _sections(WORDS)}


def title(cls: type) -> str:
    """`HoldCode` is called `Hold code`."""
    return re.sub(r"(?<!^)([A-Z])", r" \1", cls.__name__).lower().capitalize()


def _sections(classes: tuple[type, ...]) -> str:
    return "\n".join(f"### {title(cls)}\n\n{_told(cls)}" for cls in classes)


def _told(cls: type) -> str:
    """What it is, and its fields or values."""
    lossy = "*Lossy.* " if getattr(cls, "lossy", False) else ""
    rows = _values(cls) if issubclass(cls, Enum) else _fields(cls)
    head = ("value", "meaning") if issubclass(cls, Enum) else ("field", "type", "meaning")
    return paragraph(lossy + of_class(cls)) + "\n" + table(head, rows)


def _values(cls: type[Enum]) -> Iterator[tuple[str, str]]:
    meanings = Docstrings(cls)
    yield from ((f"`{word.value}`", meanings[word.name]) for word in cls)


def _fields(cls: Any) -> Iterator[tuple[str, str, str]]:
    hints, meanings = get_type_hints(cls), Docstrings(cls)
    for field in dataclasses.fields(cls):
        yield f"`{field.metadata.get('wire', field.name)}`", _type(hints[field.name]), meanings[field.name]


def _type(hint: Any) -> str:
    """A field's type as a reader of the JSON knows it."""
    if isinstance(hint, UnionType):
        (kept,) = (arg for arg in get_args(hint) if arg is not NoneType)
        return f"{_type(kept)} or null"
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return f"list of {'strings' if item is str else _type(item)}"
    if hint in OBJECTS or hint in WORDS:
        return f"[{title(hint).lower()}](#{title(hint).lower().replace(' ', '-')})"
    return _PLAIN[hint]
