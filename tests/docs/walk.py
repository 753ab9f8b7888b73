"""Does what a page says, block by block: files are written, edits made, commands run and what they say compared."""

import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from itertools import takewhile

from tests.docs.blocks import Block
from tests.docs.shown import ANY, in_order, is_shown, says
from tests.docs.world import World

PATIENCE = 30.0
"""Seconds for a command, and for each line of a session."""
INTERRUPT = "^C"
_MARK, _CODE = "## command ", "## exit code "


@dataclass(frozen=True)
class Typed:
    """A command, and what a document shows below it."""

    command: str
    shown: list[str]

    @property
    def stays(self) -> bool:
        """Whether it runs until it is interrupted."""
        return self.is_session and not re.search(r"--(once|script)|[|>]", self.command)

    @property
    def is_session(self) -> bool:
        return re.match(r"devloop (up|demo)\b", self.command) is not None

    def is_followed_by(self, told: list[str]) -> bool:
        """A session tells more on its way than a document shows, of a slow cluster for example."""
        return in_order(self.shown, told) if self.is_session else is_shown(self.shown, told)


def typed_in(block: Block) -> tuple[list[str], list[Typed]]:
    """What a session that runs already says, and then commands with what they say."""
    if block.language == "sh":
        return [], [Typed(command.partition("  #")[0], [ANY]) for command in block.commands]
    lines = block.text.replace("\\\n", "").splitlines()
    first = [*takewhile(lambda line: not line.startswith("$ "), lines)]
    commands: list[Typed] = []
    for line in lines[len(first) :]:
        if line.startswith("$ "):
            commands.append(Typed(line[2:], []))
        else:
            commands[-1].shown.append(line)
    return first, commands


@dataclass
class Session:
    """A command that stays, whose lines are read as they come."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    told: int = 0
    """Lines before this one were shown already."""

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def will_say(self, shown: str, world: World) -> None:
        """Wait for a line after those that were shown."""
        until = time.monotonic() + PATIENCE
        with self._news:
            while True:
                for number in range(self.told, len(self.lines)):
                    if says(shown, world.as_told(self.lines[number])):
                        self.told = number + 1
                        return
                if self._over or not self._news.wait(until - time.monotonic()):
                    said = "\n".join(map(world.as_told, self.lines))
                    raise AssertionError(f"it did not say\n{shown}\nbut, after {self.told} lines,\n{said}")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Whether or not it was interrupted."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()


@dataclass
class Walk:
    """A page in a world. Use as a context manager: what was started is ended."""

    world: World
    sessions: list[Session] = field(default_factory=list)

    def __enter__(self) -> "Walk":
        return self

    def __exit__(self, *_: object) -> None:
        for session in self.sessions:
            session.end()

    def go(self, block: Block) -> None:
        """One block; what is only shown is left alone."""
        if block.file:
            path = self.world.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.world.here(block.text))
        elif block.language == "diff":
            self._edit(block.text)
        elif block.language in {"console", "sh"}:
            first, commands = typed_in(block)
            self._hear(first)
            self._run(commands)

    def _edit(self, diff: str) -> None:
        name, *lines = [line for line in diff.splitlines() if not line.startswith("+++ ")]
        old, new = ([line[1:] for line in lines if line[:1] in {" ", sign}] for sign in "-+")
        path = self.world.folder / name.removeprefix("--- ")
        before, was = path.read_text(), "\n".join(old)
        assert before.count(was) == 1, f"{path} has not\n{was}\nonce, but is\n{before}"
        path.write_text(before.replace(was, "\n".join(new)))

    def _hear(self, shown: list[str]) -> None:
        for line in shown:
            if line == INTERRUPT:
                self.sessions[-1].interrupt()
            elif line != ANY:
                self.sessions[-1].will_say(line, self.world)
        if INTERRUPT in shown:
            assert self.sessions[-1].process.wait(PATIENCE) == 128 + signal.SIGINT

    def _run(self, commands: list[Typed]) -> None:
        """Those that end in one shell, so that each finds what the one before it left."""
        if commands and commands[-1].stays:
            *commands, last = commands
            self._finished(commands)
            self._begin(last)
        else:
            self._finished(commands)

    def _begin(self, typed: Typed) -> None:
        self.sessions.append(
            Session(
                subprocess.Popen(
                    ["sh", "-c", f"exec {self.world.here(typed.command)}"], cwd=self.world.folder, env=self.world.env,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                    start_new_session=True,
                )
            )
        )  # fmt: skip
        self._hear(typed.shown)

    def _finished(self, commands: list[Typed]) -> None:
        """Each has to succeed: where one fails, a document shows its exit code with `; echo "exit code $?"`."""
        lines = (f"echo '{_MARK}'\n{self.world.here(each.command)}\necho \"{_CODE}$?\"" for each in commands)
        script = "\n".join(lines)
        written = self.typed(script)
        parts = written.split(f"{_MARK}\n")[1:]
        assert len(parts) == len(commands), written
        for typed, part in zip(commands, parts, strict=True):
            said, _, code = part.rpartition(_CODE)
            assert code == "0\n", f"{typed.command}\nended with {code}and said\n{said}"
            told = self.world.as_told(said).splitlines()
            assert typed.is_followed_by(told), f"{typed.command}\nsaid\n{said}\nand is shown as\n{typed.shown}"

    def typed(self, script: str) -> str:
        """What a shell writes to both streams."""
        return subprocess.run(
            ["sh", "-c", script], cwd=self.world.folder, env=self.world.env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=4 * PATIENCE, check=False,
        ).stdout  # fmt: skip
