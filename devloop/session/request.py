"""What was asked for on the command line: imported before anything else is, so it needs nothing that is slow."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devloop.core.failure import Failure

Confirm = Callable[[str, Failure], bool]
"""Asks a person on a terminal to allow a context by typing its name."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    names: tuple[str, ...] = ()
    """Services, or (without a file) one `deployment/NAME`."""
    file: Path | None = None
    context: str = ""
    namespace: str = ""
    build: str = ""
    """The folder to build when there is no file."""
    writes: bool = True
    """Whether the context has to be one that devloop may write to."""
    confirm: Confirm | None = None
    """None where nobody can be asked."""
    verb: str = "up"
    """The command that asks: `up`, `plan`."""

    def typed(self, *names: str) -> str:
        """The command line once more, for a hint to complete; with these names where some are given."""
        options = {"-f": self.file, "--context": self.context, "-n": self.namespace, "--build": self.build}
        given = [word for option, value in options.items() if value for word in (option, str(value))]
        return shlex.join(["devloop", self.verb, *(names or self.names), *given])


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the sessions that run."""

    services: tuple[str, ...] = ()
    """Empty: all of them."""
    file: Path | None = None
    as_json: bool = False
