"""Dockerfiles, read: what BuildKit's own parser made of each case, and what no text may do."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.dockerfile import Instruction, parse
from devloop.core.dockerfile_target import target_of
from devloop.core.dockerfile_words import UNKNOWN, BadWordError, Heredoc, expand

PARSED = Path(__file__).parent.parent / "data" / "dockerfiles" / "parsed.json"
CASES: list[dict[str, Any]] = json.loads(PARSED.read_text())["cases"]
READ = [case for case in CASES if "instructions" in case]
REFUSED = [case for case in CASES if "refused" in case]


def as_recorded(instruction: Instruction) -> dict[str, Any]:
    found: dict[str, Any] = {"name": instruction.name, "line": instruction.line, "args": list(instruction.args)}
    if instruction.flags:
        found["flags"] = [f"--{name}={value}" for name, value in instruction.flags]
    if instruction.json:
        found["json"] = True
    if instruction.heredocs:
        found["heredocs"] = [heredoc.name for heredoc in instruction.heredocs]
    if instruction.trigger:
        found["trigger"] = as_recorded(instruction.trigger)
        found["trigger"].pop("heredocs", None)
    return found


def expected(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The recorded instructions without FROM, which is a stage here."""
    return [instruction for instruction in case["instructions"] if instruction["name"] != "FROM"]


def names(text: str) -> list[str]:
    return [instruction.name for stage in parse(text).stages for instruction in stage.instructions]


@pytest.mark.parametrize("case", READ, ids=[case["name"] for case in READ])
def test_reads_what_buildkit_reads(case: dict[str, Any]) -> None:
    dockerfile = parse(case["text"])
    inside = [instruction for stage in dockerfile.stages for instruction in stage.instructions]
    assert [as_recorded(instruction) for instruction in (*dockerfile.args, *inside)] == expected(case)
    bases = [instruction["args"][0] for instruction in case["instructions"] if instruction["name"] == "FROM"]
    assert [stage.base for stage in dockerfile.stages] == bases
    assert dockerfile.problems == ()


@pytest.mark.parametrize("case", REFUSED, ids=[case["name"] for case in REFUSED])
def test_names_what_buildkit_refuses(case: dict[str, Any]) -> None:
    assert parse(case["text"]).problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("FROM a\nFOO b\n", "line 2: `FOO` is no instruction"),
        ("FROM a\n\nRUN <<EOF\nx\n", "line 3: the heredoc `EOF` has no end"),
        ("FROM a\nCOPY b\n", "line 2: COPY needs more arguments"),
        ("FROM a\nONBUILD COPY b\n", "line 2: COPY needs more arguments"),
        ('FROM a\nCOPY ["a", 1]\n', "line 2: the list of COPY may only hold strings"),
        ("COPY a /b\nFROM c\n", "line 1: COPY comes before the first FROM"),
        ("FROM a AS 1b\n", "line 1: `FROM a AS 1b` names no image, or no valid stage"),
        ("FROM a\nENV A\n", "line 2: ENV needs a name and a value"),
        ("FROM a\nENV A=1 B\n", "line 2: `B` of ENV is no NAME=value"),
        ("FROM a\nONBUILD FROM b\n", "line 2: ONBUILD takes no FROM"),
        ("# escape=x\nFROM a\n", "`x` is no escape character: it has to be a backslash or a backtick"),
        ("# syntax=a\n# syntax=b/dockerfile\nFROM a\n", "line 2: the directive `syntax` is there twice"),
        ("# syntax=tonistiigi/xx\nFROM a\n", "`tonistiigi/xx` is not Docker's own syntax of Dockerfiles"),
        ("", "there is no FROM"),
    ],
)
def test_a_problem_is_one_sentence(text: str, problem: str) -> None:
    assert problem in parse(text).problems


@pytest.mark.parametrize(
    "syntax",
    [
        "docker/dockerfile:1",
        "docker/dockerfile",
        "docker.io/docker/dockerfile:1.7-labs",
        "mirror:5000/dockerfile@sha256:0",
    ],
)
def test_dockers_syntax_is_no_problem(syntax: str) -> None:
    dockerfile = parse(f"# syntax={syntax}\nFROM a\n")
    assert (dockerfile.syntax, dockerfile.problems) == (syntax, ())


def test_stages_have_an_index_and_lower_case_names() -> None:
    stages = parse("FROM a AS Build\nFROM b\nFROM build as LAST\n").stages
    assert [(stage.index, stage.name, stage.base, stage.label) for stage in stages] == [
        (0, "build", "a", "build"),
        (1, "", "b", "1"),
        (2, "last", "build", "last"),
    ]


def test_an_escape_in_a_flag_is_dropped() -> None:
    assert parse("FROM a\nCOPY --exclude=a\\ b c /d\n").stages[0].instructions[0].flag("exclude") == "a b"


def test_flags_are_found_by_name() -> None:
    copy = parse("FROM a\nCOPY --link --from=x --exclude=a --exclude=b c /d\n").stages[0].instructions[0]
    assert (copy.flag("from"), copy.flag("link"), copy.flag("chown")) == ("x", "true", "")
    assert copy.values("exclude") == ("a", "b")


