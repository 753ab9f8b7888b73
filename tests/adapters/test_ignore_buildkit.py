"""The recorded truth about ignore patterns is what the BuildKit of today does.

`DEVLOOP_UPDATE_GOLDENS=1` writes what this BuildKit does into `tests/data/dockerignore/cases.json`.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

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
