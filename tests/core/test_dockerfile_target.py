"""What a Dockerfile takes from its context, and where it lands; and what must not be guessed."""

from typing import Any

import pytest

from devloop.core.dockerfile import parse
from devloop.core.dockerfile_target import Fate, Reading, Target, target_of


def target(text: str, name: str = "", **options: Any) -> Target:
    return target_of(parse(text), name, **options)


def reads(text: str, path: str, **options: Any) -> Reading:
    return target(text, **options).reads(path)


def lands(text: str, path: str, **options: Any) -> tuple[str, ...]:
    """The destinations of a path that one instruction copies."""
    reading = reads(text, path, **options)
    assert reading.fate is Fate.COPIED
    (take,) = reading.takes
    return take.destinations


PYTHON = "FROM python:3 AS base\nWORKDIR /app\n"


@pytest.mark.parametrize(
    ("text", "path", "landed"),
    [
        pytest.param("COPY a.txt /dest", "a.txt", ("/dest", "/dest/a.txt"), id="a file or into a folder of the image"),
        pytest.param("COPY a.txt /dest.txt", "a.txt", ("/dest.txt",), id="a name with the suffix of the source"),
        pytest.param("COPY hosts /etc/hosts", "hosts", ("/etc/hosts",), id="the name of the source"),
        pytest.param("COPY *.jar /app.jar", "x.jar", ("/app.jar",), id="one of several becomes the file"),
        pytest.param("COPY a* /x.jar", "a.jar", ("/x.jar", "/x.jar/a.jar"), id="a wildcard may match a folder too"),
        pytest.param("COPY a.txt /app", "a.txt", ("/app/a.txt",), id="the working directory is a folder"),
        pytest.param("COPY --link a.txt /app", "a.txt", ("/app", "/app/a.txt"), id="link does not look at the image"),
        pytest.param("COPY --link=false a.txt /app", "a.txt", ("/app/a.txt",), id="link can be turned off"),
        pytest.param("WORKDIR /x/y/z\nCOPY a.txt /x/y", "a.txt", ("/x/y/a.txt",), id="so are those above it"),
        pytest.param("COPY b.txt /d/\nCOPY a.txt /d", "a.txt", ("/d/a.txt",), id="one that a COPY made"),
        pytest.param("COPY a.txt b.txt /dest", "b.txt", ("/dest/b.txt",), id="several sources need a folder"),
        pytest.param("COPY src /dest", "src/x/y.py", ("/dest/x/y.py",), id="the contents of a folder"),
        pytest.param("COPY . .", "src/y.py", ("/app/src/y.py",), id="everything"),
        pytest.param("COPY . ..", "y.py", ("/y.py",), id="above the working directory"),
        pytest.param("WORKDIR b\nWORKDIR ../c\nCOPY y.py .", "y.py", ("/app/c/y.py",), id="relative WORKDIR"),
        pytest.param("WORKDIR /b//c/\nCOPY y.py ./", "y.py", ("/b/c/y.py",), id="untidy WORKDIR"),
        pytest.param('COPY ["a b.txt", "c d/"]', "a b.txt", ("/app/c d/a b.txt",), id="JSON"),
        pytest.param("COPY \"a.txt\" 'b'/", "a.txt", ("/app/b/a.txt",), id="quotes"),
        pytest.param("COPY a.txt <<EOF /dest/\nx\nEOF", "a.txt", ("/dest/a.txt",), id="beside a heredoc"),
        pytest.param("COPY --chown=1:2 --chmod=755 a.txt ./", "a.txt", ("/app/a.txt",), id="owner and mode"),
        pytest.param("COPY --from= a.txt ./", "a.txt", ("/app/a.txt",), id="an empty from is the context"),
        pytest.param("ADD --checksum=sha256:0 --keep-git-dir a.py ./", "a.py", ("/app/a.py",), id="ADD"),
        pytest.param("ADD dir /x", "dir/a.tar.gz", ("/x/a.tar.gz",), id="an archive in a folder is not extracted"),
        pytest.param("ADD --unpack=false a.tar /x/", "a.tar", ("/x/a.tar",), id="an archive that ADD leaves alone"),
        pytest.param("ADD a.tar /x/", "a.tar", (), id="an archive"),
        pytest.param("ADD https://x.org/a.txt a.txt /x/", "a.txt", ("/x/a.txt",), id="beside a URL"),
        pytest.param("ADD github.com/x/y /x/", "github.com/x/y", ("/x/y",), id="a path that looks like a host"),
        pytest.param("ENV D=/e S=a.txt\nCOPY $S ${D}/", "a.txt", ("/e/a.txt",), id="ENV"),
        pytest.param("ENV D /old form\nCOPY a.txt $D/", "a.txt", ("/old form/a.txt",), id="ENV in the old form"),
        pytest.param("ENV A=1\nENV A=2 B=$A\nCOPY a.txt /$A$B/", "a.txt", ("/21/a.txt",), id="values from before"),
        pytest.param("ARG D=/e\nCOPY a.txt $D/", "a.txt", ("/e/a.txt",), id="ARG"),
        pytest.param("ARG D=/e\nARG E=$D/f\nCOPY a.txt $E/", "a.txt", ("/e/f/a.txt",), id="ARG of ARG"),
        pytest.param("ARG D=\nCOPY a.txt ${D:-/e}/", "a.txt", ("/e/a.txt",), id="a word instead of nothing"),
        pytest.param("ARG D=x\nCOPY a.txt ${D:+/e}/", "a.txt", ("/e/a.txt",), id="a word instead of a value"),
        pytest.param("ARG P=/given\nCOPY a.txt $P/", "a.txt", ("/given/a.txt",), id="what is passed in"),
        pytest.param("COPY \\$x.txt ./", "$x.txt", ("/app/$x.txt",), id="an escaped variable"),
        pytest.param("ENV D=/e\nWORKDIR $D\nCOPY a.txt .", "a.txt", ("/e/a.txt",), id="WORKDIR with a variable"),
        pytest.param("FROM base\nCOPY a.txt .", "a.txt", ("/app/a.txt",), id="a stage goes on where its base ended"),
        pytest.param("ENV D=/e\nFROM BASE\nCOPY a.txt $D/", "a.txt", ("/e/a.txt",), id="with its variables"),
        pytest.param("ONBUILD COPY a.txt on/\nFROM base", "a.txt", ("/app/on/a.txt",), id="and its ONBUILD"),
    ],
)
def test_lands(text: str, path: str, landed: tuple[str, ...]) -> None:
    assert lands(PYTHON + text, path, args={"P": "/given"}) == landed


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("COPY src /app/", "README.md"),
        ("COPY src /app/", "src2/a"),
        ("COPY src /app/", "Src/a"),
        ("COPY *.py /app/", "src/a.py"),
        ("COPY --exclude=*.md . /app/", "README.md"),
        ("COPY --from=builder . /app/", "a.py"),
        ("COPY <<EOF /app/\nCOPY . .\nEOF", "a.py"),
        ("RUN <<EOF\nCOPY . .\nEOF", "a.py"),
        ("RUN --mount=type=cache,target=/c --mount=type=secret,id=x --mount=type=ssh x", "a.py"),
        ("RUN --mount=type=tmpfs,target=/c x", "a.py"),
        ("RUN --mount=type=bind,from=tools,target=/c x", "a.py"),
        ("RUN --mount=type=bind,source=src,target=/c x", "a.py"),
        ("RUN --mount=source=*.py,target=/c x", "a.py"),
        ("ADD https://x.org/a.py git@x.org:a.py git://x.org/y /app/", "a.py"),
        ("ONBUILD COPY . /app/", "a.py"),
        ("# COPY . /app/", "a.py"),
        ("COPY . /app/", "../a.py"),
        ("ARG S=src\nCOPY $S /app/", "a.py"),
        ("COPY lib/$NOT_SET /app/", "src/a.py"),
    ],
)
def test_nothing_takes_it(text: str, path: str) -> None:
    assert reads(PYTHON + text, path) == Reading(Fate.NOTHING)


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ("COPY $SRC /app/", "a.py", "`$SRC` in its source is known only when the image is built"),
        ("COPY lib/$SRC /app/", "lib", "`$SRC` in its source is known only when the image is built"),
        ("ARG SRC\nCOPY ${SRC:-src} /app/", "a.py", "`$SRC` in its source is known only when the image is built"),
        ("ARG TARGETARCH\nCOPY bin/$TARGETARCH /app/", "bin/arm64", "`$TARGETARCH` in its source is known only"),
        ("ENV A=src.x\nCOPY ${A%.x} /app/", "src/a.py", "`$A` in its source is known only when the image is built"),
        ("RUN --mount=type=bind,source=$SRC,target=/s x", "a.py", "`$SRC` in its source is known only"),
        ("RUN --mount=type=$T,target=/s x", "a.py", "the type of its --mount is not known"),
        ('RUN --mount=type=bind,source="' + "x" * 140_000 + " x", "a.py", "cannot be read"),
        ("COPY **/a.py /app/", "x/y/a.py", "without --parents a `**` stands for one folder only"),
        ("COPY --parents . /app/", "a.py", "it is not clear what --parents takes for `.`"),
        ("COPY --parents $SRC/x /app/", "a/x", "`$SRC` in its source is known only when the image is built"),
        ("COPY --exclude=*.md *.md /app/", "a.md", "its --exclude may apply to a source itself"),
        ("COPY --exclude=[ . /app/", "a.md", "BuildKit refuses the ignore pattern `[`"),
        ("COPY --new-flag a.py /app/", "a.py", "it is not known what its `--new-flag` does"),
        ("COPY --from=$STAGE . /app/", "a.py", "line 3: `$STAGE` is not replaced by the value of a variable"),
        ("COPY --from=7 . /app/", "a.py", "line 3: the stage `7` has to come before"),
        ("COPY 'a.py /app/", "b.py", "its source cannot be read"),
        ("WORKDIR ${X[1]}", "b.py", "line 3: `${X[` is no substitution"),
        ("NEW-INSTRUCTION x", "a.py", "line 3: `NEW-INSTRUCTION` is no instruction"),
        ("RUN <<EOF\nCOPY . .", "a.py", "line 3: the heredoc `EOF` has no end"),
        ("FROM node:8-onbuild", "a.py", "the image `node:8-onbuild` may have ONBUILD instructions"),
        ("FROM $NOT_SET", "a.py", "it is not known which stage or image `FROM $NOT_SET` names"),
        ("FROM ba$TARGETOS", "a.py", "it is not known which stage or image `FROM ba$TARGETOS` names"),
        ("FROM ${X", "a.py", "FROM ${X: a `}` is missing"),
    ],
)
def test_it_cannot_be_told(text: str, path: str, reason: str) -> None:
    reading = reads(PYTHON + text, path)
    assert reading.fate is Fate.UNKNOWN
    assert reason in reading.reason
    assert not reading.only_copied


