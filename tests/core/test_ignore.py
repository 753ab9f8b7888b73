"""What BuildKit leaves out of a context, as recorded from the real one, and what never starts a cycle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.ignore import Decision, Matcher, is_temporary, never_triggers, parse
from tests.dockerignore import all_paths, left_out, load

TRUTH = load()


@pytest.mark.parametrize("case", TRUTH["cases"], ids=[case["name"] for case in TRUTH["cases"]])
def test_leaves_out_what_buildkit_leaves_out(case: dict[str, str]) -> None:
    expected: object = case["left_out"]
    assert left_out(TRUTH["tree"], case["ignore"]) == expected


@pytest.mark.parametrize("case", TRUTH["cases"], ids=[case["name"] for case in TRUTH["cases"]])
def test_a_path_alone_is_decided_as_on_a_walk(case: dict[str, str]) -> None:
    matcher = Matcher(parse(case["ignore"]))
    decisions = {"": Decision()}
    for path in all_paths(TRUTH["tree"]):
        decisions[path] = matcher.decide(path, decisions[path.rpartition("/")[0]])
        assert matcher.about(path) == decisions[path]


def test_reads_bytes_like_text() -> None:
    assert parse(b"\xef\xbb\xbf# no\r\n  a/b/ \r\n! /c\n") == ("a/b", "!c")


def test_bytes_that_are_no_utf8_are_kept() -> None:
    assert Matcher(parse(b"caf\xe9*\n")).ignores("caf\udce9.txt")


def test_says_which_pattern_decided() -> None:
    matcher = Matcher(parse("*.md\nbuild\n!build/keep\n!README.md\n"))
    decided = {path: matcher.deciding(path) for path in ("a.md", "README.md", "build/x", "build/keep", "src/x")}
    assert decided == {
        "a.md": "*.md",
        "README.md": "!README.md",
        "build/x": "build",
        "build/keep": "!build/keep",
        "src/x": "",
    }


def test_an_ignored_folder_is_entered_only_when_something_below_may_be_taken_back() -> None:
    matcher = Matcher(parse("node_modules\nbuild\n!build/sub/keep\n"))
    assert not matcher.may_contain_kept("node_modules")
    assert matcher.may_contain_kept("build")
    assert matcher.may_contain_kept("build/sub")
    assert not matcher.may_contain_kept("build/other")
    assert Matcher(parse("node_modules\n!**/keep\n")).may_contain_kept("node_modules")


def test_a_refused_pattern_is_named_and_the_others_still_count() -> None:
    matcher = Matcher(parse("[a\nbuild\n!\n"))
    assert matcher.problems == (
        "BuildKit refuses the ignore pattern `[a`: a `[` class in it is not closed",
        "BuildKit refuses the ignore pattern `!`: it takes nothing back",
    )
    assert matcher.ignores("build/x")


@given(st.text("ab*?[]^-!\\/.{}|(2,)#é \t\n$+:dw", max_size=12), st.text("ab/.[2d", min_size=1, max_size=6))
def test_no_pattern_crashes(text: str, path: str) -> None:
    assert Matcher(parse(text)).ignores(path) in {True, False}


@given(
    st.lists(st.sampled_from(["a", "!a", "a/b", "!a/b", "*", "!a/*", "!a/b/**", "**/b", "!**/c", "b", "!b/a"])),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
)
def test_a_folder_that_is_not_entered_contains_nothing_that_is_kept(patterns: list[str], names: list[str]) -> None:
    matcher = Matcher(patterns)
    folders = ["/".join(names[:end]) for end in range(1, len(names))]
    if any(not matcher.may_contain_kept(folder) for folder in folders):
        assert matcher.ignores("/".join(names))


@pytest.mark.parametrize(
    "name",
    [
        "4913",
        ".main.py.swp",
        ".main.py.swx",
        "main.py~",
        ".#main.py",
        "#main.py#",
        "main.py___jb_tmp___",
        ".main.py.kate-swp",
        ".goutputstream-X1Y2Z3",
        ".DS_Store",
        "._main.py",
        ".nfs000000000123abcd00000001",
    ],
)
def test_an_editors_temporary_file_never_triggers(name: str) -> None:
    assert is_temporary(name)
    assert never_triggers(f"src/{name}")


@pytest.mark.parametrize("name", ["main.py", ".env", "4914x", "swp", "a.swift", "#readme", "~", ".gitignore", "49130"])
def test_other_names_trigger(name: str) -> None:
    assert not never_triggers(f"src/{name}")


def test_a_version_control_folder_never_triggers() -> None:
    assert never_triggers(".git/index")
    assert never_triggers("vendor/lib/.git/HEAD")
    assert never_triggers("submodule/.git")
    assert not never_triggers(".github/workflows/ci.yml")
