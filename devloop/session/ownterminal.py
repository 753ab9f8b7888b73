"""The terminal, while it belongs to one program: what draws on it, what reads its keys, and what is put back."""

import contextlib
import os
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from devloop.tui.driver import Driver

_KEEP_TITLE, _GIVE_TITLE_BACK = "\x1b[22;2t", "\x1b[23;2t"
_GIVE_BACK = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # the mouse
    "\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[?7h\x1b[<u"  # paste, resizing, focus, line wrap, keys
    "\x1b[0m\x1b[?1049l\x1b[?25h"  # colours, the other screen, the cursor
)
"""What Textual writes at its end, for when it does not come to it."""


class Terminal:
    """A file that is the terminal. Writing to one that went away harms nobody: whoever waits for a writer waits on."""

    encoding = "utf-8"

    def __init__(self, fd: int, stray: Path) -> None:
        self._fd = fd
        self.stray = stray
        """Where stderr goes meanwhile."""
        self._attributes = _attributes()

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "replace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def give_back(self) -> None:
        """For an end at which nobody else does it any more."""
        self.write(_GIVE_BACK)
        self.put_back()

    def put_back(self) -> None:
        """The title, and how keys are read."""
        self.write(_GIVE_TITLE_BACK)
        if self._attributes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self._attributes)

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Stderr is the terminal for a while: another program has it."""
        file = os.dup(2)
        os.dup2(self._fd, 2)
        try:
            yield
        finally:
            os.dup2(file, 2)
            os.close(file)

    def keep_stray(self, recording: Path | None) -> None:
        """What was written to stderr goes beside the recording; an empty file goes."""
        with contextlib.suppress(OSError):
            if not self.stray.stat().st_size:
                self.stray.unlink()
            elif recording is not None:
                recording.with_suffix(".stderr.txt").write_bytes(self.stray.read_bytes())
                self.stray.unlink()


@contextlib.contextmanager
def own_terminal() -> Iterator[Terminal]:
    """The app draws where stderr went; everybody else's stderr goes to a file."""
    file, name = tempfile.mkstemp(prefix="devloop-", suffix=".stderr.txt")
    terminal = Terminal(os.dup(2), Path(name))
    before = sys.__stderr__, sys.stderr
    os.dup2(file, 2)
    os.close(file)
    sys.__stderr__ = terminal  # type: ignore[misc, assignment]
    terminal.write(_KEEP_TITLE)
    try:
        yield terminal
    finally:
        terminal.put_back()
        os.dup2(terminal.fileno(), 2)
        sys.__stderr__, sys.stderr = before  # type: ignore[misc]
        os.close(terminal.fileno())


class Keys(Driver):
    """Hands a mistake of the thread that reads keys to the app, as it is: Textual would print it."""

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as error:
            self._app.call_later(self._app._handle_exception, error)


def knows_only_ascii(env: Mapping[str, str]) -> bool:
    """Whether the locale says so; without any, today's terminals know UTF-8."""
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    return locale in {"C", "POSIX"} or ("." in locale and "utf" not in locale.lower())


def _attributes() -> list[Any] | None:
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None
