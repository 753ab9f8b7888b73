"""A program on a terminal of its own: what it draws, keys and signals for it, and how it leaves the terminal."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PATIENCE = 30.0
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes standard input the controlling terminal, so that closing it sends SIGHUP as it would from an emulator."""
_SANE = {1049: "l", 25: "h", 7: "h", 1000: "l", 1003: "l", 1006: "l", 2004: "l", 1004: "l"}
"""The alternate screen, cursor, line wrap, mouse, paste and focus reports, as a shell needs them."""


class OnTerminal:
    """A process on a pseudo-terminal; a context manager."""

    def __init__(
        self, command: Sequence[str], cwd: Path, *, env: Mapping[str, str] = {}, stdout: int | None = None,
        size: tuple[int, int] = (110, 30),
    ) -> None:  # fmt: skip
        self._screen, self._terminal = os.openpty()
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self._before = termios.tcgetattr(self._terminal)
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        environment = {**inherited, "TERM": "xterm-256color", "LANG": "C.UTF-8", **env}
        self.process = subprocess.Popen(
            [command[0], "-c", _TAKE, *command], cwd=cwd, env=environment, start_new_session=True,
            stdin=self._terminal, stdout=self._terminal if stdout is None else stdout, stderr=self._terminal,
        )  # fmt: skip
        self.drawn = ""
        """Everything, escape sequences and all."""

    def __enter__(self) -> "OnTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fd in (self._screen, self._terminal):
            if fd >= 0:
                os.close(fd)

    def until(self, text: str) -> None:
        """Wait until this was drawn, after whatever was waited for before."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.drawn[self._seen :]:
            assert self.process.poll() is None, f"it ended before {text!r}:\n{self.said}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.said}"
            self._read(0.1)
        self._seen = self.drawn.index(text, self._seen) + len(text)

    _seen = 0

    def press(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._screen)
        self._screen = -1

    def finish(self) -> int:
        """Wait for its end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self.said}"
            if self._screen >= 0:
                self._read(0.05)
            else:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.05)
        while self._screen >= 0 and self._read(0):
            pass
        return self.process.returncode

    def pieces(self) -> Iterator[tuple[float, str]]:
        """What it draws from here on, until it ends, and how long after the piece before."""
        before = time.monotonic()
        while self._read(PATIENCE if self.process.poll() is None else 0):
            now = time.monotonic()
            yield now - before, self.drawn[self._seen :]
            before, self._seen = now, len(self.drawn)

    @property
    def said(self) -> str:
        """What stays on the terminal after the alternate screen is left, without escape sequences."""
        return re.sub(
            r"\x1b[\[<>?=][0-9;:?<>$]*[a-zA-Z]|\x1b\][^\x07]*\x07", "", self.drawn.rpartition("\x1b[?1049l")[2]
        )

    def assert_sane(self) -> None:
        """The shell that comes next finds everything as it was."""
        last = {int(mode): state for mode, state in re.findall(r"\x1b\[\?(\d+)([hl])", self.drawn)}
        assert last == last | _SANE, last
        assert termios.tcgetattr(self._terminal) == self._before

    def _read(self, patience: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], patience)
        if not ready:
            return False
        self.drawn += os.read(self._screen, 65_536).decode("utf-8", "replace")
        return True
