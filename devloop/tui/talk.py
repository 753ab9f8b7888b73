"""What the app asks of the session behind it, and what it is told at the start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from devloop.core.commands import Command
from devloop.core.failure import ExitCode, Failure
from devloop.core.state import SessionState
from devloop.views import Phrase
from devloop.views.chronicle import Chronicle

Tip = Callable[[SessionState, Chronicle], str]
"""What to try next, in one line."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over: the exit code, and the lines that stay on the terminal."""

    code: ExitCode
    lines: tuple[str, ...] = ()


class Session(Protocol):
    """The running session, as the app sees it."""

    def send(self, command: Command) -> None:
        """Into the conductor's inbox; ignored before there is one."""

    def quit(self, code: ExitCode | None) -> None:
        """End the session as `q` does (None), or as an interrupt does."""

    async def why(self, service: str) -> Sequence[Phrase]:
        """The answer of `devloop why`, in words."""

    async def restore(self, service: str) -> Sequence[str]:
        """Put the service's workloads back; what was done, in words."""

    def shell(self, service: str) -> Sequence[str] | str:
        """The command of a shell in a Pod of the service, or why there is none."""

    def has_file(self, service: str, file: str) -> bool:
        """Whether a file that a build or a container named is here, so that it can be opened."""

    def editor(self, service: str, file: str, line: int) -> Sequence[str] | str:
        """The command that opens a file at a line, or why there is none."""


class Confirm(Protocol):
    """Asks the person at the terminal to allow a context by typing its name."""

    async def __call__(self, context: str, failure: Failure) -> bool: ...
