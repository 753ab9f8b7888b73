"""`python -m tests.pictures [NAME...]`: makes the pictures of the documents, all of them or those that are named.

`script` and `recording` run the demo, which takes a minute; the others are drawn of what is there.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable

from tests.pictures import script, session, stills
from tests.pictures.place import RECORDING, picture


def _written(name: str, draw: Callable[[], str]) -> Callable[[], None]:
    def write() -> None:
        picture(name).write_text(draw(), "utf-8")

    return write


def _still(name: str) -> Callable[[], None]:
    return _written(name, lambda: asyncio.run(stills.draw(name)))


PICTURES = {
    "script": _written("script", script.draw),
    "recording": lambda: session.record(RECORDING),
    "session": _written("session", lambda: asyncio.run(session.draw(RECORDING))),
    **{name: _still(name) for name in stills.STILLS},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    names = parser.parse_args().names
    if unknown := set(names) - set(PICTURES):
        parser.error(f"there is no picture {', '.join(sorted(unknown))}: name some of {', '.join(PICTURES)}")
    os.environ |= {"TZ": "UTC", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    for name in names or PICTURES:
        PICTURES[name]()
        print(name)


if __name__ == "__main__":
    main()
