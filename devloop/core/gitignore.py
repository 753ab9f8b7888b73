"""What a `.gitignore` leaves out, for walks that look for something: https://git-scm.com/docs/gitignore.

The matching is that of `devloop.core.ignore`, whose wildcards mean the same; only where a pattern may match differs.
A pattern for folders alone (`build/`) also matches a file of that name here, which no walk for Dockerfiles minds.
"""

from collections.abc import Iterable

from devloop.core.ignore import Matcher


def matcher(text: str) -> Matcher:
    """The patterns of one `.gitignore`, for paths relative to its folder."""
    return Matcher(filter(None, map(_pattern, text.removeprefix("\ufeff").splitlines())))


def _pattern(line: str) -> str:
    """The same pattern as an ignore file of Docker has it: anchored to the folder unless it begins with `**/`."""
    bare = line.rstrip(" \t")
    if not bare or bare.startswith("#"):
        return ""
    sign = "!" if bare.startswith("!") else ""
    bare = bare.removeprefix("!").removesuffix("/")
    if not bare:
        return ""
    return sign + (bare.lstrip("/") if "/" in bare else f"**/{bare}")


def ignored(path: str, matchers: Iterable[tuple[str, Matcher]]) -> bool:
    """Whether a path is left out by the `.gitignore`s of folders above it; the deepest that says anything decides.

    `matchers` are folder and patterns, the deepest first; folders are relative like the path, `` for the top.
    """
    for folder, patterns in matchers:
        decision = patterns.about(path[len(folder) + 1 :] if folder else path)
        if decision.pattern:
            return decision.ignored
    return False
