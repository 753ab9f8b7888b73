"""Pictures of real folders: what is in them, what is read again, and what they are as bytes."""

import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devloop.adapters import pictures
from devloop.adapters.picture_store import decode, encode
from devloop.adapters.pictures import Taken, refresh, take
from devloop.adapters.scope import Area, Scope, shown
from devloop.core.picture import Entry, EntryType, Picture
from tests.dockerignore import all_paths, load, make_tree

TRUTH = load()


def scope(root: Path, *, ignore: str = "", watch: tuple[Path, ...] = (), quiet: tuple[str, ...] = ()) -> Scope:
    if ignore:
        (root / ".dockerignore").write_text(ignore)
    return Scope.read(Area(root, root / "Dockerfile", watch or (root,), quiet))


def paths(taken: Taken) -> list[str]:
    return sorted(taken.picture.entries)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every file that is read from now on."""
    read: list[str] = []
    hash_file = pictures._hash

    def spy(path: str, follow: bool) -> bytes:
        read.append(Path(path).name)
        return hash_file(path, follow)

    monkeypatch.setattr(pictures, "_hash", spy)
    return read


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read as if they had been written long ago."""
    monkeypatch.setattr("devloop.adapters.pictures._RACY_NS", -(10**10))


def test_says_what_each_path_is(tmp_path: Path) -> None:
    make_tree(tmp_path, ["src/main.py", "empty/"])
    (tmp_path / "src/main.py").chmod(0o750)
    (tmp_path / "link").symlink_to("src/nowhere")
    (tmp_path / "folder-link").symlink_to("src")
    os.mkfifo(tmp_path / "pipe", 0o600)
    entries = take(scope(tmp_path), None).picture.entries
    assert entries["src/main.py"] == Entry(EntryType.FILE, 0o750, "cae66941d9efbd404e4d88758ea67670")
    assert entries["link"] == Entry(EntryType.LINK, 0, "src/nowhere")
    assert entries["folder-link"] == Entry(EntryType.LINK, 0, "src")
    assert entries["pipe"] == Entry(EntryType.OTHER, 0o600, "")
    assert entries["empty"].type is EntryType.FOLDER
    assert len(entries) == 6


def test_names_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_text("x")
    (tmp_path / "link").symlink_to(os.fsdecode(b"caf\xe9"))
    picture = take(scope(tmp_path), None).picture
    assert picture.entries["link"].content == "caf\udce9"
    assert sorted(picture.entries) == ["caf\udce9", "link"]
    assert decode(encode(picture)) is not None
    assert shown("caf\udce9", tmp_path) == "caf\ufffd"


TAKEN = [case for case in TRUTH["cases"] if case["left_out"] is not None]


@pytest.mark.parametrize("case", TAKEN, ids=[case["name"] for case in TAKEN])
def test_shows_what_buildkit_takes(case: dict[str, str], tmp_path: Path) -> None:
    make_tree(tmp_path, TRUTH["tree"])
    dockerfile = tmp_path / "Dockerfile"
    (tmp_path / "Dockerfile.dockerignore").write_bytes(case["ignore"].encode())
    taken = take(Scope.read(Area(tmp_path, dockerfile, (tmp_path,), ())), None)
    left_out = set(all_paths(TRUTH["tree"])) - set(paths(taken))
    of_devloop = {"Dockerfile", ".dockerignore"}
    never = {path for path in all_paths(TRUTH["tree"]) if path.startswith(".git") or path.endswith("~")}
    assert left_out - never == set(case["left_out"]) - of_devloop - never


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, reads: list[str], later: None) -> None:
    make_tree(tmp_path, ["a", "src/b", "src/c"])
    first = take(scope(tmp_path), None)
    (tmp_path / "src/b").write_text("new")
    second = take(first.scope, first)
    assert sorted(reads) == ["a", "b", "b", "c"]
    assert second.picture.changed_since(first.picture) == ("src/b",)


def test_a_file_that_was_just_written_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    make_tree(tmp_path, ["a"])
    first = take(scope(tmp_path), None)
    take(first.scope, first)
    assert reads == ["a", "a"]


