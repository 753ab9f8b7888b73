"""What `devloop init` was asked to do: imported before anything else is, so it needs nothing that is slow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from devloop.session.request import Confirm


class Mode(Enum):
    """What becomes of the proposal."""

    ASK = "ask"
    WRITE = "write"
    PRINT = "print"
    DIFF = "diff"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on a terminal, who can be asked."""

    yes: Callable[[str, bool], bool]
    """A question, and what Enter answers."""
    choose: Callable[[str, Sequence[str]], int | None]
    """A question and the answers to choose from; None, which Enter means, for none of them."""
    text: Callable[[str, str], str]
    """A question, and what Enter answers."""
    permit: Confirm
    """Allows a context that is no known local one, by typing its name."""


@dataclass(frozen=True, slots=True)
class InitRequest:
    """What was asked for on the command line."""

    mode: Mode
    context: str = ""
    namespace: str = ""
    all_namespaces: bool = False
    person: Person | None = None
    """None where nobody can be asked, or nobody wants to be."""
