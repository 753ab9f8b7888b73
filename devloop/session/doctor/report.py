"""The report of `devloop doctor`: lines to paste into a question, or one JSON object."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from devloop.core.checkup import Check, Level, summary
from devloop.views.wrapping import MOST, wrapped

_MARKS = {Level.OK: "✔", Level.NOTE: "!", Level.FAILED: "✘"}


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


def as_lines(report: Report, width: int = MOST) -> Iterator[str]:
    """Without colour or anything else that a paste would spoil."""
    yield from wrapped(f"devloop {report.version} doctor · {report.time:%Y-%m-%d %H:%M} UTC · {report.system}", width)
    column = max((len(check.name) for check in report.checks), default=0) + 2
    for group, checks in groupby(report.checks, key=lambda check: check.group):
        yield ""
        yield group
        for check in checks:
            yield from _lines(check, column, width)
    yield ""
    yield summary(report.checks)


def _lines(check: Check, column: int, width: int) -> Iterator[str]:
    indent = " " * (column + 4)
    head = f"  {_MARKS[check.level]} {check.name.ljust(column)}"
    for text in check.message.splitlines():
        yield from wrapped(text, width, head, indent)
        head = indent
    if check.fix:
        yield from wrapped(check.fix, width, f"{indent}→ ", f"{indent}  ")


def _whole(text: str) -> str:
    """A name that is no UTF-8 carries surrogates, which no terminal or JSON reader takes."""
    return text.encode("utf-8", "replace").decode()
