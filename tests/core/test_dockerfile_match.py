"""Which files a source takes, as recorded from what BuildKit copies with; folders and links."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from devloop.core.dockerfile import parse
from devloop.core.dockerfile_match import Hit, Source, hit
from devloop.core.dockerfile_target import Fate, target_of

COPIED = Path(__file__).parent.parent / "data" / "dockerfiles" / "copied.json"
RECORDED: dict[str, Any] = json.loads(COPIED.read_text())
CASES: list[dict[str, Any]] = RECORDED["cases"]


UNSURE = {"two stars are one": {"app/main.py", "app/util.py"}}
"""What is not decided here, by case: BuildKit has no rule of its own for `**` without --parents."""


def dockerfile_of(case: Mapping[str, Any]) -> str:
    flags = [f"--exclude={pattern} " for pattern in case.get("excludes", ())]
    flags += ["--parents "] if case.get("parents") else []
    words = json.dumps([*case["sources"], case["destination"]])
    return f"FROM scratch\nWORKDIR {RECORDED['working_dir']}\nCOPY {''.join(flags)}{words}\n"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_copies_what_buildkit_copies(case: dict[str, Any]) -> None:
    built = target_of(parse(dockerfile_of(case)))
    links = RECORDED["links"] if case.get("with_links") else {}
    readings = {path: built.reads(path, links=links) for path in RECORDED["files"]}
    unsure = {path for path, reading in readings.items() if reading.fate is Fate.UNKNOWN}
    assert unsure == UNSURE.get(case["name"], set())
    places: dict[str, set[str]] = {}
    for path, reading in readings.items():
        for take in reading.takes if path not in unsure else ():
            places.setdefault(take.destination, set()).add(path)
    assert set(places) == set(case["image"])
    # Where two files land on one place, the later one is left.
    assert all(path in places[place] for place, path in case["image"].items())


@pytest.mark.parametrize(
    ("pattern", "path", "below"),
    [
        ("a?c", "abc", ""),
        ("a?c", "a/c", None),
        ("[a-c]x", "bx", ""),
        ("[a-c]x", "dx", None),
        ("[^a-c]x", "dx", ""),
        ("[c-a]x", "bx", None),
        ("[^c-a]x", "bx", ""),
        ("[\\]]x", "]x", ""),
        ("[a\\-c]x", "-x", ""),
        ("[a\\-c]x", "bx", None),
        ("[]x", "]x", None),
        ("[-a]x", "-x", None),
        ("[a-]x", "ax", None),
        ("[!a]x", "!x", ""),
        ("*\\*", "a*", ""),
        ("*\\*", "ab", None),
        ("*\\", "a", None),
        ("a{b,c}*", "abd", None),
        ("src/*/x", "src/a/x/y", "y"),
        ("*", "a/b/c", "b/c"),
    ],
)
def test_wildcards_are_gos(pattern: str, path: str, below: str | None) -> None:
    assert hit(Source(pattern), path) == (None if below is None else Hit(below))


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**b", "a/x/b", True),
        ("a/**b", "a/x/y", False),
        ("**/b/**", "x/b/y/z", True),
        ("x/../a/**/b", "a/b", True),
    ],
)
def test_two_stars_with_parents_take_any_depth(pattern: str, path: str, taken: bool) -> None:
    assert hit(Source(pattern, parents=True), path) == (Hit(path) if taken else None)
    # Without --parents that much is not certain.
    without = hit(Source(pattern), path)
    assert (without is not None) == taken


def test_a_file_that_is_its_own_pivot_is_taken() -> None:
    assert hit(Source("a.txt/./b", parents=True), "a.txt") == Hit()


@pytest.mark.parametrize(
    ("copy", "path", "fate", "destinations"),
    [
        ("COPY src /s", "src", Fate.COPIED, ("/s",)),
        ("COPY src /s/", "src/x", Fate.COPIED, ("/s/x",)),
        ("COPY . /s/", "", Fate.COPIED, ("/s",)),
        ("COPY src/a/b.py /s/", "src", Fate.COPIED, ()),
        ("COPY --parents src/a/b.py /s/", "src", Fate.COPIED, ()),
        ("COPY src/*/b.py /s/", "src", Fate.UNKNOWN, ()),
        ("COPY src/$X/b.py /s/", "src", Fate.UNKNOWN, ()),
        ("COPY --parents src/**/b.py /s/", "src/x/y", Fate.UNKNOWN, ()),
        ("COPY lib/a/b.py /s/", "src", Fate.NOTHING, ()),
        ("COPY s*/a/b.py /s/", "lib", Fate.NOTHING, ()),
    ],
)
def test_folders(copy: str, path: str, fate: Fate, destinations: tuple[str, ...]) -> None:
    reading = target_of(parse(f"FROM python\n{copy}\n")).reads(path, folder=True)
    assert (reading.fate, [take.destinations for take in reading.takes]) == (fate, [destinations] * len(reading.takes))


def test_links_of_the_context_are_followed_when_they_are_given() -> None:
    built = target_of(parse("FROM python\nCOPY current/a.json /etc/app/\n"))
    links = {"current": "conf/now", "conf/now": "v2"}
    assert built.reads("conf/v2/a.json", links=links).takes[0].destination == "/etc/app/a.json"
    assert built.reads("conf/v1/a.json", links=links).fate is Fate.NOTHING
    assert built.reads("conf/v2/a.json").fate is Fate.NOTHING


def test_links_that_lead_in_circles_end() -> None:
    built = target_of(parse("FROM python\nCOPY x /x\n"))
    assert built.reads("a/b", links={"a/up": "..", "b": "b", "c": "a/up/c"}).fate is Fate.NOTHING
