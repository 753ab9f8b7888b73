"""Layers over each other, and what a layer may not do."""

import gzip
import random
import sys
import tarfile
from pathlib import Path

import pytest

from devloop.sandbox.runtime.unpacking import BadLayerError, unpack
from tests.sandbox.images import Files, entry, layer

_DIR, _LINK, _HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def unpacked(folder: Path, *layers: Files, mode: int = 0o755) -> dict[str, str]:
    """What is there in the end: contents by path, a link's target after an arrow, a folder as a slash."""
    root = folder / "a" / "root"
    root.mkdir(parents=True)
    for number, files in enumerate(layers):
        file = folder / f"layer{number}"
        file.write_bytes(layer(files, mode))
        unpack(file, root)
    return {str(path.relative_to(root)): _shown(path) for path in sorted(root.rglob("*"))}


def _shown(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return "/" if path.is_dir() else path.read_text()


def _dir(path: str) -> tarfile.TarInfo:
    return entry(path, _DIR)


CASES: dict[str, tuple[tuple[Files, ...], dict[str, str]]] = {
    "a later layer counts": (({"x": "1", "y": "1"}, {"x": "2"}), {"x": "2", "y": "1"}),
    "a file is taken away": (({"d/x": "1", "d/y": "1"}, {"d/.wh.x": ""}), {"d": "/", "d/y": "1"}),
    "a folder is taken away": (({"d/x": "1"}, {".wh.d": ""}), {}),
    "a whiteout is about earlier layers": (({"d/x": "1"}, {"d/x": "2", "d/.wh.x": ""}), {"d": "/", "d/x": "2"}),
    "of a folder too": (({"d/x": "1"}, {"d/new": "2", ".wh.d": ""}), {"d": "/", "d/new": "2"}),
    "an opaque folder": (({"d/x": "1", "d/e/y": "1"}, {"d/new": "2", "d/.wh..wh..opq": ""}), {"d": "/", "d/new": "2"}),
    "an opaque folder, told first": (({"d/x": "1"}, {"d/.wh..wh..opq": "", "d/x": "2"}), {"d": "/", "d/x": "2"}),
    "nothing to take away": (({"x": "1"}, {".wh.y": "", "q/.wh..wh..opq": ""}), {"x": "1"}),
    "a file where a folder was": (({"d/x": "1"}, {"d": "2"}), {"d": "2"}),
    "a folder where a file was": (({"d": "1"}, {"d/": _dir("d/"), "d/x": "2"}), {"d": "/", "d/x": "2"}),
    "a folder keeps what is in it": (({"d/x": "1"}, {"d/": _dir("d/")}), {"d": "/", "d/x": "1"}),
    "a link": (({"x": "1", "l": entry("l", _LINK, "x")},), {"l": "-> x", "x": "1"}),
    "an absolute link leads into the root": (
        ({"etc/x": "1", "d/l": entry("d/l", _LINK, "/etc/x")},),
        {"d": "/", "d/l": "-> ../etc/x", "etc": "/", "etc/x": "1"},
    ),
    "a file through a link of the image": (
        ({"usr/bin/a": "1", "bin": entry("bin", _LINK, "/usr/bin")}, {"bin/b": "2"}),
        {"bin": "-> usr/bin", "usr": "/", "usr/bin": "/", "usr/bin/a": "1", "usr/bin/b": "2"},
    ),
    "a hard link": (({"x": "1", "h": entry("h", _HARD, "x")},), {"h": "1", "x": "1"}),
    "devices and pipes are left out": (
        ({"n": entry("n", tarfile.CHRTYPE), "b": entry("b", tarfile.BLKTYPE), "f": entry("f", tarfile.FIFOTYPE)},),
        {},
    ),
    "names that lead out": (({"../out": "1", "d/../../out": "1", "/abs": "2", "./x": "3"},), {"abs": "2", "x": "3"}),
    "a link that leads out": (({"l": entry("l", _LINK, "../../../out")},), {"l": "-> out"}),
    "a file through a link that leads out": (
        ({"l": entry("l", _LINK, "../.."), "l/out": "1"},),
        {"l": "-> .", "out": "1"},
    ),
    "a link through links": (
        ({"a/b/l": entry("a/b/l", _LINK, "/"), "a/b/m": entry("a/b/m", _LINK, "l/../../out"), "a/b/m/x": "1"},),
        {"a": "/", "a/b": "/", "a/b/l": "-> ../..", "a/b/m": "-> l/../../out", "out": "/", "out/x": "1"},
    ),
    "a link in a folder that a link leads to": (
        ({"a/b/c": entry("a/b/c", _LINK, "/"), "a/b/c/l": entry("a/b/c/l", _LINK, "../../../out")},),
        {"a": "/", "a/b": "/", "a/b/c": "-> ../..", "l": "-> out"},
    ),
    "a whiteout through a link that leads out": (
        ({"l": entry("l", _LINK, "../.."), "x": "1"}, {"l/.wh.layer0": "", "l/.wh..wh..opq": ""}), {},
    ),
    "a whiteout of the folder above": (({"d/x": "1"}, {"d/.wh...": "", "d/.wh..": ""}), {"d": "/", "d/x": "1"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_there_in_the_end(case: str, tmp_path: Path) -> None:
    layers, expected = CASES[case]
    found = unpacked(tmp_path, *layers)
    outside = {path.name for path in tmp_path.iterdir()} | {path.name for path in (tmp_path / "a").iterdir()}
    assert outside == {"a", "root", *(f"layer{number}" for number in range(len(layers)))}
    assert found == expected


REFUSED: dict[str, Files] = {
    "a hard link to what is not in the image": {"h": entry("h", _HARD, "../../layer0")},
    "a hard link to a link": {"l": entry("l", _LINK, "x"), "h": entry("h", _HARD, "l")},
    "a link in a circle": {"l": entry("l", _LINK, "m"), "m": entry("m", _LINK, "l"), "l/x": "1"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(BadLayerError):
        unpacked(tmp_path, REFUSED[case])


@pytest.mark.parametrize("at", range(1000, 60_000, 3000))
def test_a_file_that_is_compressed_wrongly(tmp_path: Path, at: int) -> None:
    whole = layer({"x": random.Random(1).randbytes(60_000).hex()})
    (tmp_path / "layer").write_bytes(whole[:at] + random.Random(at).randbytes(20) + b"\xff" * 20)
    with pytest.raises(BadLayerError):
        unpack(tmp_path / "layer", tmp_path)


def test_no_set_bits_and_a_mode_that_its_owner_can_work_with(tmp_path: Path) -> None:
    unpacked(tmp_path, {"d/": entry("d/", _DIR, mode=0o1000), "d/x": "1"}, mode=0o6711)
    root = tmp_path / "a" / "root"
    assert (root / "d").stat().st_mode & 0o7777 == 0o700
    assert (root / "d/x").stat().st_mode & 0o7777 == 0o711


def test_an_archive_without_compression(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(gzip.decompress(layer({"x": "1"})))
    (tmp_path / "root").mkdir()
    unpack(tmp_path / "plain", tmp_path / "root")
    assert (tmp_path / "root/x").read_text() == "1"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads zstd")
def test_zstd_is_named_where_python_does_not_read_it(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(BadLayerError, match=r"compressed with zstd, which Python reads from 3\.14 on"):
        unpack(tmp_path / "layer", tmp_path)
