"""What `devloop doctor` tells: a `Check` for each thing that it looked at, and what there is to look at.

`Topic` is the list of all checks, in the order of the way from the editor to the Pod; `docs/doctor.md` explains each
(a test says which one is missing there). Nothing is told of what was not looked at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from devloop.core.failure import GOES_ON, ExitCode, Failure


class Level(StrEnum):
    """How one check came out. Only `FAILED` makes the exit code: it would make `devloop up` fail, or lie."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, and stops nothing."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    group: str
    name: str
    level: Level
    message: str
    """A sentence with the thing and its value; several lines where several things are wrong."""
    fix: str = ""
    """The next step, as a command where there is one; empty when nothing has to be done."""


class Topic(Enum):
    """What can be looked at: the group and the name of its checks."""

    PYTHON = ("machine", "python")
    DISK = ("machine", "disk")
    CONFIG = ("project", "configuration")
    CONTEXT_SIZE = ("source", "build context")
    IGNORE_FILE = ("source", "ignore file")
    FILE_SYSTEM = ("source", "file system")
    INOTIFY = ("source", "inotify")
    DOCKER_CONTEXT = ("engine", "docker context")
    ENGINE = ("engine", "engine")
    ENGINE_CLOCK = ("engine", "clock")
    BUILDX = ("engine", "buildx")
    BUILDER = ("engine", "builder")
    LOAD = ("engine", "load")
    REGISTRY = ("registry", "registry")
    CREDENTIALS = ("registry", "credentials")
    REACH = ("registry", "reach")
    BASE = ("registry", "base image")
    REGISTRY_CLOCK = ("registry", "clock")
    KUBE_CONTEXT = ("cluster", "kube context")
    API_SERVER = ("cluster", "API server")
    CLUSTER_CLOCK = ("cluster", "clock")
    NAMESPACE = ("cluster", "namespace")
    RIGHTS = ("cluster", "rights")
    WORKLOAD = ("cluster", "workload")
    NODES = ("cluster", "nodes")
    PLATFORM = ("cluster", "platform")
    LEFT_BEHIND = ("cluster", "left behind")

    def ok(self, message: str) -> Check:
        return Check(*self.value, Level.OK, message)

    def note(self, message: str, fix: str = "") -> Check:
        return Check(*self.value, Level.NOTE, message, fix)

    def failed(self, message: str, fix: str = "") -> Check:
        return Check(*self.value, Level.FAILED, message, fix)

    def because(self, failure: Failure) -> Check:
        """Failed, in the words of the port that was asked."""
        hint = failure.hint.removesuffix(GOES_ON).rstrip()  # nothing goes on here
        return self.failed(failure.message, hint or "try again in a moment")


_ORDER = {topic.value: place for place, topic in enumerate(Topic)}


def in_order(checks: Iterable[Check]) -> tuple[Check, ...]:
    """From the editor to the Pod, each once; checks of one name stay as they came."""
    return tuple(sorted(dict.fromkeys(checks), key=lambda check: _ORDER[check.group, check.name]))


def exit_code(checks: Iterable[Check]) -> ExitCode:
    failed = any(check.level is Level.FAILED for check in checks)
    return ExitCode.UNREACHABLE if failed else ExitCode.DONE


def summary(checks: Sequence[Check]) -> str:
    """`14 checks, 1 failed, 2 notes`."""
    levels = [check.level for check in checks]
    failed, notes = levels.count(Level.FAILED), levels.count(Level.NOTE)
    parts = [counted(len(checks), "check")]
    parts += [f"{failed} failed"] if failed else []
    parts += [counted(notes, "note")] if notes else []
    return ", ".join(parts if len(parts) > 1 else [*parts, "all well"])


def counted(number: int, noun: str) -> str:
    """`1 file`, `1,200 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_bytes(number: int) -> str:
    """`700 B`, `1.2 MB`, `41 GB`; in powers of ten, as Docker counts."""
    value, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.1f} {units[0]}" if value < 9.95 and units[0] != "B" else f"{value:.0f} {units[0]}"
