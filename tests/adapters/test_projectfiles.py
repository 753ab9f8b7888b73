"""The files that `devloop init` writes, without losing anything of a person's."""

import os
from pathlib import Path

import pytest

from devloop.adapters.projectfiles import append_line, checkout_of, is_ignored, read_text, write

NAME = "devloop.local.toml"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, f"{NAME}\n"),
        ("", f"{NAME}\n"),
        ("a\n", f"a\n{NAME}\n"),
        ("a", f"a\n{NAME}\n"),
        ("a\r\n", f"a\r\n{NAME}\r\n"),
        ("a\r\nb", f"a\r\nb\r\n{NAME}\r\n"),
    ],
)
def test_a_line_is_added_at_the_end(tmp_path: Path, before: str | None, after: str) -> None:
    path = tmp_path / ".gitignore"
    if before is not None:
        path.write_bytes(before.encode())
    append_line(path, NAME)
    assert path.read_bytes() == after.encode()


@pytest.mark.parametrize(
    ("top", "own", "ignored"),
    [
        (None, None, False),
        (NAME, None, True),
        ("*.local.toml", None, True),
        (None, f"/{NAME}", True),
        (f"/{NAME}", None, False),
        (f"/app/{NAME}", None, True),
        ("*.toml", f"!{NAME}", False),
        ("# " + NAME, None, False),
    ],
)
def test_what_the_gitignores_of_a_checkout_leave_out(
    tmp_path: Path, top: str | None, own: str | None, ignored: bool
) -> None:
    project = tmp_path / "app"
    (tmp_path / ".git").mkdir()
    project.mkdir()
    for folder, text in ((tmp_path, top), (project, own)):
        if text is not None:
            (folder / ".gitignore").write_text(text + "\n")
    assert is_ignored(project, NAME) is ignored
    assert checkout_of(project) == tmp_path


def test_without_a_checkout_only_the_folder_itself_counts(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / ".gitignore").write_text(NAME)
    assert not is_ignored(tmp_path / "app", NAME)


def test_nothing_that_appeared_meanwhile_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "devloop.toml"
    write(path, "new", replaces=False)
    with pytest.raises(FileExistsError):
        write(path, "newer", replaces=False)
    assert path.read_text() == "new"
    write(path, "newer", replaces=True)
    assert path.read_text() == "newer"
    assert [each.name for each in tmp_path.iterdir()] == ["devloop.toml"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("old")
    (tmp_path / "devloop.toml").symlink_to("real.toml")
    write(tmp_path / "devloop.toml", "new", replaces=True)
    assert (tmp_path / "real.toml").read_text() == "new"
    assert (tmp_path / "devloop.toml").is_symlink()


def test_reading(tmp_path: Path) -> None:
    assert read_text(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nb\n", b"a\nc\n"),
        (b"a\r\nb\r\n", b"a\r\nc\r\n"),
        (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\nc\n"),
    ],
)
def test_what_is_not_text_stays_as_it_was(before: bytes, after: bytes, tmp_path: Path) -> None:
    (folder := tmp_path / "dotfiles").mkdir()
    target, link = folder / "mine.toml", tmp_path / "devloop.local.toml"
    target.write_bytes(before)
    target.chmod(0o600)
    link.symlink_to(target)
    assert read_text(link) == before.decode("utf-8-sig").replace("\r\n", "\n")
    write(link, "a\nc\n", replaces=True)
    assert link.is_symlink()
    assert target.read_bytes() == after
    assert target.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in folder.iterdir()] == ["mine.toml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everything")
def test_a_file_that_may_not_be_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "devloop.local.toml"
    path.write_text("a")
    path.chmod(0o400)
    with pytest.raises(PermissionError, match="devloop"):
        write(path, "b", replaces=True)
    assert path.read_text() == "a"
