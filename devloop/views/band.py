"""What broke: the one thing that cannot be missed, in the order in which it is read. Pure.

A failure says in one sentence what failed and why. Here they come apart: what failed may be cut where the terminal is
narrow, the line that tells why is not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from devloop.core.crash import CUT
from devloop.core.events import Phase, WarningRaised, WorkloadDrifted
from devloop.core.failure import Failure, FailureCode
from devloop.core.problems import Problem
from devloop.core.state import FinishedCycle, ServiceState, SessionState
from devloop.views import hint_now, takes_over, what_is_back
from devloop.views.board import failed_phase
from devloop.views.chronicle import Chronicle
from devloop.views.loglines import without_colour

_SOURCES = (
    "py|pyi|pyx|js|jsx|mjs|cjs|ts|tsx|vue|svelte|go|rs|c|h|cc|cpp|cxx|hpp|m|swift|java|kt|kts|scala|groovy|gradle|clj|rb"
    "|erb|php|cs|fs|vb|ex|exs|erl|hs|ml|lua|dart|zig|nim|r|jl|sh|bash|sql|proto|graphql|html|css|scss|less|json|ya?ml"
    "|toml|xml|tf|jinja2?|txt|cfg|conf"
)
"""A name with one of these is a file: `registry.example.com:5000` is none."""
_PYTHON_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
_PLACE = re.compile(rf"([\w./@+-]*[\w+-]\.(?:{_SOURCES}))(?::(\d+)|\((\d+),\d+\))")
_FOREIGN = re.compile(
    rf"^[<{CUT}]|^node:|^/usr/(?!(?:local/)?(?:src|app)/)|^/rustc/"
    r"|(?:^|/)(?:site-packages|dist-packages|node_modules|vendor|go/pkg/mod|\.?cargo/registry)/"
    r"|(?:^|/)lib\d*/(?:python|pypy)\d[\w.]*/"
)
"""What nobody mends here: libraries, and the runtime's own, wherever it is installed. Images have what is somebody's
own in /usr/src/app too."""
_EXIT = re.compile(r"(?<=.) \(exit code \d+\)$")
"""Of the step, behind the words of what it ran: they tell more."""
_PATIENCE = 5.0
"""Seconds that a rollout may take before a trouble that may heal is more than a word in its row: programs start slowly.
One that usually takes long is given twice what it usually takes."""
_DOCKERFILE = re.compile(r"^(?:(\S*Dockerfile\S*):(\d+)$|(\S+), line (\d+): )")
"""The builder's own words, BuildKit's last ones: the line of the step, which is seldom the line that is wrong."""


@dataclass(frozen=True, slots=True)
class Band:
    """The failure of one service, or of the configuration."""

    service: str
    """Empty where it is of none."""
    where: str
    """`build`, `push`, `rollout`, `verify`, or the configuration's file; empty where it is none of these."""
    what: str
    """What failed: a step, a container, a Pod."""
    decisive: str = ""
    """The line that tells why; where a file is known, it comes first."""
    hint: str = ""
    file: str = ""
    """As the build or the container named it."""
    line: int = 0
    others: int = 0
    """How many more services failed."""
    warns: bool = False
    """Whether it is no failure, and still nothing to be missed."""
    restored: bool = False
    """Whether it is what somebody wanted: the workload is what it was before devloop."""

    @property
    def text(self) -> str:
        """All of it, to be pasted elsewhere."""
        head = " ".join(part for part in (self.service, self.where) if part)
        parts = (f"{head}: {self.what}", self.decisive, f"→ {self.hint}" if self.hint else "")
        return "\n".join(part for part in parts if part)


def band(state: SessionState, past: Chronicle, chosen: str = "", now: float = 0.0) -> Band | None:
    """What is wrong with the newest edit of the configuration, which somebody waits for; else the failure of the chosen
    service, else of the first one that failed, else what holds up a rollout, else what is not as it was proved; else
    that the chosen one was restored. `now`: Unix seconds."""
    if state.refused:
        return _of_config(state.refused)
    stopped = {name for name in state.services if past.given_up(name) is not None}
    broken = [each for each in state.services.values() if _own_failure(each) and each.name not in stopped]
    for service in sorted(broken, key=lambda each: each.name != chosen):
        assert service.last is not None
        assert service.last.failure is not None
        return _of(service, service.last, service.last.failure, past, len(broken) - 1)
    held_up = [(each, trouble) for each in state.services.values() if (trouble := _holds_up(each, past, now))]
    for service, trouble in sorted(held_up, key=lambda each: each[0].name != chosen):
        return _of_trouble(service, trouble, len(held_up) - 1)
    idle = [service for service in state.services.values() if service.running is None]
    drifted = [service for service in idle if service.drift and not service.restored]
    for service in sorted(drifted, key=lambda each: each.name != chosen):
        assert service.drift is not None
        return _of_drift(service.drift, len(drifted) - 1)
    found = (service for service in idle if service.name == chosen or len(state.services) == 1)
    return next((_of_restored(each, each.restored) for each in found if each.restored), None)