@pytest.mark.parametrize("text", ["# syntax=x/frontend\nFROM a\n", "", "COPY . .\n"])
def test_of_what_is_no_dockerfile_nothing_can_be_told(text: str) -> None:
    assert reads(text, "a.py").fate is Fate.UNKNOWN


def test_a_missing_target_is_named() -> None:
    assert target("FROM a\n", "b").doubts == ("there is no stage `b`",)


def test_what_is_unclear_elsewhere_does_not_hide_a_copy() -> None:
    reading = reads(f"{PYTHON}COPY a.py .\nCOPY $X /y/\n", "a.py")
    assert (reading.fate, [take.fate for take in reading.takes]) == (Fate.COPIED, [Fate.COPIED, Fate.UNKNOWN])
    assert not reading.only_copied


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FROM python\nCOPY a.py .\n", "the working directory that its destination is relative to is not known"),
        ("FROM python\nWORKDIR app\nCOPY a.py .\n", "the working directory that its destination is relative to"),
        ("FROM python\nCOPY a.py $HOME/\n", "the value of a variable in its destination is not known"),
        ("# escape=`\nFROM windows\nCOPY a.py C:\\app\\\n", "its destination is a path of Windows"),
        ("FROM python\nADD a.py.tgz /x/\nCOPY a.py .\n", "the working directory"),
        ("FROM python\nCOPY a.py /x\n", "it depends on whether `/x` is a folder of the base image"),
    ],
)
def test_says_why_a_destination_is_not_known(text: str, reason: str) -> None:
    reading = reads(text, "a.py")
    assert reading.fate is Fate.COPIED
    assert reason in reading.takes[0].reason
    assert (reading.takes[0].destination, reading.only_copied) == ("", False)


