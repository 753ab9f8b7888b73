"""Whether the Dockerfile takes the newest save."""

from dataclasses import replace
from pathlib import Path

import pytest

from devloop.core.service import BuildSpec
from devloop.core.why.facts import SavedFile, Source
from devloop.session.why.carried import with_dockerfile

DOCKERFILE = "FROM python:3\nWORKDIR /app\nCOPY server.py lib ./\nCOPY conf /etc/app/\n"


def source(path: str, ignored_by: str = "") -> Source:
    return Source("web", "web", "", (), SavedFile(path, 1.0, ignored_by), 0.5)


def look(folder: Path, found: Source, text: str = DOCKERFILE, **build: object) -> Source:
    (folder / "Dockerfile").write_text(text)
    return with_dockerfile(found, BuildSpec(folder, folder / "Dockerfile", **build))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "carried"), [("server.py", True), ("lib/a.py", True), ("notes.txt", False), ("../shared/x.py", None)]
)
def test_what_becomes_of_a_file(tmp_path: Path, path: str, carried: bool | None) -> None:
    found = look(tmp_path, source(path)).newest
    assert found is not None
    assert found.carried is carried


@pytest.mark.parametrize("name", ["docker/web", "docker/web.dockerignore", ".dockerignore"])
def test_what_steers_the_build_needs_no_instruction(tmp_path: Path, name: str) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "web").write_text(DOCKERFILE)
    found = with_dockerfile(source(name), BuildSpec(tmp_path, tmp_path / "docker" / "web")).newest
    assert found is not None
    assert found.carried is None


def test_where_the_source_goes(tmp_path: Path) -> None:
    assert look(tmp_path, source("server.py")).copies == ("/app", "/etc/app")


def test_another_build_context_leaves_it_open(tmp_path: Path) -> None:
    text = "FROM busybox\nCOPY --from=code . /app\n"
    with_context = look(tmp_path, source("x.py"), text, flags=("--build-context", "code=."))
    assert with_context.newest is not None
    assert with_context.newest.carried is None


def test_a_file_behind_a_link_is_taken_with_it(tmp_path: Path) -> None:
    linked = replace(source("shared/lib.py"), links={"lib": "shared"})
    found = look(tmp_path, linked, "FROM busybox\nCOPY lib/ /app/\n").newest
    assert found is not None
    assert found.carried is not False


def test_without_a_dockerfile_nothing_is_said(tmp_path: Path) -> None:
    found = source("server.py")
    assert with_dockerfile(found, BuildSpec(tmp_path, tmp_path / "Dockerfile")) == found
    ignored = source("server.py", "*.py")
    assert look(tmp_path, ignored).newest == ignored.newest
