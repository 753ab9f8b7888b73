"""The report of `devloop doctor`: lines to paste into a question, or one JSON object."""

import dataclasses
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from devloop.core.checkup import Check, Level, summary

_MARKS = {Level.OK: "✔", Level.NOTE: "!", Level.FAILED: "✘"}
_WIDTH = 110
_UNIT = re.compile(r"(?<=\d) (?=[kMGT]?B\b)")


@dataclass(frozen=True, slots=True)
class Report:
    """All that was looked at, and where and when."""

    version: str
    time: datetime
    system: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.level is not Level.FAILED for check in self.checks)

    def cleaned(self, clean: Callable[[str], str]) -> "Report":
        """With every message passed through `clean`, which hides secrets."""
        checks = (
            dataclasses.replace(check, message=_whole(clean(check.message)), fix=_whole(clean(check.fix)))
            for check in self.checks
        )
        return dataclasses.replace(self, checks=tuple(checks))


def as_json(report: Report) -> str:
    fields = {
        "version": report.version,
        "time": report.time.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "ok": report.ok,
        "checks": [_fields(check) for check in report.checks],
    }
    return json.dumps(fields, ensure_ascii=False)


def _fields(check: Check) -> dict[str, str]:
    fields = dataclasses.asdict(check)
    return {"group": fields.pop("group"), "check": fields.pop("name"), **fields}


def as_lines(report: Report) -> Iterator[str]:
    """Without colour or anything else that a paste would spoil."""
    yield f"devloop {report.version} doctor · {report.time:%Y-%m-%d %H:%M} UTC · {report.system}"
    column = max((len(check.name) for check in report.checks), default=0) + 2
    for group, checks in groupby(report.checks, key=lambda check: check.group):
        yield ""
        yield group
        for check in checks:
            yield from _lines(check, column)
    yield ""
    yield summary(report.checks)


def _lines(check: Check, column: int) -> Iterator[str]:
    indent = " " * (column + 4)
    head = f"  {_MARKS[check.level]} {check.name.ljust(column)}"
    for text in check.message.splitlines():
        yield from _wrapped(text, head, indent)
        head = indent
    if check.fix:
        yield f"{indent}→ {check.fix}"  # in one line, whatever its length: it may be a command to copy


def _wrapped(text: str, head: str, indent: str) -> Iterator[str]:
    """Lines of a width that mails and issues take; a number stays with its unit."""
    wrap = textwrap.TextWrapper(
        _WIDTH, initial_indent=head, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    for line in wrap.wrap(_UNIT.sub("\0", text)):
        yield line.replace("\0", " ")


def _whole(text: str) -> str:
    """A name that is no UTF-8 carries surrogates, which no terminal or JSON reader takes."""
    return text.encode("utf-8", "replace").decode()
