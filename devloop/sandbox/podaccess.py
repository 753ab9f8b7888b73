"""What the API server asks of the nodes about a running Pod: its logs, its ports."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LogSource:
    """The log of one start of a container."""

    path: Path
    ended: Callable[[], bool]
    """Whether nothing will be added."""


@dataclass(frozen=True, slots=True)
class LogGone:
    """The log of a start that the status still tells of, removed with its container."""

    container: str
    """Its id."""


class PodAccess(Protocol):
    """The nodes, as far as requests about Pods need them; Pods are named by uid."""

    def log(self, uid: str, container: str, *, previous: bool) -> LogSource | LogGone | None:
        """Of its present start or, while it waits for another, of the last one; `previous`: of the one that the status
        calls its last. None where there was none."""

    def host_port(self, uid: str, port: str) -> int | None:
        """Where on this machine the port (a number or a name) of that Pod is; None while nothing runs there."""
