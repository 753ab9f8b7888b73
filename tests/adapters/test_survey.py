"""Surveys of real folders: the same files as the picture that is watched, and why the others are not."""

import os
from pathlib import Path

import pytest

from devloop.adapters import survey as module
from devloop.adapters.pictures import take
from devloop.adapters.scope import Area, Scope
from devloop.adapters.survey import TEMPORARY, Survey, survey
from devloop.core.image import ImageRef
from devloop.core.service import BuildSpec, Pin, Service
from tests.dockerignore import load, make_tree

TRUTH = load()
TAKEN = [case for case in TRUTH["cases"] if case["left_out"] is not None]


def service(
    context: Path, *, watch: tuple[Path, ...] = (), ignore: tuple[str, ...] = (), dockerfile: str = ""
) -> Service:
    ref = ImageRef.parse("registry.test/web:dev")
    build = BuildSpec(context, context / (dockerfile or "Dockerfile"))
    return Service("web", ref, ref, Pin.TAG, (), (), build, watch, ignore)


def watched_files(one: Service) -> int:
    return take(Scope.read(Area.of(one)), None).picture.files


def test_files_are_counted_and_each_pattern_tells_what_it_leaves_out(tmp_path: Path) -> None:
    make_tree(tmp_path, ["Dockerfile", "src/a.py", "src/b.py", "src/a.pyc", "b.pyc", "node_modules/x/y", "notes.md"])
    make_tree(tmp_path, [".git/HEAD", "src/.a.py.swp"])
    (tmp_path / ".dockerignore").write_text("node_modules\n**/*.pyc\n")
    found = survey(service(tmp_path, ignore=("*.md",)))
    assert found.files == 4
    assert dict(found.ignored) == {"node_modules": 1, "**/*.pyc": 2, "*.md": 1, ".git/": 1, TEMPORARY: 1}
    assert found.ignored[0] == ("**/*.pyc", 2)


@pytest.mark.parametrize("case", TAKEN, ids=[case["name"] for case in TAKEN])
def test_as_many_files_as_the_picture_shows(case: dict[str, str], tmp_path: Path) -> None:
    make_tree(tmp_path, TRUTH["tree"])
    (tmp_path / "Dockerfile.dockerignore").write_bytes(case["ignore"].encode())
    assert survey(service(tmp_path)).files == watched_files(service(tmp_path))


@pytest.mark.parametrize("watch", [(), ("context/src",), ("context", "lib", "lib/sub", "file", "context/data", "gone")])
def test_as_many_files_as_the_picture_shows_of_what_is_watched(tmp_path: Path, watch: tuple[str, ...]) -> None:
    make_tree(tmp_path, ["context/Dockerfile", "context/src/a", "context/src/gen/b", "context/docs/c", "file"])
    make_tree(tmp_path, ["lib/x", "lib/sub/y", "lib/sub/gen/z", "other/z", "context/data/d", "context/data/.git/HEAD"])
    (tmp_path / "context/link").symlink_to("src")
    (tmp_path / "context/.dockerignore").write_text("data\nDockerfile\n")
    one = service(tmp_path / "context", watch=tuple(tmp_path / name for name in watch), ignore=("**/gen",))
    assert survey(one).files == watched_files(one)


def test_a_dockerfile_elsewhere_is_watched_too(tmp_path: Path) -> None:
    make_tree(tmp_path, ["context/a", "docker/Dockerfile"])
    one = service(tmp_path / "context", dockerfile="../docker/Dockerfile")
    assert survey(one) == Survey(2, ())
    assert watched_files(one) == 2


def test_ignored_folders_are_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path, ["src/a", "node_modules/x/y", "build/out/z", "elsewhere/deep/q", ".git/objects/00/f"])
    (tmp_path / ".dockerignore").write_text("node_modules\n")
    entered: list[str] = []
    entries = module._entries

    def spy(folder: str) -> list[tuple[str, bool]]:
        entered.append(os.path.relpath(folder, tmp_path))
        return entries(folder)

    monkeypatch.setattr(module, "_entries", spy)
    survey(service(tmp_path, watch=(tmp_path / "src", tmp_path / "build"), ignore=("build/out",)))
    assert sorted(entered) == [".", "build", "src"]


def test_a_context_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert survey(service(tmp_path / "gone")) == Survey(0, ())
