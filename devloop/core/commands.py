"""What a person or a script may ask of a running session, in the imperative."""

from dataclasses import dataclass

from devloop.core.events import Trigger
from devloop.core.service import Service


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Run a cycle now, whether or not files changed."""

    service: str
    trigger: Trigger = Trigger.KEY


@dataclass(frozen=True, slots=True)
class Restart:
    """Start every Pod of the service anew with the image that was pushed last; nothing is built."""

    service: str
    trigger: Trigger = Trigger.KEY


@dataclass(frozen=True, slots=True)
class Pause:
    """Let saves gather, or (`paused=False`) build what has gathered."""

    service: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """End the running cycle; what it was for is given up."""

    service: str


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Write to the service's workloads from here on, whoever holds them."""

    service: str


@dataclass(frozen=True, slots=True)
class Quit:
    """End the session."""


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """Go over to these services: what is new joins, what is otherwise is superseded, what is gone stops."""

    services: tuple[Service, ...]
    parallel_builds: int


Command = Rebuild | Restart | Pause | Stop | TakeOver | Quit | Reconfigure