def test_the_working_directory_of_the_base_image_can_be_given() -> None:
    assert lands("FROM python\nWORKDIR src\nCOPY a.py .\n", "a.py", working_dir="/code") == ("/code/src/a.py",)
    assert target("FROM python\nWORKDIR src\n", working_dir="/code").working_dir == "/code/src"


def test_scratch_sets_nothing() -> None:
    assert lands("FROM scratch\nCOPY a.py $X/y/\n", "a.py") == ("/y/a.py",)
    assert target("FROM scratch\n").working_dir == "/"


STAGES = """\
ARG BASE=python
ARG VERSION
FROM $BASE:${VERSION:-3} AS base
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt

FROM node AS Ui
COPY web/ .
RUN --mount=type=bind,source=web.lock,target=/lock make

FROM base AS test
COPY tests tests

FROM ui AS unused
COPY junk .

FROM base
COPY --from=uI /dist static/
COPY src src
RUN --mount=from=tools,source=/x,target=/t compile
COPY README.md ./

FROM base AS other
COPY other .
"""


@pytest.mark.parametrize(
    ("name", "path", "fate", "stages"),
    [
        ("", "other/a", Fate.COPIED, ["other"]),
        ("", "src/a.py", Fate.NOTHING, []),
        ("4", "src/a.py", Fate.UNKNOWN, []),
        ("TEST", "tests/a.py", Fate.COPIED, ["test"]),
        ("test", "requirements.txt", Fate.COPIED, ["base"]),
        ("test", "web/a.js", Fate.NOTHING, []),
        ("unused", "web/a.js", Fate.COPIED, ["ui"]),
        ("unused", "junk", Fate.COPIED, ["unused"]),
        ("ui", "junk", Fate.NOTHING, []),
        ("ui", "web.lock", Fate.MOUNTED, ["ui"]),
    ],
)
def test_only_stages_that_the_target_needs_count(name: str, path: str, fate: Fate, stages: list[str]) -> None:
    reading = reads(STAGES, path, name=name)
    assert (reading.fate, [take.stage for take in reading.takes]) == (fate, stages)


