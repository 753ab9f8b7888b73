"""Lines of keys, and writing: both checked against what `tomllib` makes of the same text."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core import toml
from devloop.core.problems import Place

CASES = [
    ("a = 1\nb = 2", {("a",): 1, ("b",): 2}),
    ("# a\n\n[t]\n\na = 1", {("t",): 3, ("t", "a"): 5}),
    ("[a.b]\nc.d = 1", {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 2, ("a", "b", "c", "d"): 2}),
    ('["x y"]\n"p.q" = 1', {("x y",): 1, ("x y", "p.q"): 2}),
    ("'a' = '#no ['\nb = 1 # [t]", {("a",): 1, ("b",): 2}),
    ("a = [\n 1, # one\n\n 2,\n]\nb = 0", {("a",): 1, ("a", 0): 2, ("a", 1): 4, ("b",): 6}),
    (
        "a = { b = 1, c = { d = [2] } }",
        {("a",): 1, ("a", "b"): 1, ("a", "c"): 1, ("a", "c", "d"): 1, ("a", "c", "d", 0): 1},
    ),
    ('a = """x\n[t]\n"q" \\""" = 3"""\nb = 1', {("a",): 1, ("b",): 4}),
    ("a = '''x\n'y' = 3'''\nb = 1", {("a",): 1, ("b",): 3}),
    ('a = """"q"""""\nb = 1', {("a",): 1, ("b",): 2}),
    (
        "[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 1",
        {("a",): 1, ("a", 0): 1, ("a", 0, "b"): 2, ("a", 1): 3, ("a", 1, "c"): 4, ("a", 1, "c", "d"): 5},
    ),
    ("a = 1979-05-27 07:32:00\r\nb = 1.5\r\n", {("a",): 1, ("b",): 2}),
    ('a = [{ b = 1 }, "x,]"]', {("a",): 1, ("a", 0): 1, ("a", 0, "b"): 1, ("a", 1): 1}),
    ('"\\u0061" = 1', {("a",): 1}),
]


@pytest.mark.parametrize(("text", "lines"), CASES)
def test_lines(text: str, lines: dict[Place, int]) -> None:
    assert toml.key_lines(text) == lines


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_the_lines_are_those_of_the_document(text: str) -> None:
    assert set(toml.key_lines(text)) == set(places(tomllib.loads(text)))


def places(node: Any, place: Place = ()) -> Iterator[Place]:
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        yield (*place, key)
        yield from places(value, (*place, key))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.integers(-(2**40), 2**40) | st.booleans() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_what_is_written_is_read_back_and_every_place_has_a_line(document: dict[str, Any]) -> None:
    text = toml.write(document)
    assert tomllib.loads(text) == document
    assert set(toml.key_lines(text)) == set(places(document))
