"""What a `.gitignore` leaves out, for walks that look for Dockerfiles."""

import pytest

from devloop.core.gitignore import patterns
from devloop.core.ignore import Matcher


@pytest.mark.parametrize(
    ("text", "path", "left_out"),
    [
        ("build", "build", True),
        ("build", "a/b/build", True),
        ("build/", "a/build", True),
        ("build/", "build/x/Dockerfile", True),
        ("/build", "build", True),
        ("/build", "a/build", False),
        ("a/build", "a/build", True),
        ("a/build", "b/a/build", False),
        ("**/gen", "a/gen", True),
        ("*.old", "a/Dockerfile.old", True),
        ("*.old", "Dockerfile", False),
        ("tmp*\n!tmp-kept", "tmp-kept", False),
        ("# build", "build", False),
        ("", "build", False),
        ("!", "build", False),
        ("a/**", "a/b/c", True),
        ("build  ", "build", True),
    ],
)
def test_patterns(text: str, path: str, left_out: bool) -> None:
    assert Matcher(patterns(text)).ignores(path) is left_out


def test_the_deepest_that_says_anything_decides() -> None:
    found = Matcher((*patterns("gen\nown"), *patterns("!gen\n/here", "a"), *patterns("x", "b[1]")))
    assert found.problems == ()
    for path, left_out in {
        "gen": True, "a/gen": False, "a/c/gen": False, "b/gen": True, "a/own": True,
        "a/here": True, "a/c/here": False, "here": False, "b[1]/x": True, "b1/x": False,
    }.items():  # fmt: skip
        assert found.ignores(path) is left_out, path