def place_of(service: ServiceState, past: Chronicle) -> str:
    """Where the newest cycle of a service failed, as FILE:LINE; empty where that is not known."""
    if service.last is None or service.last.failure is None:
        return ""
    found = _of(service, service.last, service.last.failure, past, 0)
    return f"{found.file}:{found.line}" if found.file else ""


def _own_failure(service: ServiceState) -> bool:
    """Whether it failed by itself, and nothing has begun since; a dependency's failure is told where it happened."""
    return (
        service.running is None
        and service.restored is None
        and service.failure is not None
        and service.failure.code is not FailureCode.DEPENDENCY_FAILED
    )


def _holds_up(service: ServiceState, past: Chronicle, now: float) -> WarningRaised | None:
    """What its rollout waits for longer than rollouts do."""
    usual = past.usual_phases(service.name).get(Phase.ROLLOUT, 0.0)
    is_late = service.running is not None and now - service.running.phase_started > max(_PATIENCE, 2 * usual)
    return service.hindered if is_late else None


def _of_trouble(service: ServiceState, trouble: WarningRaised, others: int) -> Band:
    what, decisive = parted(trouble.message)
    return Band(service.name, Phase.ROLLOUT, what, decisive, trouble.hint, others=others, warns=True)


def _of_config(problems: Sequence[Problem]) -> Band:
    first = problems[0]
    place = first.file if first.line is None else f"{first.file}:{first.line}"
    name = _name(first.file)
    what = f"{place} {first.key}".rstrip()
    return Band("", name, what, first.message, first.fix, first.file, first.line or 1, len(problems) - 1)


def _of_drift(drift: WorkloadDrifted, others: int) -> Band:
    by = f", by {drift.who}" if drift.who else ""
    return Band(drift.service, "", f"{drift.workload}: {drift.what}{by}", others=others, warns=True)


def _of_restored(service: ServiceState, drift: WorkloadDrifted) -> Band:
    return Band(service.name, "", what_is_back(drift), hint=takes_over(service), restored=True)


def _of(service: ServiceState, last: FinishedCycle, failure: Failure, past: Chronicle, others: int) -> Band:
    what, decisive = parted(failure.message)
    where = failed_phase(last)
    said = past.output(service.name) if where == Phase.BUILD else past.last_words(service.name)
    file, line = _place((*said, failure.message))
    is_told = f"{_name(file)}:{line}" in decisive or f"{_name(file)}, line {line}" in what
    if file and decisive and not is_told:
        decisive = f"{_name(file)}:{line}  {decisive}"
    # What a crashed container wrote stands in the log below; how to read it elsewhere need not be said.
    hint = "" if failure.code is FailureCode.CRASH and past.last_words(service.name) else hint_now(failure, service)
    return Band(service.name, where, what, decisive, hint, file, line, others)


def parted(message: str) -> tuple[str, str]:
    """What failed, and why; a step of a build without the marks around it."""
    first, _, more = message.partition("\n")
    step, failed, cause = first.rpartition("` failed: ")
    if failed and step.startswith("`"):
        return step[1:], _EXIT.sub("", cause)
    what, _, why = first.partition(": ")
    return what, why or more.strip().partition("\n")[0]


def _place(lines: Sequence[str]) -> tuple[str, int]:
    """The place in somebody's own source that the lines name; the Dockerfile's only where there is no other.

    Python tells the innermost call last; compilers tell the error that made the others first, and so do other traces.
    """
    said = [without_colour(line).strip() for line in lines]
    python = [(m[1], m[2]) for line in said for m in _PYTHON_PLACE.finditer(line)]
    others = [
        (m[1], m[2] or m[3])
        for line in said
        for m in _PLACE.finditer(line)
        if not line.endswith(CUT, 0, m.start())  # whose it is stood in its front
    ]
    dockerfile = [(m[1] or m[3], m[2] or m[4]) for line in said if (m := _DOCKERFILE.match(line))]
    for file, number in (*reversed(python), *others, *dockerfile):
        if not _FOREIGN.search(file):
            return file, int(number)
    return "", 0


def _name(file: str) -> str:
    return file.rpartition("/")[2]
