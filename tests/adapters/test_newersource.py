"""What was saved after the image was built."""

import os
import subprocess
from pathlib import Path

import pytest

from devloop.adapters.newersource import look
from devloop.adapters.scope import Area

BUILT = 1_000_000.0


def save(folder: Path, name: str, at: float) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
    os.utime(path, (at, at))


def area(folder: Path, *ignore: str) -> Area:
    return Area(folder, folder / "Dockerfile", (folder,), ignore)


def newer(folder: Path, *ignore: str) -> list[str]:
    found = look("web", area(folder, *ignore), BUILT)
    assert found is not None
    return [file.path for file in found.newer]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    save(tmp_path, "Dockerfile", BUILT - 10)
    save(tmp_path, "old.py", BUILT - 5)
    save(tmp_path, "src/app.py", BUILT + 5)
    save(tmp_path, "src/lib.py", BUILT + 9)
    save(tmp_path, ".git/index", BUILT + 20)
    save(tmp_path, "src/.app.py.swp", BUILT + 20)
    return tmp_path


def test_newest_first_without_what_version_control_and_editors_write(tree: Path) -> None:
    assert newer(tree) == ["src/lib.py", "src/app.py"]


def test_the_second_of_the_build_is_no_later_save(tmp_path: Path) -> None:
    """An image of a layer bears the whole second in which the newest of its files was saved."""
    save(tmp_path, "Dockerfile", BUILT + 0.9)
    save(tmp_path, "app.py", BUILT + 1.0)
    assert newer(tmp_path) == ["app.py"]


def test_an_image_of_another_builder_is_dated_within_the_second(tmp_path: Path) -> None:
    save(tmp_path, "Dockerfile", BUILT + 0.2)
    save(tmp_path, "app.py", BUILT + 0.8)
    found = look("web", area(tmp_path), BUILT + 0.25)
    assert found is not None
    assert [file.path for file in found.newer] == ["app.py"]


def test_what_is_ignored_does_not_count(tree: Path) -> None:
    save(tree, ".dockerignore", BUILT - 10)
    (tree / ".dockerignore").write_text("src/lib.py\n")
    os.utime(tree / ".dockerignore", (BUILT - 10, BUILT - 10))
    assert newer(tree) == ["src/app.py"]
    assert newer(tree, "src/*") == []


def test_an_ignored_file_counts_as_the_newest_save_when_git_keeps_it(tree: Path) -> None:
    (tree / ".git" / "index").unlink()
    (tree / ".git").rmdir()
    (tree / ".dockerignore").write_text("conf\n")
    os.utime(tree / ".dockerignore", (BUILT - 10, BUILT - 10))
    save(tree, "conf/kept.yaml", BUILT + 30)
    save(tree, "conf/cache.bin", BUILT + 40)
    before = look("web", area(tree), BUILT)
    assert before is not None
    assert before.newest is not None
    assert before.newest.path == "src/lib.py", "without git nothing tells a save from a cache"
    for command in (["init", "-q"], ["add", "conf/kept.yaml"]):
        subprocess.run(["git", "-C", str(tree), *command], check=True)
    after = look("web", area(tree), BUILT)
    assert after is not None
    assert after.newest is not None
    assert (after.newest.path, after.newest.ignored_by) == ("conf/kept.yaml", "conf")


@pytest.mark.parametrize("name", ["Dockerfile", "web.dockerfile.dockerignore", ".dockerignore"])
def test_what_steers_the_build_is_saved_too_though_it_is_left_out_of_the_context(tmp_path: Path, name: str) -> None:
    save(tmp_path, "app.py", BUILT + 5)
    save(tmp_path, name, BUILT + 9)
    file = tmp_path / ("Dockerfile" if name == ".dockerignore" else name.removesuffix(".dockerignore"))
    (tmp_path / ".dockerignore").write_text("*ockerfile*\n.dockerignore\n")
    os.utime(tmp_path / ".dockerignore", (BUILT + (9 if name == ".dockerignore" else -9),) * 2)
    found = look("web", Area(tmp_path, file, (tmp_path,), ()), BUILT)
    assert found is not None
    assert found.newest is not None
    assert (found.newest.path, found.newest.ignored_by, found.newest.saved) == (name, "", BUILT + 9)


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_what_steers_the_build_is_never_newer_than_what_only_tells_the_time_of_its_files(
    name: str, tmp_path: Path
) -> None:
    save(tmp_path, "app.py", BUILT + 5)
    (tmp_path / name).write_text("# neither leaves itself out\n")
    os.utime(tmp_path / name, (BUILT + 9, BUILT + 9))
    asked = area(tmp_path)
    found, beside_a_build = look("web", asked, BUILT, of_files=True), look("web", asked, BUILT)
    assert found is not None
    assert beside_a_build is not None
    assert [file.path for file in found.newer] == ["app.py"]
    assert [file.path for file in beside_a_build.newer] == [name, "app.py"]
    assert found.newest == beside_a_build.newest


def test_a_dockerfile_outside_of_the_context_is_the_newest_save_when_it_is(tmp_path: Path) -> None:
    save(tmp_path, "web/app.py", BUILT + 5)
    save(tmp_path, "docker/web", BUILT + 9)
    found = look("web", Area(tmp_path / "web", tmp_path / "docker" / "web", (tmp_path / "web",), ()), BUILT)
    assert found is not None
    assert found.newest is not None
    assert found.newest.path == "../docker/web"


def git(folder: Path, *words: str, at: float = 0.0) -> None:
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    when = {"GIT_COMMITTER_DATE": f"@{int(at)} +0000", "GIT_AUTHOR_DATE": f"@{int(at)} +0000"}
    subprocess.run(["git", "-C", str(folder), *words], env=os.environ | who | when, check=True, capture_output=True)


def test_what_git_wrote_is_as_old_as_its_commit(tmp_path: Path) -> None:
    """A clone or a switch of branches gives the time of now to files that nobody saved."""
    root = tmp_path / "repository"
    for name in ("web/old.py", "web/näme.py", "web/mine.py"):
        save(root, name, BUILT + 50)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one", at=BUILT - 100)
    assert newer(root / "web") == []
    save(root, "web/mine.py", BUILT + 60)
    (root / "web" / "mine.py").write_text("changed")
    os.utime(root / "web" / "mine.py", (BUILT + 60, BUILT + 60))
    save(root, "web/new.py", BUILT + 70)
    assert newer(root / "web") == ["new.py", "mine.py"]
    (root / "web" / "näme.py").write_text("changed")
    git(root, "commit", "-qm", "two", "web/näme.py", at=BUILT + 20)
    found = look("web", area(root / "web"), BUILT)
    assert found is not None
    assert [(file.path, file.saved - BUILT) for file in found.newer] == [
        ("new.py", 70),
        ("mine.py", 60),
        ("näme.py", 20),
    ]


def test_a_commit_of_what_was_built_already_makes_it_no_newer(tmp_path: Path) -> None:
    save(tmp_path, "app.py", BUILT - 5)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    assert newer(tmp_path) == []
    git(tmp_path, "commit", "-qm", "one", at=BUILT + 30)
    assert newer(tmp_path) == []


def test_without_the_time_of_a_build_nothing_is_newer(tree: Path) -> None:
    found = look("web", area(tree), 0.0)
    assert found is not None
    assert (found.newer, found.newest is not None) == ((), True)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert look("web", area(tmp_path / "gone"), BUILT) is None
