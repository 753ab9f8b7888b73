"""A person at a terminal: a shell under tmux into which keys are typed, and whose screen is read."""

import json
import os
import shlex
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from tests.e2e import harness
from tests.e2e.harness import PATIENCE, Event

_LOOK_EVERY = 0.1
_PANES = os.environ.get("DEVLOOP_E2E_PANES")
"""A file to which every screen is added that was waited for: for people who want to see what the tests see."""


class Tmux:
    """A shell on a screen of its own; the tmux server is this test's alone."""

    def __init__(self, cwd: Path, *, width: int = 110, height: int = 30) -> None:
        self._tmux = ("tmux", "-u", "-L", f"devloop-{uuid.uuid4().hex[:8]}", "-f", "/dev/null")
        self._cwd = cwd
        self._run(
            "new-session",
            "-d",
            "-x",
            str(width),
            "-y",
            str(height),
            "-c",
            str(cwd),
            "env -u COLUMNS -u LINES PS1='$ ' sh",
        )

    def __enter__(self) -> "Tmux":
        return self

    def __exit__(self, *_: object) -> None:
        self._run("kill-server")

    def devloop(self, *args: str) -> None:
        """Type `devloop ARGS`; the shell says its exit code when it has ended."""
        self.enter(f"{shlex.join([*harness.HERE.devloop, *args])}; echo code=$?")

    def enter(self, line: str) -> None:
        """Type a line."""
        self._run("send-keys", "-l", line)
        self._run("send-keys", "Enter")

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names of them."""
        self._run("send-keys", *keys)

    @property
    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    @property
    def scrollback(self) -> str:
        """What stays: all that the shell's screen holds, and what scrolled off it. Long lines are whole."""
        return self._run("capture-pane", "-p", "-J", "-S", "-")

    def flag(self, name: str) -> str:
        """A variable of tmux about the terminal, like `alternate_on`."""
        return self._run("display-message", "-p", f"#{{{name}}}").strip()

    def until(self, *texts: str, without: str = "", patience: float = PATIENCE) -> str:
        """The screen, once one of its lines has all of these texts (and nothing on it has the other)."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            screen = self.screen
            lines = screen.splitlines()
            if any(all(text in line for text in texts) for line in lines) and not (without and without in screen):
                _keep(screen, texts)
                return screen
            time.sleep(_LOOK_EVERY)
        raise AssertionError(f"no line with {texts}, or {without!r} is still there:\n{self.screen}")

    def _run(self, *args: str) -> str:
        done = subprocess.run([*self._tmux, *args], capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout


def _keep(screen: str, texts: tuple[str, ...]) -> None:
    if _PANES:
        test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
        with Path(_PANES).open("a") as file:
            file.write(f"── {test}: {', '.join(texts)}\n{screen.rstrip()}\n\n")


class Recording:
    """The recording of the one session in a state folder, as it grows."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "sessions"

    @property
    def events(self) -> list[Event]:
        (path,) = self._folder.glob("*.ndjson")
        whole = path.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def of(self, event: str, **fields: Any) -> list[Event]:
        """All events so far of that name with these fields."""
        return [e for e in self.events if e["event"] == event and all(e.get(k) == v for k, v in fields.items())]

    def wait_for(self, event: str, times: int = 1, **fields: Any) -> list[Event]:
        """So many events of that name with these fields."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if len(found := self.of(event, **fields)) >= times:
                return found
            time.sleep(_LOOK_EVERY)
        raise AssertionError(f"no {times} {event} {fields} in " + "\n".join(map(json.dumps, self.events)))
