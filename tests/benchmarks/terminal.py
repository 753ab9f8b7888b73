"""A program on a terminal of its own: what it draws, how soon, and what that costs it (Linux)."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PATIENCE = 60.0
FRAME = "\x1b[0m"
"""In every frame, and in nothing before the first: the end of a colour."""
_ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[?2048$p": b"\x1b[?2048;0$y"}
"""What terminals answer to the questions that the app asks at its start."""


class Terminal:
    """A child on a pseudo-terminal; close it, or use it as a context manager."""

    def __init__(
        self, command: Sequence[str], cwd: Path, *, size: tuple[int, int] = (110, 30), env: Mapping[str, str] = {}
    ) -> None:
        self._fd, other = os.openpty()
        width, height = size
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **env}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=other, stdout=other, stderr=other,
            start_new_session=True, preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(other)
        self.drawn = b""
        """What was drawn since the last key."""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._fd)

    def press(self, keys: str) -> float:
        """Type; the moment of it. Only what is drawn from now on counts for `until`."""
        self._read(0)
        self.drawn = b""
        os.write(self._fd, keys.encode())
        return time.monotonic()

    def until(self, *texts: str, patience: float = PATIENCE) -> float:
        """The moment when one of these texts had been drawn."""
        wanted = [text.encode() for text in texts]
        deadline = time.monotonic() + patience
        while not any(text in self.drawn for text in wanted):
            if not self._read(deadline - time.monotonic()):
                raise SystemExit(f"{' or '.join(texts)} was not drawn; the last that was:\n{self.drawn[-3000:]!r}")
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """Take in what is drawn for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self._read(left):
                return

    def until_end(self, patience: float = PATIENCE) -> float:
        """The moment when the process was gone."""
        deadline = time.monotonic() + patience
        while self._read(deadline - time.monotonic()):
            pass
        self.process.wait(max(0.1, deadline - time.monotonic()))
        return time.monotonic()

    def cpu_ms(self) -> float:
        """What all threads of the process have used until now."""
        used = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(OSError):
                used += int((task / "schedstat").read_text().split()[0])
        return used / 1e6

    def memory_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _read(self, patience: float) -> bool:
        """Take in what is there, or comes meanwhile; False when nothing came, or the terminal is closed."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, patience))
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65_536)
        except OSError:
            return False
        for question, answer in _ANSWERS.items():
            if question in data:
                os.write(self._fd, answer)
        self.drawn += data
        return bool(data)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