def test_a_line_is_shown_joined_and_without_heredocs() -> None:
    first, second = parse("FROM a\n copy \\\n  a /b\nRUN <<EOF cat\nx\nEOF\n").stages[0].instructions
    assert (first.line, first.text) == (2, "copy   a /b")
    assert (second.line, second.text, second.heredocs) == (4, "RUN <<EOF cat", (Heredoc("EOF"),))


VALUES = {"A": "va/l", "EMPTY": "", "HALF": f"x{UNKNOWN}", "OPEN": UNKNOWN}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("$A", "va/l"),
        ("${A}b", "va/lb"),
        ("$Ab", ""),
        ("a$", "a$"),
        ("\\$A", "$A"),
        ("'$A'", "$A"),
        ('"$A b"', "va/l b"),
        ("a\\ b", "a b"),
        ('"a\\"b\\$c\\d"', 'a"b$c\\d'),
        ("$12$@x", "x"),
        ("a<b<<c", "a<b<<c"),
        ("${NO:-d}", "d"),
        ("${NO:-${A}}", "va/l"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:-d}", "va/l"),
        ("${A:+yes}", "yes"),
        ("${NO:+yes}", ""),
        ("${EMPTY:+yes}", ""),
        ("${EMPTY+yes}", "yes"),
        ("${A:?needed}", "va/l"),
        ("$OPEN/x", f"{UNKNOWN}/x"),
        ("${OPEN:-d}", UNKNOWN),
        ("${OPEN:+yes}", UNKNOWN),
        ("${HALF:-d}", f"x{UNKNOWN}"),
        ("${HALF:+yes}", "yes"),
        ("${A%/*}", UNKNOWN),
        ("${A#v}", UNKNOWN),
        ("${A/l/r}", UNKNOWN),
        ("${EMPTY%x}", ""),
    ],
)
def test_variables_are_filled_in(word: str, text: str) -> None:
    assert expand(word, VALUES.get).text == text


def test_names_the_variables_that_are_not_known() -> None:
    assert expand("$A/$OPEN/${HALF}/$OPEN", VALUES.get).unknown == ("OPEN", "HALF")


def test_a_backtick_escapes_when_it_is_the_escape() -> None:
    assert expand("c:\\a` b", VALUES.get, "`").text == "c:\\a b"


@pytest.mark.parametrize(
    "word", ["'a", '"a', "${A", "${}", "${A:-x", "${", "${A:=x}", "${NO:?needed}", "${EMPTY:?}", "${A[0]}", "${A:#x}"]
)
def test_a_word_that_buildkit_refuses(word: str) -> None:
    with pytest.raises(BadWordError):
        expand(word, VALUES.get)


def test_what_nests_for_ever_is_refused() -> None:
    with pytest.raises(BadWordError, match="too deeply"):
        expand("${A:-" * 500, VALUES.get)


PIECES = (
    "FROM a\n|FROM $X AS b\n|COPY|ADD|RUN|ENV|ARG|WORKDIR|ONBUILD| |\n|\\\n|<<EOF|<<-'E'|EOF\n| --from=|0|[|]|*|\"|'"
    "|--mount=type=bind,source=|--parents |--exclude=|$X|${X:-|}|a/b |/d |../|# escape=`\n|`|# syntax=x\n"
    "|\0|\r|,|=|^|-|&&|~~|**/|\ufeff"
)


@given(
    st.lists(st.sampled_from(PIECES.split("|")), max_size=25).map("".join) | st.text(max_size=60),
    st.sampled_from(["a", "a/b", "", "../x", "b/./c"]),
)
def test_no_text_raises(text: str, path: str) -> None:
    target = target_of(parse(text), args={"X": "a"})
    assert target.reads(path).fate
    assert target.reads(path, folder=True, links={"a": "b", "c": "."}).fate


@given(
    st.sampled_from(
        ["RUN {}", "RUN cat {} > /x", "COPY {} /dest", "ONBUILD RUN {}", "RUN a && \\\n  b {}", "ADD x {} /y/"]
    ),
    st.sampled_from(
        [("<<EOF", "EOF"), ("<<'EOF'", "EOF"), ("<<-EOF", "\t\tEOF"), ('<<"E F"', "E F"), ("3<<COPY", "COPY")]
    ),
    st.lists(
        st.sampled_from(["COPY . /app", "FROM other", "# c", "\\", "EOF ", " EOF", "RUN <<X", "X", "", "USER root"])
    ),
)
def test_the_body_of_a_heredoc_is_no_instruction(line: str, heredoc: tuple[str, str], body: list[str]) -> None:
    start, end = heredoc
    text = "\n".join(["FROM base", line.format(start), *body, end, "USER last", ""])
    dockerfile = parse(text)
    assert [stage.base for stage in dockerfile.stages] == ["base"]
    assert names(text)[1:] == ["USER"]
    assert dockerfile.problems == ()
