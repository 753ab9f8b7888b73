"""What a layer gives is what a full build gives, file by file: over tables, and over trees that Hypothesis makes up."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.adapters.bothways import BothWays, both_ways, write

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

Change = Callable[[Path], None]


def base_tree(folder: Path) -> None:
    write(folder, "main.py", "print(0)")
    write(folder, "run.sh", "#!/bin/sh\n", 0o755)
    write(folder, "requirements.txt", "x==1")
    write(folder, "src/a.py", "a = 0")
    write(folder, "src/deep/b.py", "b = 0", 0o640)
    write(folder, "ignored.log", "0")
    write(folder, ".dockerignore", "*.log\n!kept.log\n")
    (folder / "src/deep").chmod(0o711)
    (folder / "link.py").symlink_to("main.py")


def _edit(*names: str) -> Change:
    def change(folder: Path) -> None:
        for at, name in enumerate(names):
            write(folder, name, f"edited {name}", mtime=1_700_000_100.5 + at)

    return change


def _mode(name: str, mode: int) -> Change:
    return lambda folder: (folder / name).chmod(mode)


def _new_folder(folder: Path) -> None:
    write(folder, "src/pkg/inner/x.py", "x = 1", 0o600)
    (folder / "src/pkg").chmod(0o750)
    (folder / "src/pkg/inner").chmod(0o705)


ALL = ("WORKDIR /app", "COPY . .")
CASES: dict[str, tuple[tuple[str, ...], Change]] = {
    "one file": (ALL, _edit("main.py")),
    "several, deep": (ALL, _edit("main.py", "src/a.py", "src/deep/b.py")),
    "nothing but a time": (ALL, lambda folder: os.utime(folder / "main.py", (1, 1))),
    "a mode": (ALL, _mode("main.py", 0o4755)),
    "no bits at all": (ALL, _mode("run.sh", 0o000)),
    "a new file": (ALL, _edit("new.py")),
    "an empty file": (ALL, lambda folder: write(folder, "empty", "")),
    "a new folder": (ALL, _new_folder),
    "odd names": (ALL, _edit("with space.py", "ümlaut.py", "#hash", "-dash", "a:b", "[x]", "日本.txt", "x" * 120)),
    "a long path": (ALL, _edit("src/" + "/".join(["deeper"] * 20) + "/x.py")),
    "what the ignore file takes back": (ALL, _edit("kept.log")),
    "a folder into an existing one": (("COPY src /srv/app/src", "WORKDIR /srv/app"), _edit("src/a.py")),
    "two copies that overlap": (("WORKDIR /app", "COPY src src", "COPY . ."), _edit("src/a.py", "main.py")),
    "two copies, the later with a mode": (("WORKDIR /app", "COPY . .", "COPY --chmod=0750 src src"), _edit("src/a.py")),
    "an owner": (("COPY --chown=1000:1001 src /data/", "USER 1000"), _edit("src/a.py", "src/new.py")),
    "an owner and a mode": (("COPY --chown=7:8 --chmod=640 . /data/",), _edit("main.py", "src/deep/b.py")),
    "a link of its own layer": (("WORKDIR /app", "COPY --link . /app/"), _edit("main.py")),
    "a wildcard": (("COPY *.py run.sh /bin/app/",), _edit("main.py")),
    "a wildcard that a new file fits": (("COPY *.py /bin/app/",), _edit("other.py")),
    "one file under another name": (("COPY main.py /opt/start.py",), _edit("main.py")),
    "ADD": (("ADD src /srv/src/",), _edit("src/a.py")),
    "the root": (("COPY src /",), _edit("src/a.py", "src/deep/b.py")),
    "a JSON list": (('COPY ["main.py", "run.sh", "/opt/x/"]',), _edit("run.sh")),
    "a variable": (("ARG TO=/opt/var", "COPY src $TO"), _edit("src/a.py")),
    "exclude": (("COPY --exclude=*.txt . /opt/x/",), _edit("main.py")),
    "what comes after": (
        (*ALL, "ENV A=b", "EXPOSE 80", "LABEL a=b", "STOPSIGNAL 9", "HEALTHCHECK CMD true", 'ENTRYPOINT ["sh"]'),
        _edit("main.py"),
    ),
    "after a RUN": (("WORKDIR /app", "COPY requirements.txt .", "RUN cat requirements.txt >x", "COPY src src"),
        _edit("src/a.py")),
    "a link to what changed": (ALL, _edit("main.py")),
    "a folder that the base image has": (("COPY src /etc",), _edit("src/a.py")),
    "a folder that is a link in the base image": (
        ("RUN mkdir /real && ln -s real /linked", "COPY src /linked/x/"), _edit("src/a.py"),
    ),
}  # fmt: skip
NOT_A_LAYER = {
    "a wildcard", "a wildcard that a new file fits", "exclude", "a folder that is a link in the base image",
}  # fmt: skip
"""A full build, for reasons that only show here."""


def write_dockerfile(ways: BothWays, lines: tuple[str, ...]) -> None:
    registry = ways.request.push.registry
    write(ways.folder, "Dockerfile", "\n".join((f"FROM {registry}/busybox:1", *lines, "")))


@pytest.mark.parametrize("case", CASES)
async def test_the_image_is_the_same(case: str, tmp_path: Path, registry: str) -> None:
    lines, change = CASES[case]
    name = hashlib.sha256(case.encode()).hexdigest()[:12]
    async with both_ways(tmp_path / "app", registry, name) as ways:
        base_tree(ways.folder)
        write_dockerfile(ways, lines)
        await ways.build()
        change(ways.folder)
        built = await ways.build()
        assert (built.builder == "delta") is (case not in NOT_A_LAYER), ways.words
        await ways.equal(built)


async def test_layers_do_not_pile_up_and_a_full_build_comes_when_it_must(tmp_path: Path, registry: str) -> None:
    async with both_ways(tmp_path / "app", registry, "pile") as ways:
        base_tree(ways.folder)
        write_dockerfile(ways, ALL)
        await ways.build()
        for names in (("main.py",), ("src/a.py",), ("main.py", "new.py")):
            _edit(*names)(ways.folder)
            built = await ways.build()
            assert built.builder == "delta"
            await ways.equal(built)
        assert ways.words == "delta: 3 files into /app"
        (ways.folder / "main.py").unlink()
        built = await ways.build()
        assert (built.builder, ways.words) == ("buildx", "full build: main.py was deleted")
        write(ways.folder, "src/a.py", "a = 2")
        assert (await ways.build()).builder == "delta"
        assert ways.words == "delta: 1 file into /app/src"


async def test_going_back_gives_the_digest_from_before(tmp_path: Path, registry: str) -> None:
    """The same content is the same image, whichever way it was built."""
    async with both_ways(tmp_path / "app", registry, "back") as ways:
        base_tree(ways.folder)
        write_dockerfile(ways, ALL)
        full = await ways.build()
        _edit("main.py")(ways.folder)
        first = await ways.build()
        write(ways.folder, "main.py", "print(0)")
        assert (await ways.build()).digest == full.digest
        assert ways.words == "delta: nothing differs from the last full build"
        _edit("main.py")(ways.folder)
        assert (await ways.build()).digest == first.digest


_NAMES = st.sampled_from(["a.py", "b.txt", "src/c.py", "src/d e.py", "src/deep/f", "pkg/g.py", "pkg/é.txt", "-h", ".i"])
_FILES = st.dictionaries(_NAMES, st.tuples(st.text("ab\n", max_size=5), st.sampled_from([0o644, 0o600, 0o755, 0o444])))
_DOCKERFILES = st.sampled_from([
    ("WORKDIR /app", "COPY . ."),
    ("COPY . /app/", "COPY src /app/"),
    ("COPY src /app/src", "COPY pkg /app/pkg", "COPY . /app/"),
    ("COPY pkg /etc", "COPY src /app"),
    ("WORKDIR /app", "COPY *.py ./", "COPY --chown=5:6 src ./src"),
    ("WORKDIR /app", "COPY src .", "RUN touch /app/made", "COPY --chmod=701 pkg pkg"),
    ("COPY --link . /", "WORKDIR /src/deep"),
])  # fmt: skip
_FIRST = {"a.py": ("", 0o644), "src/c.py": ("", 0o644), "src/deep/f": ("", 0o644), "pkg/g.py": ("", 0o755)}


@settings(max_examples=12, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_FILES, _FILES, st.sets(_NAMES, max_size=1), _DOCKERFILES)
def test_any_change_gives_the_same_image(
    before: dict[str, tuple[str, int]],
    after: dict[str, tuple[str, int]],
    gone: set[str],
    lines: tuple[str, ...],
) -> None:
    asyncio.run(_compare({**_FIRST, **before}, after, gone, lines))


async def _compare(
    before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]], gone: set[str], lines: tuple[str, ...]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        async with both_ways(Path(root, "app"), os.environ["DEVLOOP_E2E_REGISTRY"], "random") as ways:
            for name, (content, mode) in before.items():
                write(ways.folder, name, content, mode)
            write_dockerfile(ways, lines)
            await ways.build()
            for name, (content, mode) in after.items():
                write(ways.folder, name, content, mode, 1_700_000_200.25)
            for name in gone - _FIRST.keys():
                (ways.folder / name).unlink(missing_ok=True)
            built = await ways.build()
            event(built.builder)
            await ways.equal(built)
