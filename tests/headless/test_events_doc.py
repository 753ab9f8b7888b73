"""What is written by hand in `docs/events.md` is true; `tests/reference` makes the rest of it."""

import json
import re
from pathlib import Path

import pytest

from devloop.core import events as ev
from devloop.headless.ndjson import decode, encode

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n((?:(?!^##).*\n?)*)", TEXT, re.MULTILINE))


def test_each_event_has_a_section_in_the_order_of_the_types() -> None:
    assert list(SECTIONS) == [cls.event for cls in ev.EVENT_TYPES]
    for name, section in SECTIONS.items():
        assert f"<!-- generated: {name} -->" in section


@pytest.mark.parametrize("cls", ev.EVENT_TYPES, ids=lambda cls: cls.event)
def test_each_event_has_one_line_as_it_is_written(cls: type[ev.Event]) -> None:
    (line,) = re.findall(r"^```json\n(.*)\n```$", SECTIONS[cls.event], re.MULTILINE)
    record = decode(line)
    assert record is not None
    assert type(record.event) is cls
    assert encode(record) == line
    assert json.loads(line)["event"] == cls.event


def test_the_numbers_are_the_programs() -> None:
    assert f"(now `{ev.PROTOCOL}`)" in TEXT
    assert f"Version of this contract: `{ev.PROTOCOL}`" in SECTIONS["session_started"]
    for name in ("change_detected", "cycle_started"):
        assert f"at most {ev.MAX_FILES}" in SECTIONS[name]