FINAL = STAGES.partition("FROM base AS other")[0]


def test_an_earlier_stage_carries_what_it_reads() -> None:
    reading = reads(FINAL, "web/a.js")
    (take,) = reading.takes
    assert (reading.fate, take.fate, take.stage, take.instruction.line) == (Fate.CARRIED, Fate.CARRIED, "ui", 9)
    assert take.reason == "where it lands depends on what is copied from the stage `ui`"
    assert not reading.only_copied


def test_a_run_reads_what_it_mounts() -> None:
    (take,) = reads(FINAL, "web.lock").takes
    assert (take.fate, take.stage, take.destinations) == (Fate.MOUNTED, "ui", ())


def test_names_the_runs_that_come_after() -> None:
    assert [run.line for run in reads(FINAL, "requirements.txt").takes[0].later_runs] == [6, 21]
    assert [run.line for run in reads(FINAL, "src/a.py").takes[0].later_runs] == [21]
    assert reads(FINAL, "README.md").takes[0].later_runs == ()
    assert reads(FINAL, "src/a.py").only_copied


def test_a_stage_can_be_in_the_image_and_be_copied_from() -> None:
    text = "FROM a AS base\nCOPY x /x/\nFROM base AS build\nRUN make\nFROM base\nCOPY --from=build /y /y\n"
    reading = reads(text, "x/a")
    assert [take.fate for take in reading.takes] == [Fate.CARRIED, Fate.COPIED]
    assert not reading.only_copied


