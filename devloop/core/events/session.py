"""Events of the session as a whole."""

from dataclasses import dataclass
from typing import ClassVar

from devloop.core.events.base import Event
from devloop.core.events.words import LeaseChange
from devloop.core.failure import Connection, ExitCode
from devloop.core.problems import Problem


@dataclass(frozen=True, slots=True)
class SessionStarted(Event):
    """The first event of every session."""

    event: ClassVar[str] = "session_started"
    protocol: int
    """Version of this contract: `1`."""
    version: str
    """devloop's own version."""
    context: str
    """The kube context, pinned for the whole session."""
    namespace: str
    """The namespace that services use unless they name another."""
    services: tuple[str, ...]
    """Names of the services, dependencies first; each begins with a cycle that is wanted."""
    session: str = ""
    """Identifies the session; also in the mark that it leaves on a workload's Pod template."""
    command: str = ""
    """What starts such a session again: targets, file, context and namespace as they were typed."""


@dataclass(frozen=True, slots=True)
class CheckFinished(Event):
    """One check of what has to be there before anything is built. All are asked side by side and all are told; if one
    is not `ok` the session ends with the highest exit code of them."""

    event: ClassVar[str] = "check_finished"
    check: str
    """What was checked: see [checks]."""
    ok: bool
    """Whether it is there."""
    message: str
    """What was found, or what is missing, in one sentence."""
    hint: str = ""
    """The next step; empty when it is `ok`."""
    code: str = ""
    """The [failure code]; empty when it is `ok`."""


@dataclass(frozen=True, slots=True)
class ConfigAccepted(Event):
    """An edit of the configuration holds, or what was refused is mended. What it does to services is told by the events
    that follow."""

    event: ClassVar[str] = "config_accepted"
    file: str
    """The `devloop.toml`, as shown to the user."""
    settings: tuple[str, ...] = ()
    """Keys beside the services whose new value holds from now on: `loop.parallel_builds`."""
    restart: tuple[str, ...] = ()
    """Keys whose new value holds when devloop is started again: `cluster.context`."""


@dataclass(frozen=True, slots=True)
class ConfigRefused(Event):
    """An edit of the configuration cannot be used: what was in force stays. Told once for each content;
    `config_accepted` ends it."""

    event: ClassVar[str] = "config_refused"
    file: str
    """The `devloop.toml`, as shown to the user."""
    problems: tuple[Problem, ...]
    """All that is wrong, in one go."""


@dataclass(frozen=True, slots=True)
class ConnectionChanged(Event):
    """The cluster, the engine or the registry went away or came back. What waits for it starts again by itself."""

    event: ClassVar[str] = "connection_changed"
    to: Connection
    """Which."""
    ok: bool
    """Whether it is there now."""
    text: str
    """What was seen, in one sentence."""


@dataclass(frozen=True, slots=True)
class LeaseChanged(Event):
    """Who may write to a workload from here on: this session, or another one ([two people])."""

    event: ClassVar[str] = "lease_changed"
    namespace: str
    """The workload's namespace."""
    workload: str
    """The workload, `deployment/NAME`."""
    change: LeaseChange
    """What became of the right to write."""
    holder: str
    """Who holds it now: `USER@HOST/PID`, this session included; empty where nobody can know."""
    since: float
    """Since when, Unix seconds on the holder's clock; 0 when its Lease does not say."""
    before: str = ""
    """Who held it until now; empty when nobody did."""


@dataclass(frozen=True, slots=True)
class SessionFinished(Event):
    """The last event of every session, however it ends."""

    event: ClassVar[str] = "session_finished"
    exit_code: ExitCode
    """The exit code of the process."""