def test_a_change_that_sets_the_time_back_is_seen(tmp_path: Path, later: None) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    first = take(scope(tmp_path), None)
    before = file.stat()
    file.write_text("new")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert take(first.scope, first).picture.changed_since(first.picture) == ("a",)


def test_touch_and_same_content_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("same")
    first = take(scope(tmp_path), None)
    os.utime(file)
    (tmp_path / "new").write_text("same")
    (tmp_path / "new").replace(file)
    assert take(first.scope, first).picture.changed_since(first.picture) == ()


def test_mode_type_and_target_count(tmp_path: Path) -> None:
    make_tree(tmp_path, ["mode", "type", "folder/"])
    (tmp_path / "link").symlink_to("a")
    first = take(scope(tmp_path), None)
    (tmp_path / "mode").chmod(0o755)
    (tmp_path / "folder").chmod(0o700)
    (tmp_path / "type").unlink()
    (tmp_path / "type").mkdir()
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    changed = take(first.scope, first).picture.changed_since(first.picture)
    assert changed == ("folder", "link", "mode", "type")


def test_folders_that_did_not_change_are_shared(tmp_path: Path, later: None) -> None:
    make_tree(tmp_path, ["a/x", "b/y"])
    first = take(scope(tmp_path), None)
    (tmp_path / "a/x").write_text("new")
    second = take(first.scope, first)
    assert second.folders["b"] is first.folders["b"]
    assert second.folders["a"] is not first.folders["a"]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Files may be read as by anybody, also when the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_what_cannot_be_read_is_told_as_that() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        make_tree(root, ["secret", "open", "closed/file"])
        (root / "secret").chmod(0)
        (root / "closed").chmod(0)
        with unprivileged():
            entries = take(scope(root), None).picture.entries
        assert {path: entry.type for path, entry in entries.items()} == {
            "secret": EntryType.UNREADABLE,
            "open": EntryType.FILE,
            "closed": EntryType.UNREADABLE,
        }


def test_the_files_that_steer_a_build_count_although_ignored(tmp_path: Path) -> None:
    context = tmp_path / "context"
    make_tree(tmp_path, ["context/a", "docker/app.Dockerfile", "docker/app.Dockerfile.dockerignore", "docker/other"])
    area = Area(context, tmp_path / "docker/app.Dockerfile", (context,), ("**",))
    taken = take(Scope.read(area), None)
    assert taken.picture.files == 2
    assert paths(taken) == ["../docker/app.Dockerfile", "../docker/app.Dockerfile.dockerignore", "a"]


def test_a_dockerfile_that_is_a_link_counts_by_what_it_leads_to(tmp_path: Path) -> None:
    make_tree(tmp_path, ["context/", "real"])
    (tmp_path / "context/Dockerfile").symlink_to("../real")
    first = take(scope(tmp_path / "context"), None)
    (tmp_path / "real").write_text("FROM scratch")
    assert take(first.scope, first).picture.changed_since(first.picture) == ("Dockerfile",)


def test_what_is_not_watched_is_in_the_picture_and_changes_quietly(tmp_path: Path) -> None:
    make_tree(tmp_path, ["src/a", "src/gen/b", "docs/c"])
    narrow = scope(tmp_path, watch=(tmp_path / "src",), quiet=("src/gen",))
    first = take(narrow, None)
    assert first.picture.files == 1
    for path in ("src/a", "src/gen/b", "docs/c"):
        (tmp_path / path).write_text("new")
    second = take(narrow, first).picture
    assert second.changed_since(first.picture) == ("src/a",)
    assert second.changed_since(first.picture, quiet=True) == ("docs/c", "src/a", "src/gen/b")


def test_watched_paths_outside_the_context_count(tmp_path: Path) -> None:
    make_tree(tmp_path, ["context/a", "lib/x", "lib/sub/y", "other/z", "file", "context/data/d"])
    context = tmp_path / "context"
    watch = (context, tmp_path / "lib", tmp_path / "file", context / "data")
    taken = take(scope(context, ignore="data\n", watch=watch), None)
    expected = ["../file", "../lib", "../lib/sub", "../lib/sub/y", "../lib/x", ".dockerignore", "a", "data", "data/d"]
    assert paths(taken) == expected


