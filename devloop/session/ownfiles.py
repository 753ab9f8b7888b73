"""devloop's own files in build contexts: what a COPY takes of them is part of an image, and an edit builds it anew."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from devloop.adapters import configfile
from devloop.adapters.scope import leads_out, name_of, read_ignore_file
from devloop.core.dockerfile import parse
from devloop.core.dockerfile_target import Fate, target_of
from devloop.core.service import BuildSpec

OWN = (configfile.FILE, configfile.OVERLAY)


class Taken(NamedTuple):
    """Files that images take, and where they can be left out."""

    names: tuple[str, ...]
    """As the ignore file would have them: relative to the build context."""
    ignore_file: Path


def taken(builds: Mapping[str, BuildSpec], files: Sequence[Path]) -> dict[Taken, list[str]]:
    """With the services whose images take them, where that is certain. Blocks."""
    found: defaultdict[Taken, list[str]] = defaultdict(list)
    for service, build in builds.items():
        ignoring = read_ignore_file(build.context, build.dockerfile)
        inside = [name for file in files if not leads_out(name := name_of(file, build.context))]
        if names := tuple(_copied((name for name in inside if not ignoring.matcher.ignores(name)), build)):
            found[Taken(names, ignoring.path or build.context / ".dockerignore")].append(service)
    return dict(found)


def _copied(names: Iterable[str], build: BuildSpec) -> Iterator[str]:
    try:
        text = build.dockerfile.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    target = target_of(parse(text), build.target, args=dict(build.args))
    yield from (name for name in names if target.reads(name).fate in {Fate.COPIED, Fate.CARRIED})
