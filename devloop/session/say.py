"""The one place that writes words to the standard streams outside of the event log."""

import contextlib
import sys
from collections.abc import Iterable


def out(*lines: str) -> None:
    """Results, to stdout."""
    _write(sys.stdout, lines)


def err(*lines: str) -> None:
    """Everything that is no result, to stderr."""
    _write(sys.stderr, lines)


def _write(stream: object, lines: Iterable[str]) -> None:
    # A terminal that knows few characters gets a question mark for others, not an exception.
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError):  # nobody reads any more
        for line in lines:
            shown = line.encode(encoding, "replace").decode(encoding)
            print(shown, file=stream, flush=True)  # type: ignore[call-overload]
