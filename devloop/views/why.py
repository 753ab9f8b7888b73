"""The words of `devloop why`: one answer as lines, several as a table. Nothing here prints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import groupby

from devloop.core.failure import ExitCode
from devloop.core.service import WorkloadKey
from devloop.core.why.cause import Cause, CauseCode, Link
from devloop.core.why.chain import Holds, Reading
from devloop.core.why.diagnosis import NO_CAUSE, exit_code
from devloop.core.why.facts import NewestSave
from devloop.core.why.tally import NOTHING, Tally
from devloop.views import Phrase, Tone
from devloop.views.verdict import ruling
from devloop.views.wrapping import MOST, wrapped

_MARKS = {Holds.YES: "✔", Holds.NO: "✘", Holds.UNREAD: "·"}
_TONES = {Holds.YES: Tone.GOOD, Holds.NO: Tone.BAD, Holds.UNREAD: Tone.QUIET}
_NAME = 15
"""Columns of a link's name."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one workload."""

    key: WorkloadKey
    context: str
    readings: tuple[Reading, ...]
    causes: tuple[Cause, ...]
    pod: str = ""
    """The one Pod that was asked about."""
    tally: Tally = NOTHING
    saved: NewestSave | None = None
    """What a session that runs says of the newest save, where that is not proved."""
    service: str = ""
    """The service of devloop.toml that was asked about."""
    is_shared: bool = False
    """Whether other services run on the workload too, so that it alone does not say what was asked about."""

    @property
    def exit_code(self) -> ExitCode:
        return exit_code(self.causes)


def answer_lines(answer: Answer, now: float, zone: tzinfo | None, width: int = MOST) -> list[Phrase]:
    """The chain, then each cause with its evidence and its fix. `zone`: of the times; None is this machine's."""
    clock = _Clock(now, zone)
    lines = [Phrase(_about(answer)), Phrase(""), *_chain(answer.readings, clock)]
    if not answer.causes:
        lines += [Phrase(""), Phrase(_fine(answer), Tone.GOOD)]
    return lines + _causes(answer, clock, width)


def screen_lines(answers: Sequence[Answer], now: float, zone: tzinfo | None) -> list[Phrase]:
    """For a screen, which shows the beginning and wraps it: what runs, then why, then how that was found."""
    clock = _Clock(now, zone)
    lines = [_verdict(answer, named=len(answers) > 1) for answer in answers]
    for answer in answers:
        lines += [*_causes(answer, clock, None), Phrase(""), Phrase(_about(answer)), *_chain(answer.readings, clock)]
    return lines


def _verdict(answer: Answer, *, named: bool) -> Phrase:
    text, tone = _fine(answer), Tone.GOOD
    if answer.causes:
        text, tone = ruling(answer.causes[0], answer.tally, answer.saved)
    mark = {Tone.GOOD: "✔", Tone.BAD: "✘"}.get(tone, "·")
    return Phrase(f"{mark} {answer.key}: {text}" if named else f"{mark} {text}", tone)


def _about(answer: Answer) -> str:
    workload = f"{answer.key} (service {answer.service})" if answer.is_shared else str(answer.key)
    about = f"Pod {answer.pod} of {workload}" if answer.pod else workload
    return f"{about} in namespace {answer.key.namespace}, context {answer.context}"


def _causes(answer: Answer, clock: "_Clock", width: int | None) -> list[Phrase]:
    lines: list[Phrase] = []
    for number, cause in enumerate(answer.causes):
        lines += [Phrase(""), *_cause(cause, clock, width, first=number == 0)]
    return lines


def table_lines(answers: Sequence[Answer]) -> list[Phrase]:
    """A row a workload, or each service of one that has several; worst first."""
    rows = [(_named(a), _word(a), _short(a), _tone(a)) for a in sorted(answers, key=_rank)]
    first = max((len(row[0]) for row in rows), default=0)
    second = max((len(row[1]) for row in rows), default=0)
    return [Phrase(f"{key:{first}}  {word:{second}}  {text}", tone) for key, word, text, tone in rows]


def _named(answer: Answer) -> str:
    return f"{answer.key} ({answer.service})" if answer.is_shared else str(answer.key)


def _rank(answer: Answer) -> tuple[int, int, str]:
    worst = {ExitCode.UNPROVEN: 0, ExitCode.UNREACHABLE: 1}.get(answer.exit_code, 2)
    return worst, -len(answer.causes), _named(answer)


def _word(answer: Answer) -> str:
    return answer.causes[0].code if answer.causes else "ok"


def _short(answer: Answer) -> str:
    if not answer.causes:
        return _fine(answer)
    more = f" (and {', '.join(c.code for c in answer.causes[1:])})" if len(answer.causes) > 1 else ""
    return answer.causes[0].message + more


def _tone(answer: Answer) -> Tone:
    return {ExitCode.DONE: Tone.GOOD, ExitCode.UNREACHABLE: Tone.WARN}.get(answer.exit_code, Tone.BAD)


def _fine(answer: Answer) -> str:
    names, pods = answer.tally.containers, answer.tally.pods
    where = f" in {pods} Pods" if pods > 1 else ""
    reporting = f"container {names[0]} reports" if len(names) == 1 else f"containers {_listed(names)} report"
    loaded = any(r.link is Link.LOADED for r in answer.readings)
    return f"the newest image runs{where}: {reporting} what {'was loaded' if loaded else 'the registry has'}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), *names[-1:]])


def _chain(readings: Sequence[Reading], clock: "_Clock") -> Iterator[Phrase]:
    for link, group in groupby(readings, key=lambda reading: reading.link):
        name = str(link)
        for reading in group:
            at = f" {clock.told(reading.time)}" if reading.time else ""
            yield Phrase(f"  {_MARKS[reading.holds]} {name:{_NAME}}{reading.text}{at}", _TONES[reading.holds])
            name = ""


def _cause(cause: Cause, clock: "_Clock", width: int | None, *, first: bool) -> Iterator[Phrase]:
    tone = Tone.GOOD if cause.code in NO_CAUSE else Tone.WARN
    tone = Tone.BAD if first and tone is Tone.WARN and cause.code is not CauseCode.UNKNOWN else tone
    sentence = f"{cause.code}: {cause.message}"
    lines = wrapped(sentence, width) if width else [sentence]
    yield from (Phrase(line, tone) for line in lines)
    for found in cause.evidence:
        at = f" {clock.told(found.time)}" if found.time else ""
        yield Phrase(f"  · {found.source}: {found.text}{at}", Tone.QUIET)
    if cause.fix:
        yield Phrase(f"→ {cause.fix}")


@dataclass(frozen=True, slots=True)
class _Clock:
    now: float
    zone: tzinfo | None

    def told(self, time: float) -> str:
        """The time of day, with the date when that is not today's."""
        at = datetime.fromtimestamp(time, self.zone)
        today = datetime.fromtimestamp(self.now, self.zone).date()
        return at.strftime("%H:%M:%S" if at.date() == today else "%Y-%m-%d %H:%M:%S")