def test_version_control_and_temporary_files_are_not_in_it(tmp_path: Path) -> None:
    make_tree(tmp_path, [".git/index", "a", "a~", ".a.swp", "sub/.git/HEAD", "sub/4913"])
    assert paths(take(scope(tmp_path), None)) == ["a", "sub"]


@pytest.mark.parametrize("ignore", ["", "ignored\n", "ignored\n!ignored/keep\n"])
def test_looking_at_some_names_again_is_like_looking_at_everything(tmp_path: Path, ignore: str) -> None:
    make_tree(tmp_path, ["a/b/c", "a/d", "e", "gone/x/y", "ignored/keep", "ignored/no", "was-folder/f", "Dockerfile"])
    first = take(scope(tmp_path, ignore=ignore), None)
    (tmp_path / "a/b/c").write_text("new")
    make_tree(tmp_path, ["fresh/deep/er/file", "ignored/new", "a/.git/HEAD"])
    (tmp_path / "gone").rename(tmp_path / "a/moved")
    (tmp_path / "was-folder/f").unlink()
    (tmp_path / "was-folder").rmdir()
    (tmp_path / "was-folder").write_text("file")
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    names = ["a/b/c", "fresh", "ignored/new", "gone", "a/moved", "was-folder", "Dockerfile", "a/.git", "e"]
    again = refresh(first, names)
    whole = take(first.scope, None)
    assert again.picture.changed_since(whole.picture) == ()
    assert again.folders.keys() == whole.folders.keys()
    assert again.picture.changed_since(first.picture) == whole.picture.changed_since(first.picture)


def test_a_name_below_an_unknown_folder_brings_the_folder(tmp_path: Path) -> None:
    first = take(scope(tmp_path), None)
    make_tree(tmp_path, ["a/b/c"])
    assert paths(refresh(first, ["a/b/c"])) == ["a", "a/b", "a/b/c"]


def test_a_folder_is_announced_before_it_is_listed(tmp_path: Path) -> None:
    make_tree(tmp_path, ["a/b/c"])

    def entering(path: str) -> None:
        (Path(path) / "late").write_text("made while the walk was under way")

    taken = take(scope(tmp_path), None, entering)
    assert {"late", "a/late", "a/b/late"} <= set(taken.picture.entries)


def test_stored_and_read_back_it_is_the_same(tmp_path: Path) -> None:
    make_tree(tmp_path, ["a/b/c", "é", "empty/"])
    (tmp_path / "link").symlink_to("a")
    picture = take(scope(tmp_path), None).picture
    stored = decode(encode(picture))
    assert stored is not None
    assert dict(stored.entries) == dict(picture.entries)
    assert stored.changed_since(picture) == ()


def test_a_stored_picture_spares_reading(tmp_path: Path, reads: list[str], later: None) -> None:
    make_tree(tmp_path, ["a", "b"])
    stored = decode(encode(take(scope(tmp_path), None).picture))
    (tmp_path / "b").write_text("new")
    assert stored is not None
    assert take(scope(tmp_path), stored).picture.changed_since(stored) == ("b",)
    assert sorted(reads) == ["a", "b", "b"]


def test_broken_or_foreign_bytes_are_no_picture(tmp_path: Path) -> None:
    make_tree(tmp_path, ["a"])
    data = encode(take(scope(tmp_path), None).picture)
    assert decode(None) is None
    assert decode(b"") is None
    assert decode(data[:-1]) is None
    assert decode(gzip.compress(gzip.decompress(data).replace(b"picture 1", b"picture 9"))) is None
    assert decode(data[:-1] + bytes([data[-1] ^ 1])) is None


def test_only_pictures_from_disk_are_stored() -> None:
    with pytest.raises(TypeError):
        encode(Picture({}))


def test_names_for_people(tmp_path: Path) -> None:
    context = tmp_path / "a/b/c/d"
    assert shown("src/x", context) == "src/x"
    assert shown("../lib/x", context) == "../lib/x"
    assert shown("../../../x", context) == str(tmp_path / "a/x")
