"""The one place that writes words to the standard streams outside of the event log."""

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import TextIO


def out(*lines: str) -> None:
    """Results, to stdout."""
    _write(sys.stdout, lines)


def err(*lines: str) -> None:
    """Everything that is no result, to stderr."""
    _write(sys.stderr, lines)


def _write(stream: TextIO, lines: Iterable[str]) -> None:
    # A terminal that knows few characters gets a question mark for others, not an exception.
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        for line in lines:
            print(line.encode(encoding, "replace").decode(encoding), file=stream, flush=True)
    except OSError:  # nobody reads any more
        _forget(stream)


def _forget(stream: TextIO) -> None:
    """What is still to be written goes nowhere: Python would try once more at its end, fail, and exit with 120."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