@pytest.mark.parametrize(
    "copy",
    ["COPY --from=0 /y /y", "RUN --mount=from=build,target=/y x", "RUN --mount=type=$T,from=build,target=/y x"],
)
def test_stages_are_needed_by_index_and_by_mounts(copy: str) -> None:
    assert reads(f"FROM a AS build\nCOPY . /y\nFROM b\n{copy}\n", "x").fate is Fate.CARRIED


def test_every_instruction_that_takes_it_is_named() -> None:
    reading = reads(f"{PYTHON}COPY a.txt .\nCOPY . .\n", "a.txt")
    assert [(take.instruction.text, take.destination) for take in reading.takes] == [
        ("COPY a.txt .", "/app/a.txt"),
        ("COPY . .", "/app/a.txt"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FROM shared AS x\n",
        "FROM a\nCOPY --from=shared /x /x\n",
        "FROM a\nRUN --mount=from=Shared,target=/x x\n",
        "FROM shared:latest\n",
        "FROM a AS shared\nFROM shared\n",
    ],
)
def test_another_context_may_hold_the_path_too(text: str) -> None:
    reading = reads(text, "a.py", contexts=["shared"])
    assert reading.fate is Fate.UNKNOWN
    assert "is replaced by a build context of that name" in reading.reason


def test_a_stage_that_a_context_replaces_copies_nothing() -> None:
    assert reads("FROM a AS dep\nCOPY . /x\nFROM dep\n", "a.py", contexts=["dep"]).takes == ()


def test_a_variable_in_an_image_that_can_be_no_stage_hides_nothing() -> None:
    text = "FROM --platform=$BUILDPLATFORM golang:1-$TARGETARCH AS build\nFROM debian:$NO\nCOPY a /a/\n"
    assert reads(text, "b").fate is Fate.NOTHING


def test_build_arguments_choose_the_stage() -> None:
    text = "ARG FLAVOUR=slim\nFROM a AS slim\nCOPY s /s/\nFROM a AS full\nCOPY f /f/\nFROM $FLAVOUR\n"
    assert reads(text, "s").fate is Fate.COPIED
    assert reads(text, "s", args={"FLAVOUR": "full"}).fate is Fate.NOTHING
    assert reads(text, "f", args={"FLAVOUR": "full"}).fate is Fate.COPIED


def test_a_global_argument_has_to_be_declared_in_its_stage() -> None:
    text = "ARG D=/d\nFROM a\n{}COPY x $D/\n"
    assert lands(text.format("ARG D\n"), "x") == ("/d/x",)
    assert lands(text.format(""), "x", args={"D": "/e"}) == ()


def test_a_platform_can_be_given() -> None:
    assert lands("FROM a\nARG TARGETARCH\nCOPY bin/$TARGETARCH/x /x/\n", "bin/arm/x", args={"TARGETARCH": "arm"}) == (
        "/x/x",
    )


def test_tells_what_writes_into_the_image() -> None:
    built = target(FINAL)
    assert [
        (copy.instruction.line, copy.stage, copy.destination, copy.is_folder, copy.origin, copy.from_context)
        for copy in built.copies
    ] == [
        (5, "base", "/app", True, "", True),
        (19, "4", "/app/static", True, "uI", False),
        (20, "4", "/app/src", False, "", True),
        (22, "4", "/app", True, "", True),
    ]
    assert (built.stage, built.working_dir, built.doubts) == ("4", "/app", ())


def test_a_long_chain_of_stages_is_followed() -> None:
    text = "FROM a AS s0\nCOPY x /x/\n" + "".join(f"FROM s{at} AS s{at + 1}\n" for at in range(3000))
    assert lands(text, "x") == ("/x/x",)
