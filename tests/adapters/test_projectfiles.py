"""The files that `devloop init` writes, without losing anything of a person's."""

from pathlib import Path

import pytest

from devloop.adapters.projectfiles import append_line, checkout_of, is_ignored, read_text, tables_of, write

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
    assert tables_of("a = 1") == {"a": 1}
    assert tables_of("a = ") is None
