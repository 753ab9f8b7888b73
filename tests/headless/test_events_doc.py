"""`docs/events.md` says all there is to say of the contract, and nothing else."""

import dataclasses
import json
import re
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from devloop.core import events as ev
from devloop.core.failure import EXIT_CODES, Connection, ExitCode, Failure, FailureCode
from devloop.core.problems import Problem
from devloop.headless.ndjson import decode, encode

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^###? (.+)\n((?:(?!^##).*\n?)*)", TEXT, re.MULTILINE))
OBJECTS = (ev.Hold, ev.Change, ev.PodRow, Failure, Problem)
WORDS: tuple[type[Enum], ...] = (
    ev.Trigger,
    ev.Phase,
    ev.Outcome,
    ev.Verdict,
    ev.HoldCode,
    ev.LeaseChange,
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
    FailureCode: "[failure code](#failure-codes)",
}


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def title(cls: type) -> str:
    """`HoldCode` is called `Hold code`."""
    return re.sub(r"(?<!^)([A-Z])", r" \1", cls.__name__).lower().capitalize()


def type_words(hint: Any) -> str:
    """A field's type as the tables write it."""
    if isinstance(hint, UnionType):
        (kept,) = (arg for arg in get_args(hint) if arg is not NoneType)
        return f"{type_words(kept)} or null"
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return f"list of {'strings' if item is str else type_words(item)}"
    if hint in OBJECTS or hint in WORDS:
        return f"[{title(hint).lower()}](#{title(hint).lower().replace(' ', '-')})"
    return _PLAIN[hint]


def fields(cls: type) -> list[list[str]]:
    hints = get_type_hints(cls)
    return [[f"`{f.metadata.get('wire', f.name)}`", type_words(hints[f.name])] for f in dataclasses.fields(cls)]


@pytest.mark.parametrize("cls", ev.EVENT_TYPES, ids=lambda cls: cls.event)
def test_each_event_has_its_fields_in_order(cls: type[ev.Event]) -> None:
    found = rows(f"`{cls.event}`")
    assert [row[:2] for row in found] == fields(cls)
    assert all(meaning for *_, meaning in found)
    assert ("*Lossy.*" in SECTIONS[f"`{cls.event}`"]) == cls.lossy


@pytest.mark.parametrize("cls", ev.EVENT_TYPES, ids=lambda cls: cls.event)
def test_each_event_has_one_line_as_it_is_written(cls: type[ev.Event]) -> None:
    (line,) = re.findall(r"^```json\n(.*)\n```$", SECTIONS[f"`{cls.event}`"], re.MULTILINE)
    record = decode(line)
    assert record is not None
    assert type(record.event) is cls
    assert encode(record) == line
    assert json.loads(line)["event"] == cls.event


@pytest.mark.parametrize("cls", OBJECTS, ids=title)
def test_each_object_has_its_fields_in_order(cls: type) -> None:
    found = rows(title(cls))
    assert [row[:2] for row in found] == fields(cls)
    assert all(meaning for *_, meaning in found)


@pytest.mark.parametrize("cls", WORDS, ids=title)
def test_each_word_is_told(cls: type[Enum]) -> None:
    assert [row[0] for row in rows(title(cls))] == [f"`{word.value}`" for word in cls]


def test_each_failure_code_has_its_exit_code() -> None:
    told = [(row[0], row[1]) for row in rows("Failure codes")]
    assert told == [(f"`{code.value}`", str(int(EXIT_CODES[code]))) for code in FailureCode]


def test_each_exit_code_is_told() -> None:
    assert [int(row[0]) for row in rows("Exit codes")] == list(ExitCode)


def test_no_event_is_told_that_does_not_exist() -> None:
    told = {name.strip("`") for name in SECTIONS if name.startswith("`")}
    assert told == {cls.event for cls in ev.EVENT_TYPES}


def test_links_lead_somewhere() -> None:
    anchors = {name.lower().replace("`", "").replace(" ", "-") for name in SECTIONS}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


def test_the_protocol_number_is_the_programs() -> None:
    assert f"(now `{ev.PROTOCOL}`)" in TEXT
    assert f"at most {ev.MAX_FILES}" in SECTIONS["`change_detected`"]
