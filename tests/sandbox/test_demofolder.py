"""A demo's folder that is used again: what its files say of when somebody saved them."""

import os
from pathlib import Path

import pytest

from devloop.adapters import pictures
from devloop.adapters.newersource import look
from devloop.adapters.scope import Area, Scope
from devloop.session.demo.place import DemoFolder, open_folder

VALUES = {"registry": "127.0.0.1:10001", "context": "c", "namespace": "n", "api_url": "http://127.0.0.1:2/"}
LATER = {**VALUES, "registry": "127.0.0.1:20002"}
"""A port of as many digits, as they mostly are: the files keep their size."""
SAVED = 1_000_000_000


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """The service of a demo that was over long ago; its program was saved last."""
    folder = _folder(tmp_path)
    folder.put_app(VALUES)
    for file in folder.path.rglob("*.*"):
        os.utime(file, (SAVED, SAVED))
    os.utime(folder.path / "web" / "Dockerfile", (SAVED, SAVED))
    os.utime(folder.path / "web" / "web.py", (SAVED + 60, SAVED + 60))
    return folder.path / "web"


def _folder(tmp_path: Path) -> DemoFolder:
    folder = open_folder(tmp_path / "demo")
    assert isinstance(folder, DemoFolder)
    return folder


def _area(web: Path) -> Area:
    return Area(web, web / "Dockerfile", (web,), ())


def test_a_new_sandbox_is_nobodys_save(web: Path, tmp_path: Path) -> None:
    _folder(tmp_path).put_app(LATER)
    assert "FROM 127.0.0.1:20002/python:3\n" in (web / "Dockerfile").read_text()
    found = look("web", _area(web), float(SAVED + 60))
    assert found is not None
    assert found.newest is not None
    assert (Path(found.newest.path).name, found.newer) == ("web.py", ())


def test_what_was_rewritten_is_seen_by_whatever_goes_by_times(
    web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_RACY_NS", 0)  # files this young are read whatever their times
    scope, dockerfile = Scope.read(_area(web)), web / "Dockerfile"
    before, status = pictures.take(scope, None), dockerfile.stat()
    _folder(tmp_path).put_app(LATER)
    assert dockerfile.stat().st_size == status.st_size
    assert dockerfile.stat().st_mtime_ns != status.st_mtime_ns
    after = pictures.take(scope, before).picture.entries
    assert after["Dockerfile"] != before.picture.entries["Dockerfile"]
    assert after["web.py"] == before.picture.entries["web.py"]


def test_what_names_the_same_addresses_is_not_written(web: Path, tmp_path: Path) -> None:
    dockerfile = web / "Dockerfile"
    before = dockerfile.stat()
    _folder(tmp_path).put_app(VALUES)
    assert dockerfile.stat().st_mtime_ns == before.st_mtime_ns


def test_an_address_that_is_brought_up_to_date_where_the_time_is_anothers(
    web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("devloop.session.demo.place.os.utime", refused)
    _folder(tmp_path).put_app(LATER)
    assert "FROM 127.0.0.1:20002/python:3\n" in (web / "Dockerfile").read_text()
