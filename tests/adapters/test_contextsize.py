"""Build contexts of real files: what is counted, what is named, and how many folders would be watched."""

import os
from pathlib import Path
from typing import Any

import pytest

from devloop.adapters.contextsize import Measured, measure
from devloop.adapters.pictures import take
from devloop.adapters.scope import Area, Scope
from tests.dockerignore import load, make_tree

TRUTH = load()
TAKEN = [case for case in TRUTH["cases"] if case["left_out"] is not None]


def area(context: Path, *watch: Path, ignore: tuple[str, ...] = ()) -> Area:
    return Area(context, context / "Dockerfile", watch or (context,), ignore)


def measured(of: Area) -> Measured:
    found = measure(of)
    assert found is not None
    return found


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_what_is_not_ignored_is_counted_and_the_largest_is_named(tmp_path: Path) -> None:
    write(tmp_path / "Dockerfile", 10)
    write(tmp_path / "src/a.py", 300)
    write(tmp_path / "src/b.py", 300)
    write(tmp_path / "packages/web/node_modules/big.bin", 5000)
    write(tmp_path / "packages/web/index.js", 100)
    write(tmp_path / "dist/out", 9000)
    (tmp_path / ".dockerignore").write_text("dist\n")
    (tmp_path / "link").symlink_to("src")
    found = measured(area(tmp_path)).context
    assert (found.files, found.size) == (7, 10 + 300 + 300 + 5000 + 100 + len("dist\n"))
    assert found.largest == (
        ("packages/web/node_modules/big.bin", 5100),
        ("src", 600),
        ("Dockerfile", 10),
        (".dockerignore", 5),
    )
    assert found.unreadable == ()


def test_at_most_ten_entries_are_named(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path / f"f{number:02}", number)
        write(tmp_path / "empty" / str(number), 0)
    found = measured(area(tmp_path)).context
    assert [size for _, size in found.largest] == list(range(11, 1, -1))


def test_what_buildkit_sends_counts_although_it_is_not_watched(tmp_path: Path) -> None:
    write(tmp_path / ".git/objects/aa", 700)
    write(tmp_path / "notes.md", 50)
    write(tmp_path / "src/a", 1)
    found = measured(area(tmp_path, ignore=("*.md",)))
    assert found.context.size == 751
    assert found.context.largest[0] == (".git/objects/aa", 700)
    assert found.folders == 2, "the context and src"


@pytest.mark.parametrize("case", TAKEN, ids=[case["name"] for case in TAKEN])
def test_as_many_files_as_buildkit_takes(case: dict[str, Any], tmp_path: Path) -> None:
    context, elsewhere = tmp_path / "context", tmp_path / "docker"
    make_tree(context, TRUTH["tree"])
    write(elsewhere / "Dockerfile", 1)
    (elsewhere / "Dockerfile.dockerignore").write_bytes(case["ignore"].encode())
    files = {name for name in TRUTH["tree"] if not name.endswith("/")} - set(case["left_out"])
    assert measured(Area(context, elsewhere / "Dockerfile", (context,), ())).context.files == len(files)


@pytest.mark.parametrize("watch", [(), ("context/src",), ("context", "lib"), ("context/data",)])
def test_as_many_folders_as_are_watched(tmp_path: Path, watch: tuple[str, ...]) -> None:
    make_tree(tmp_path, ["context/Dockerfile", "context/src/a", "context/src/gen/b", "context/docs/deep/c"])
    make_tree(tmp_path, ["lib/x", "lib/sub/y", "context/data/d/e", "context/.git/HEAD", "context/node_modules/x/y"])
    (tmp_path / "context/.dockerignore").write_text("data\nnode_modules\n")
    one = area(tmp_path / "context", *(tmp_path / name for name in watch), ignore=("**/gen",))
    scope = Scope.read(one)
    watched = {folder for folder in take(scope, None).folders if scope.wants_events(folder)}
    assert measured(one).folders == len(watched - {".."})


def test_the_ignore_file_and_what_is_wrong_with_it_are_told(tmp_path: Path) -> None:
    write(tmp_path / "Dockerfile", 1)
    assert measured(area(tmp_path)).ignore_file == str(tmp_path / ".dockerignore")
    (tmp_path / "Dockerfile.dockerignore").write_text("[\n")
    found = measured(area(tmp_path))
    assert found.ignore_file == str(tmp_path / "Dockerfile.dockerignore")
    assert len(found.problems) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "secret", 1)
    (tmp_path / "secret").chmod(0)
    (tmp_path / "closed").mkdir(mode=0)
    assert measured(area(tmp_path)).context.unreadable == ("secret", "closed")


def test_a_context_that_is_not_there_has_no_size(tmp_path: Path) -> None:
    assert measure(area(tmp_path / "gone")) is None
