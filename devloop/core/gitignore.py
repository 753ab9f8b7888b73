"""What `.gitignore`s leave out, for walks that look for something: https://git-scm.com/docs/gitignore.

The matching is that of `devloop.core.ignore`, whose wildcards mean the same; only where a pattern may match differs.
A pattern for folders alone (`build/`) also matches a file of that name here, which no walk for Dockerfiles minds.
"""

import re
from collections.abc import Iterable


def patterns(text: str, folder: str = "") -> tuple[str, ...]:
    """The patterns of one `.gitignore`, for paths relative to the top; `folder` is where it lies, `` for the top.

    Those of deeper folders have to come after those above them, because the last that matches decides.
    """
    prefix = re.sub(r"([*?\[\]\\])", r"\\\1", folder) + "/" if folder else ""
    return tuple(_anchored(line, prefix) for line in _lines(text))


def _lines(text: str) -> Iterable[str]:
    bare = (line.rstrip(" \t") for line in text.removeprefix("\ufeff").splitlines())
    return (line for line in bare if line.strip("!/") and not line.startswith("#"))


def _anchored(line: str, prefix: str) -> str:
    """The same pattern as Docker's ignore files have it: anchored at the top unless it says `**/`."""
    sign, bare = ("!", line[1:]) if line.startswith("!") else ("", line)
    bare = bare.removesuffix("/")
    return sign + prefix + (bare.lstrip("/") if "/" in bare else f"**/{bare}")
