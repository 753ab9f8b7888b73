"""Looks at the terminal without one: `python -m tests.tui.look [STATE...] --size 110x30 --light --keys p` writes SVGs.

A state is one of `tests.tui.states`, or the name of a recorded session. They end as PNG where `rsvg-convert` is. For
people who change what is on the screen; the tests compare text.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from devloop.core.failure import Failure, FailureCode
from tests.headless.sessions import NAMES, recorded
from tests.tui.stage import Stage, on_stage
from tests.tui.states import STATES, among_five
from tests.tui.stories import Story

REFUSED = Failure(
    FailureCode.CONTEXT_REFUSED,
    "the context `gke_prod_europe-west3` is none that is known for development (https://34.89.1.7)",
    "",
)


@dataclass(frozen=True)
class Look:
    """What to look at, and how."""

    state: str
    size: tuple[int, int]
    light: bool
    plain: bool
    among_five: bool
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        how = [
            *(["five"] if self.among_five else []),
            *(["light"] if self.light else []),
            *(["plain"] if self.plain else []),
            *self.keys,
        ]
        return "-".join([self.state, f"{self.size[0]}x{self.size[1]}", *how])


def story_of(state: str, *, five: bool) -> Story:
    if state in STATES:
        return among_five(STATES[state]) if five else STATES[state]()
    story = Story()
    story.records = recorded(state)
    story.now = story.records[-1].time
    return story


async def _press(stage: Stage, key: str) -> None:
    """A key; `refused` is the question about a context."""
    if key == "refused":
        stage.app.run_worker(stage.app.confirm("gke_prod_europe-west3", REFUSED))
        await stage.settle()
    else:
        await stage.press(key)


async def shot(look: Look) -> str:
    async with on_stage(story_of(look.state, five=look.among_five), look.size, plain=look.plain) as stage:
        if look.light:
            await stage.press("T")
        for key in look.keys:
            await _press(stage, key)
        return stage.app.export_screenshot().replace("<text ", '<text xml:space="preserve" ')


def write(svg: str, path: Path) -> Path:
    path.write_text(svg, "utf-8")
    if not shutil.which("rsvg-convert"):
        return path
    png = path.with_suffix(".png")
    subprocess.run(["rsvg-convert", str(path), "-o", str(png)], check=True)
    return png


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("states", nargs="*", metavar="STATE", help=", ".join([*STATES, *NAMES]))
    parser.add_argument("--size", default="110x30")
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--plain", action="store_true", help="a terminal without Unicode")
    parser.add_argument("--five", action="store_true", help="a state of one service among four others")
    parser.add_argument("--few", action="store_true", help="a terminal of 16 colours")
    parser.add_argument("--keys", default="", help="with commas; `refused` asks about a context")
    parser.add_argument("--to", default="/tmp/look", type=Path)
    args = parser.parse_args()
    os.environ |= {"TZ": "UTC", "COLORTERM": "" if args.few else "truecolor"}
    time.tzset()
    args.to.mkdir(parents=True, exist_ok=True)
    width, _, height = args.size.partition("x")
    keys = tuple(key for key in args.keys.split(",") if key)
    for state in args.states or STATES:
        look = Look(state, (int(width), int(height)), args.light, args.plain, args.five, keys)
        print(write(asyncio.run(shot(look)), args.to / f"{look.name}.svg"))


if __name__ == "__main__":
    main()
