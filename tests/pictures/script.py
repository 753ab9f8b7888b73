"""The picture of `devloop demo --script`: run on a terminal, at its own pace but for long waits."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from tests.onterminal import OnTerminal
from tests.pictures.frames import Frame, Shown, joined, row_of
from tests.pictures.place import anybodys
from tests.pictures.svg import animated

COLUMNS = 100
LONGEST_PAUSE, AT_THE_END = 2.0, 8.0
"""Seconds that nothing happens, and that all of it is there to be read."""
_TYPED = 0.07
_SHORTEST = 0.1
PROMPT, COMMAND = "$ ", "devloop demo --script"
_SAID = (
    "A terminal runs devloop demo --script: the app is pushed to the same tag and restarted, and the page stays "
    "yesterday's; devloop says why, takes over, and proves that the Pods run what was pushed, at each edit again."
)


def draw() -> str:
    return animated(joined([*_typing(), *_running()], _SHORTEST), title=COMMAND, said=_SAID, columns=COLUMNS)


def _typing() -> Iterator[Shown]:
    yield Shown(_frame(PROMPT), 0.6)
    for at in range(1, len(COMMAND)):
        yield Shown(_frame(PROMPT + COMMAND[:at]), _TYPED)
    yield Shown(_frame(PROMPT + COMMAND), 0.5)


def _running() -> Iterator[Shown]:
    text = f"{PROMPT}{COMMAND}\n"
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        command = [sys.executable, "-m", "devloop", "demo", "--script", "--folder", str(folder / "devloop-demo")]
        with OnTerminal(command, Path.cwd(), size=(COLUMNS, 40)) as terminal:
            for pause, piece in terminal.pieces():
                yield Shown(_frame(anybodys(text, folder)), min(pause, LONGEST_PAUSE))
                text += piece.replace("\r\n", "\n")
            assert terminal.finish() == 0, terminal.said
        yield Shown(_frame(anybodys(text, folder)), AT_THE_END)


def _frame(text: str) -> Frame:
    console = Console(width=COLUMNS, color_system="truecolor")
    return tuple(row_of(Text.from_ansi(line).render(console)) for line in text.splitlines())
