"""The one place that writes words to the standard streams outside of the event log."""

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from devloop.views import Phrase
from devloop.views.wrapping import MOST, fitted, hanging

_STDOUT = 1


def out(*lines: str) -> bool:
    """Results, to stdout; False when nobody reads them any more, once: what comes then goes nowhere."""
    return _write(sys.stdout, lines)


def err(*lines: str) -> None:
    """Everything that is no result, to stderr."""
    _write(sys.stderr, lines)


def fitted_err(*lines: str) -> None:
    """The same, in lines of the terminal's width."""
    err(*fitting(*lines))


def columns(otherwise: int = MOST) -> int:
    """Of the terminal, as far as they read well; `otherwise` where there is none."""
    found = 0
    with contextlib.suppress(OSError):
        found = os.get_terminal_size(_STDOUT).columns
    return min(found, MOST) if found else otherwise


def fitting(*lines: str) -> list[str]:
    """The same for the terminal, each below its own indent; as they are where there is none."""
    width = columns(0)
    return [part for line in lines for part in hanging(line, width)] if width else [*lines]


def fitting_phrases(phrases: Sequence[Phrase]) -> list[Phrase]:
    """The same for phrases."""
    width = columns(0)
    return fitted(phrases, width) if width else [*phrases]


def _write(stream: TextIO, lines: Iterable[str]) -> bool:
    # A terminal that knows few characters gets a question mark for others, not an exception.
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        for line in lines:
            print(line.encode(encoding, "replace").decode(encoding), file=stream, flush=True)
    except OSError:  # nobody reads any more
        _forget(stream)
        return False
    return True


def _forget(stream: TextIO) -> None:
    """What is still to be written goes nowhere: Python would try once more at its end, fail, and exit with 120."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
