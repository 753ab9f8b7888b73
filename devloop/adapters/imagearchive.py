"""What an archive of `docker image save` holds: every digest by which a node may report the image after the import."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devloop.core.image import PlatformManifest, ResolvedImage, platform_of, sha256_of


class ArchiveError(Exception):
    """The file is no archive of one image; the message is a clause for the user."""


def read_archive(path: Path) -> ResolvedImage:
    """The image by its config, which is what containerd reports of an image without a registry; blocks."""
    try:
        with tarfile.open(path) as archive:
            return _image(archive)
    except (OSError, tarfile.TarError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ArchiveError(f"the saved image cannot be read: {error}") from error


def _image(archive: tarfile.TarFile) -> ResolvedImage:
    config = _read(archive, str(json.loads(_read(archive, "manifest.json"))[0]["Config"]))
    digest, platform = sha256_of(config), platform_of(json.loads(config))
    manifests = [PlatformManifest(platform, "", digest)]
    if "index.json" in archive.getnames():  # engines before 25 write only `manifest.json`
        index = json.loads(_read(archive, "index.json"))
        manifests += [PlatformManifest(platform, each, digest) for each in _manifests(archive, index, digest)]
    return ResolvedImage(digest, tuple(manifests))


def _manifests(archive: tarfile.TarFile, index: dict[str, Any], config: str) -> Iterator[str]:
    """Digests of manifests of that config, and of the indexes that lead to them."""
    for entry in index.get("manifests") or ():
        digest = str(entry["digest"])
        try:
            content = json.loads(_read(archive, f"blobs/{digest.replace(':', '/')}"))
        except KeyError:  # an index may name platforms that the engine does not have
            continue
        inside = [*_manifests(archive, content, config)]
        yield from inside
        if inside or (content.get("config") or {}).get("digest") == config:
            yield digest


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    with file:
        return file.read()
