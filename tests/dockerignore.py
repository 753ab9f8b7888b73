"""Pattern sets with what the real BuildKit leaves out of one tree of awkward names (`cases.json`)."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from devloop.core.ignore import Decision, Matcher, parse

CASES = Path(__file__).parent / "data" / "dockerignore" / "cases.json"


def load() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(CASES.read_text())
    return loaded


def folders_above(path: str) -> list[str]:
    """`a/b/c` gives `a` and `a/b`."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def all_paths(tree: Iterable[str]) -> list[str]:
    """Every file and folder of the tree, folders before what is in them; a folder of the tree ends with a slash."""
    names = {path.rstrip("/") for path in tree}
    return sorted(names | {folder for name in names for folder in folders_above(name)})


def make_tree(root: Path, paths: Iterable[str]) -> None:
    """Empty files; a name that ends with a slash is a folder."""
    for path in paths:
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("")


def left_out(tree: Iterable[str], ignore: str) -> list[str] | None:
    """What devloop says is not in the context (a folder above what is kept, is kept); None when it is refused."""
    matcher = Matcher(parse(ignore))
    if matcher.problems:
        return None
    kept: set[str] = set()
    decisions: dict[str, Decision] = {"": Decision()}
    for path in all_paths(tree):
        decisions[path] = matcher.decide(path, decisions[path.rpartition("/")[0]])
        if not decisions[path].ignored:
            kept |= {path, *folders_above(path)}
    return sorted(set(all_paths(tree)) - kept)
