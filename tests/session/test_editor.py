"""Which file `e` opens for what a build or a container named."""

from pathlib import Path

import pytest

from devloop.core.service import BuildSpec
from devloop.session.terminal import source_file


@pytest.mark.parametrize(
    ("named", "opened"),
    [
        ("Dockerfile", "docker/Dockerfile"),
        ("web/Dockerfile", "web/Dockerfile"),
        ("/app/src/server.py", "web/src/server.py"),
        ("lib/shared.py", "lib/shared.py"),
        ("{root}/.sandbox/node1/pods/web/root/app/src/server.py", "web/src/server.py"),
        ("nowhere.py", None),
        (f"/app/{'k' * 260}.js", None),
        ("/app/a\0b.js", None),
    ],
)
def test_the_file_that_was_named(tmp_path: Path, named: str, opened: str | None) -> None:
    for name in ("docker/Dockerfile", "web/Dockerfile", "web/src/server.py", "lib/shared.py",
                 ".sandbox/node1/pods/web/root/app/src/server.py"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    build = BuildSpec(tmp_path / "web", tmp_path / "docker" / "Dockerfile")
    assert source_file(named.format(root=tmp_path), build, tmp_path) == (tmp_path / opened if opened else None)
