"""The recorded truth about ignore patterns is what the BuildKit of today does.

`DEVLOOP_UPDATE_GOLDENS=1` writes what this BuildKit does into `tests/data/dockerignore/cases.json`.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from devloop.adapters.scope import read_ignore_file
from tests.dockerignore import CASES, all_paths, left_out, load, make_tree

pytestmark = pytest.mark.engine
TRUTH = load()
UPDATE = os.environ.get("DEVLOOP_UPDATE_GOLDENS") == "1"


def built(context: Path, dockerfile: Path, into: Path) -> list[str] | None:
    """What `COPY . /` takes from the context; None when the build is refused."""
    buildx = Path.home() / ".docker" / "cli-plugins" / "docker-buildx"
    plugin = [str(buildx)] if buildx.exists() else ["docker", "buildx"]
    command = [*plugin, "build", "--output", f"type=local,dest={into}", "-f", str(dockerfile), str(context)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "BUILDX_GIT_INFO": "false"})
    if run.returncode:
        assert "pattern" in run.stderr or "regexp" in run.stderr, run.stderr
        return None
    return sorted(str(path.relative_to(into)) for path in into.rglob("*"))


def dockerfile_in(folder: Path, ignore: bytes | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    if ignore is not None:
        (folder / "Dockerfile.dockerignore").write_bytes(ignore)
    return dockerfile


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("context")
    make_tree(root, TRUTH["tree"])
    return root


@pytest.mark.parametrize("case", TRUTH["cases"], ids=[case["name"] for case in TRUTH["cases"]])
def test_recorded_truth_is_what_buildkit_does(case: dict[str, object], context: Path, tmp_path: Path) -> None:
    ignore = str(case["ignore"])
    dockerfile = dockerfile_in(tmp_path / "dockerfile", ignore.encode())
    kept = built(context, dockerfile, tmp_path / "out")
    truth = None if kept is None else sorted(set(all_paths(TRUTH["tree"])) - set(kept))
    if UPDATE:
        case["left_out"] = truth
        CASES.write_text(json.dumps(TRUTH, indent=1) + "\n")
    assert case["left_out"] == truth
    assert left_out(TRUTH["tree"], ignore) == truth


PLACES = {
    "in the context": ("context/Dockerfile", {"context/.dockerignore": "a\n"}, {"a"}),
    "beside the Dockerfile": ("context/Dockerfile", {"context/Dockerfile.dockerignore": "a\n"}, {"a"}),
    "both": (
        "context/Dockerfile",
        {"context/.dockerignore": "a\n", "context/Dockerfile.dockerignore": "b\n"},
        {"b"},
    ),
    "an empty one beside the Dockerfile": (
        "context/Dockerfile",
        {"context/.dockerignore": "a\n", "context/Dockerfile.dockerignore": ""},
        set(),
    ),
    "another Dockerfile's": (
        "context/app.Dockerfile",
        {"context/.dockerignore": "a\n", "context/Dockerfile.dockerignore": "b\n"},
        {"a"},
    ),
    "named after the Dockerfile": (
        "context/app.Dockerfile",
        {"context/.dockerignore": "a\n", "context/app.Dockerfile.dockerignore": "b\n"},
        {"b"},
    ),
    "in a folder of the context": (
        "context/deploy/Dockerfile",
        {"context/deploy/Dockerfile.dockerignore": "a\n"},
        {"a"},
    ),
    "plain beside a Dockerfile that is in a folder": (
        "context/deploy/Dockerfile",
        {"context/deploy/.dockerignore": "a\n"},
        set(),
    ),
    "outside the context": (
        "docker/Dockerfile",
        {"context/.dockerignore": "a\n", "docker/Dockerfile.dockerignore": "b\n"},
        {"b"},
    ),
    "outside the context, without its own": ("docker/Dockerfile", {"context/.dockerignore": "a\n"}, {"a"}),
    "a folder of that name": (
        "context/Dockerfile",
        {"context/.dockerignore": "a\n", "context/Dockerfile.dockerignore/x": ""},
        {"a"},
    ),
    "the Dockerfile ignored": (
        "context/Dockerfile",
        {"context/.dockerignore": "Dockerfile\nDocker*\n.dockerignore\n"},
        {"Dockerfile", ".dockerignore"},
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_which_ignore_file_counts(name: str, tmp_path: Path) -> None:
    where, files, expected = PLACES[name]
    context, dockerfile = tmp_path / "context", tmp_path / where
    make_tree(tmp_path, ["context/a", "context/b", where, *files])
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    for path, text in files.items():
        (tmp_path / path).write_text(text)
    there = {str(path.relative_to(context)) for path in context.rglob("*")}
    left_out = there - set(built(context, dockerfile, tmp_path / "out") or ())
    matcher = read_ignore_file(context, dockerfile).matcher
    assert left_out == expected
    assert {path for path in there if matcher.ignores(path)} == expected


def test_an_ignore_file_that_is_a_link_counts(tmp_path: Path) -> None:
    context = tmp_path / "context"
    make_tree(tmp_path, ["context/a", "context/b", "context/deep/"])
    (context / "deep/real").write_text("a\n")
    (context / ".dockerignore").symlink_to("deep/real")
    dockerfile = dockerfile_in(context)
    assert "a" not in (built(context, dockerfile, tmp_path / "out") or ())
    assert read_ignore_file(context, dockerfile).matcher.ignores("a")
