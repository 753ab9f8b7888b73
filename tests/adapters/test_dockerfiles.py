"""Finding the Dockerfiles of a project on a disk."""

from pathlib import Path

import pytest

from devloop.adapters.dockerfiles import find_dockerfiles, looks_like_one, read_dockerfile


def write(root: Path, path: str, text: str = "FROM scratch\n") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Dockerfile", True),
        ("dockerfile", True),
        ("Dockerfile.dev", True),
        ("Dockerfile-dev", True),
        ("web.Dockerfile", True),
        ("Containerfile", True),
        ("Dockerfile.dockerignore", False),
        ("Dockerfile.j2", False),
        ("Dockerfiles", False),
        ("dockerfile_lint.py", False),
        ("README.md", False),
    ],
)
def test_what_is_called_like_one(name: str, is_one: bool) -> None:
    assert looks_like_one(name) is is_one


def test_folders_of_dependencies_and_what_git_ignores_are_passed_over(tmp_path: Path) -> None:
    kept = ["Dockerfile", "a/b/Dockerfile.worker", "web/Dockerfile"]
    others = [
        "node_modules/x/Dockerfile", ".git/Dockerfile", ".venv/lib/Dockerfile", "web/node_modules/y/Dockerfile",
        "build/Dockerfile", "web/gen/Dockerfile", "vendor/z/Dockerfile", "web/Dockerfile.old",
    ]  # fmt: skip
    for path in (*kept, *others):
        write(tmp_path, path)
    (tmp_path / ".gitignore").write_text("/build/\n*.old\n")
    (tmp_path / "web/.gitignore").write_text("gen\n")
    (tmp_path / "web/.dockerignore").write_text("Dockerfile\n")
    (tmp_path / "link").symlink_to(tmp_path / "web")
    (tmp_path / "Dockerfile.folder").mkdir()
    assert [found.path for found in find_dockerfiles(tmp_path)] == kept


def test_a_folder_that_may_not_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "web/Dockerfile")
    assert [found.path for found in find_dockerfiles(tmp_path)] == ["web/Dockerfile"]
    assert find_dockerfiles(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("path", "copies", "files", "context"),
    [
        ("web/Dockerfile", "COPY . /app", ["web/x"], "web"),
        ("web/Dockerfile", "COPY web/x lib /app/", ["web/x", "lib/y"], "."),
        ("web/Dockerfile", "COPY x /app", ["web/x", "x"], "web"),
        ("web/Dockerfile", 'COPY ["web/x", "/app"]', ["web/x"], "."),
        ("a/b/Dockerfile", "COPY b/*.py /app/", ["a/b/x.py"], "a"),
        ("web/Dockerfile", "COPY --from=0 nothing /x\nADD https://example.com/x /x", ["web/x"], "web"),
        ("web/Dockerfile", "COPY $WHAT /x\nCOPY target/app.jar /x", ["web/x"], "web"),
        ("docker/Dockerfile", "COPY . /app", ["x"], "."),
    ],
)
def test_its_context_is_where_all_that_it_copies_is(
    tmp_path: Path, path: str, copies: str, files: list[str], context: str
) -> None:
    write(tmp_path, path, f"FROM scratch\n{copies}\n")
    for each in files:
        write(tmp_path, each)
    assert read_dockerfile(tmp_path, path).context == context


def test_what_it_is_built_on(tmp_path: Path) -> None:
    write(tmp_path, "Dockerfile", "FROM golang:1 AS build\nFROM build AS test\nFROM ${BASE}\nFROM alpine:3\n")
    assert read_dockerfile(tmp_path, "Dockerfile").bases == ("golang:1", "alpine:3")


def test_one_that_cannot_be_read_is_there_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").symlink_to(tmp_path / "nowhere")
    assert [found.context for found in find_dockerfiles(tmp_path)] == ["."]
