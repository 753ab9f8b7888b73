"""Whether there still is what a session told of, by the name that it showed."""

import os
from pathlib import Path

import pytest

from devloop.adapters.scope import is_there, shown


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A link to a folder that lies deeper."""
    (tmp_path / "real" / "deep" / "app").mkdir(parents=True)
    (tmp_path / "app").symlink_to(tmp_path / "real" / "deep" / "app")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "app"


@pytest.mark.parametrize(
    "name",
    [
        "a.py",
        "~$report.docx",
        "~nobody/x",
        "~/x",
        "../shared/lib.py",
        "../../../../../far/x.py",
        os.fsdecode(b"\xff.py"),
    ],
)
def test_what_is_there_and_what_was_deleted(context: Path, name: str) -> None:
    path = Path(os.path.normpath(context / name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    told = shown(name, context)
    assert is_there(context, told)
    path.unlink()
    assert is_there(context, told) is ("\ufffd" in told), "of a name that is not shown as it is nobody can say"


def test_what_is_shown_by_the_home_folder(context: Path) -> None:
    name = os.path.relpath(Path.home() / "lib" / "x.py", context)
    assert not is_there(context, "~/lib/x.py")
    (Path.home() / "lib").mkdir(parents=True)
    (Path.home() / "lib" / "x.py").touch()
    assert is_there(context, shown(name, context))
    assert is_there(context, "~/lib/x.py")
