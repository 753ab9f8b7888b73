"""Whether the Dockerfile takes the newest save into the image, and where it puts the source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from devloop.adapters.scope import ignore_candidates, name_of, shown
from devloop.core.dockerfile import parse
from devloop.core.dockerfile_target import Fate, Target, target_of
from devloop.core.service import BuildSpec
from devloop.core.why.facts import SavedFile, Source

_CONTEXT = "--build-context"


def with_dockerfile(source: Source, build: BuildSpec) -> Source:
    """The source with what its Dockerfile says of it; as it was when that cannot be read. Blocks."""
    try:
        text = build.dockerfile.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return source
    contexts = tuple(_contexts(build.flags))
    target = target_of(parse(text), build.target, args=dict(build.args), contexts=contexts)
    copies = tuple(copy.destination for copy in target.copies if copy.from_context and copy.destination)
    steering = _steering(build)

    def carried(file: SavedFile) -> SavedFile:
        return file if file.path in steering else _carried(file, target, source.links)

    # That an ignore file was saved proves no image old: what it leaves out may never have been in one.
    ignoring = steering - {shown(name_of(build.dockerfile, build.context), build.context)}
    newer = tuple(_carried(f, target, source.links) if f.path in ignoring else carried(f) for f in source.newer)
    newest = carried(source.newest) if source.newest is not None else None
    return replace(source, copies=copies, newer=newer, newest=newest)


def _steering(build: BuildSpec) -> frozenset[str]:
    """What makes the image without being in it."""
    files = (build.dockerfile, *ignore_candidates(build.context, build.dockerfile))
    return frozenset(shown(name_of(file, build.context), build.context) for file in files)


def _carried(file: SavedFile, target: Target, links: Mapping[str, str]) -> SavedFile:
    """What is outside the context is left open."""
    if file.ignored_by:
        return file
    inside = not file.path.startswith(("../", "/", "~"))
    fate = target.reads(file.path, links=links).fate if inside else Fate.UNKNOWN
    return replace(file, carried=None if fate is Fate.UNKNOWN else fate is not Fate.NOTHING)


def _contexts(flags: Sequence[str]) -> Iterator[str]:
    """The names of other build contexts, `--build-context NAME=PLACE` in one word or two."""
    for flag, value in zip_longest(flags, flags[1:], fillvalue=""):
        if flag == _CONTEXT:
            yield value.partition("=")[0]
        elif flag.startswith(f"{_CONTEXT}="):
            yield flag.removeprefix(f"{_CONTEXT}=").partition("=")[0]
