"""What `devloop doctor` tells: a `Check` for each thing that it looked at, and what there is to look at.

`Topic` is the list of all checks, in the order of the way from the editor to the Pod; `docs/doctor.md` is made of its
docstrings. Nothing is told of what was not looked at.
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
    """The Python that runs devloop."""
    DISK = ("machine", "disk")
    """Free space for temporary files, and for images where the engine runs on this machine: a note below 2 GB, a
    failure below 200 MB. Fix: `docker system df` shows what images and build caches take, `docker builder prune` frees
    caches."""
    CONFIG = ("project", "configuration")
    """`devloop.toml`, its overlay, and the services that were named. All problems are told, each with its line; the
    rest is looked at all the same, in the context and the namespace that the files name as far as they can be read.
    Fix: correct them; `devloop validate` checks the file alone."""
    CONTEXT_SIZE = ("source", "build context")
    """Files and bytes that a build may send, after `.dockerignore`, and the ten largest entries: a note from 100 MB on,
    when something cannot be read, or when an image takes `devloop.toml` or its overlay, whose edits then build it anew.
    Fix: leave out what the image does not need in `.dockerignore`."""
    IGNORE_FILE = ("source", "ignore file")
    """Told only when it has patterns that BuildKit refuses: every build would fail. Fix: correct or remove the line."""
    FILE_SYSTEM = ("source", "file system")
    """Whether changes are told (not by 9p, drvfs, nfs, cifs, virtiofs and their like); Linux only. devloop polls there.
    Fix: keep the source on a local file system, in WSL2 below `~`."""
    INOTIFY = ("source", "inotify")
    """The watches and instances that all trees need, those in use by you, and the limits; Linux only. With too few
    devloop would poll. Fix: `sudo sysctl fs.inotify.max_user_watches=524288`."""
    DOCKER_CONTEXT = ("engine", "docker context")
    """Which engine `docker` on this terminal would talk to, and what says so. Fix: `docker context use NAME`, or
    DOCKER_HOST."""
    ENGINE = ("engine", "engine")
    """Whether it answers, and its version; only a note when every builder does without it, and a sandbox has none. Fix:
    start Docker."""
    ENGINE_CLOCK = ("engine", "clock")
    """Its clock against this machine's: a note from 2 s on, a failure from 60 s on, because tokens are then refused.
    Only what is certain after the time that the answer took. Fix: set both by NTP; restart a virtual machine that
    slept."""
    BUILDX = ("engine", "buildx")
    """The version of the plugin. Fix: install `docker-buildx-plugin`, 0.12 or newer."""
    BUILDER = ("engine", "builder")
    """Whether the builders of the services exist, run, and are not in a container for which `localhost` is another.
    Fix: as the message says, often `docker buildx use default`."""
    LOAD = ("engine", "load")
    """For services with `load`: which local cluster it is, and whether the command that loads images into it is there
    and knows it. Fix: install it, create the cluster, or push to a registry."""
    REGISTRY = ("registry", "registry")
    """Whether it answers to this machine. Fix: start it, or correct its name in `image` or `push_image`."""
    CREDENTIALS = ("registry", "credentials")
    """Whether it takes the credentials that Docker has for it, for a push to the services' repositories. Fix: `docker
    login HOST`."""
    REACH = ("registry", "reach")
    """Whether the builder itself, which may be elsewhere, gets there. Fix: as the message says: `insecure-registries`,
    a CA, or another `push_image`."""
    BASE = ("registry", "base image")
    """Whether the images that a FROM names can be read with your credentials; never a failure, as the builder may have
    them. Fix: `docker login HOST`, or correct the FROM."""
    REGISTRY_CLOCK = ("registry", "clock")
    """As for the engine."""
    KUBE_CONTEXT = ("cluster", "kube context")
    """Whether there is one, and whether devloop may write there; not being allowed to is a note, because a person may
    allow it on a terminal. Fix: add the line for `[cluster]` in `devloop.toml` that is told."""
    API_SERVER = ("cluster", "API server")
    """Whether it answers and takes your credentials, and its version. Fix: `kubectl version` must work first."""
    CLUSTER_CLOCK = ("cluster", "clock")
    """As for the engine."""
    NAMESPACE = ("cluster", "namespace")
    """Whether it exists, where that may be read. Fix: another `-n`, or `kubectl create namespace NAME`."""
    RIGHTS = ("cluster", "rights")
    """All that devloop needs; and what it goes without when it may not read logs of Pods or events, or use Leases ([two
    people]). Fix: ask for a Role; `kubectl auth can-i --list` shows what you may do."""
    WORKLOAD = ("cluster", "workload")
    """For each service: whether its Deployments exist, and which containers are its own. Fix: correct `workload` or
    `container`."""
    NODES = ("cluster", "nodes")
    """How many take new Pods (ready, not cordoned, no pressure on disk, memory or processes) and their platforms; a
    failure when none does, a note when all have taints that only some Pods tolerate. Fix: `kubectl describe node
    NAME`."""
    PLATFORM = ("cluster", "platform")
    """What each service is built for, against the nodes: a failure when no node has it, a note when some have not. Fix:
    `build.platform`."""
    IN_USE = ("cluster", "in use")
    """Told of every Deployment in the namespaces at hand that carries changes of devloop while a session works on it,
    with that session."""
    LEFT_BEHIND = ("cluster", "left behind")
    """Every Deployment that carries changes of devloop and that nobody works on: in the namespaces at hand each by
    itself, and those in other namespaces, where you may list them, in one line. Fix: `devloop restore`, with what is
    told."""

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
