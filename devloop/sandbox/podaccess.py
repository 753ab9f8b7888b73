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


class PodAccess(Protocol):
    """The nodes, as far as requests about Pods need them; Pods are named by uid."""

    def log(self, uid: str, container: str, *, previous: bool) -> LogSource | None: ...

    def host_port(self, uid: str, port: str) -> int | None:
        """Where on this machine the port (a number or a name) of that Pod is; None while nothing runs there."""
