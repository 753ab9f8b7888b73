"""What an archive says that a Pod which runs its image may report."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from devloop.adapters.imagearchive import ArchiveError, read_archive
from devloop.core.image import sha256_of

CONFIG = json.dumps({"os": "linux", "architecture": "arm64"}).encode()
DIGEST = sha256_of(CONFIG)


def archive(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "image.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def blob(value: Any) -> tuple[str, bytes]:
    content = json.dumps(value).encode()
    return sha256_of(content), content


def saved(config: str) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": ["web:dev"], "Layers": []}]).encode()


def test_an_engine_that_writes_no_index(tmp_path: Path) -> None:
    name = f"{DIGEST.partition(':')[2]}.json"
    image = read_archive(archive(tmp_path, {name: CONFIG, "manifest.json": saved(name)}))
    assert (image.digest, image.digests, image.platforms) == (DIGEST, frozenset({DIGEST}), ("linux/arm64",))


def test_manifests_and_the_indexes_above_them_count_and_others_do_not(tmp_path: Path) -> None:
    own, manifest = blob({"config": {"digest": DIGEST}, "layers": []})
    index, nested = blob({"manifests": [{"digest": own}, {"digest": f"sha256:{'0' * 64}"}]})
    attestation, other = blob({"config": {"digest": f"sha256:{'1' * 64}"}})
    top = {"manifests": [{"digest": index}, {"digest": attestation}]}
    path = f"blobs/{DIGEST.replace(':', '/')}"
    files = {
        path: CONFIG,
        "manifest.json": saved(path),
        "index.json": json.dumps(top).encode(),
        **{f"blobs/{d.replace(':', '/')}": c for d, c in ((own, manifest), (index, nested), (attestation, other))},
    }
    image = read_archive(archive(tmp_path, files))
    assert image.digest == DIGEST
    assert image.digests == {DIGEST, own, index}
    assert image.configs == {DIGEST}


@pytest.mark.parametrize(
    "files", [{}, {"manifest.json": b"[]"}, {"manifest.json": b"{"}, {"manifest.json": saved("x")}]
)
def test_what_is_no_archive_of_an_image_is_told(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(ArchiveError, match="the saved image cannot be read"):
        read_archive(archive(tmp_path, files))


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(b"no tar")
    with pytest.raises(ArchiveError):
        read_archive(path)
