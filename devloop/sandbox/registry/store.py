"""What a registry holds, in a folder: contents by digest, and for each repository what it has of them.

```
blobs/ALGORITHM/HEX              a blob or a manifest
repositories/NAME/_blobs/ALGORITHM/HEX       empty: the repository has this blob
repositories/NAME/_manifests/ALGORITHM/HEX   the media type of this manifest
repositories/NAME/_tags/TAG      the digest that the tag is at
uploads/ID                       what has arrived of a blob
```

Everything is written beside and renamed, so that nobody reads half of it. A content that no repository has any more
stays until the folder goes.
"""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devloop.sandbox.registry.digest import Digest


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest of a repository."""

    digest: Digest
    media_type: str
    body: bytes


class Store:
    """Blocking, and quick: files of a local disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.uploads = folder / "uploads"
        self.uploads.mkdir(parents=True, exist_ok=True)

    def knows(self, name: str) -> bool:
        """Whether anything was ever pushed to the repository."""
        return any(self._of(name, kind).is_dir() for kind in ("_blobs", "_manifests"))

    # blobs -------------------------------------------------------------------------------------------------------

    def blob(self, name: str, digest: Digest) -> Path | None:
        """The file of a blob that the repository has."""
        return self._content(digest) if self._link(name, "_blobs", digest).is_file() else None

    def anyones(self, digest: Digest) -> bool:
        """Whether some repository has the blob."""
        return next(self._folder.glob(f"repositories/**/_blobs/{digest.algorithm}/{digest.hex}"), None) is not None

    def add_blob(self, name: str, digest: Digest, file: Path) -> None:
        """Take over a file whose digest was checked."""
        content = self._content(digest)
        content.parent.mkdir(parents=True, exist_ok=True)
        file.replace(content)
        self.link_blob(name, digest)

    def link_blob(self, name: str, digest: Digest) -> None:
        self._write(self._link(name, "_blobs", digest), b"")

    def remove_blob(self, name: str, digest: Digest) -> bool:
        return _removed(self._link(name, "_blobs", digest))

    # manifests ---------------------------------------------------------------------------------------------------

    def manifest(self, name: str, digest: Digest) -> Manifest | None:
        try:
            media_type = self._link(name, "_manifests", digest).read_text()
            return Manifest(digest, media_type, self._content(digest).read_bytes())
        except FileNotFoundError:
            return None

    def manifests(self, name: str) -> Iterator[Manifest]:
        """All of a repository, by digest."""
        for link in sorted(self._of(name, "_manifests").glob("*/*")):
            found = self.manifest(name, Digest(link.parent.name, link.name))
            if found is not None:
                yield found

    def add_manifest(self, name: str, manifest: Manifest) -> None:
        self._write(self._content(manifest.digest), manifest.body)
        self._write(self._link(name, "_manifests", manifest.digest), manifest.media_type.encode())

    def remove_manifest(self, name: str, digest: Digest) -> bool:
        """With the tags that are at it."""
        if not _removed(self._link(name, "_manifests", digest)):
            return False
        for tag in self.tags(name):
            if self.tagged(name, tag) == digest:
                self.remove_tag(name, tag)
        return True

    # tags --------------------------------------------------------------------------------------------------------

    def tags(self, name: str) -> list[str]:
        folder = self._of(name, "_tags")
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def tagged(self, name: str, tag: str) -> Digest | None:
        try:
            return Digest(*(self._of(name, "_tags") / tag).read_text().split(":"))
        except FileNotFoundError:
            return None

    def tag(self, name: str, tag: str, digest: Digest) -> None:
        self._write(self._of(name, "_tags") / tag, str(digest).encode())

    def remove_tag(self, name: str, tag: str) -> bool:
        return _removed(self._of(name, "_tags") / tag)

    # paths -------------------------------------------------------------------------------------------------------

    def _content(self, digest: Digest) -> Path:
        return self._folder / "blobs" / digest.algorithm / digest.hex

    def _of(self, name: str, kind: str) -> Path:
        # No component of a name begins with an underscore.
        return self._folder / "repositories" / name / kind

    def _link(self, name: str, kind: str, digest: Digest) -> Path:
        return self._of(name, kind) / digest.algorithm / digest.hex

    def _write(self, path: Path, content: bytes) -> None:
        beside = self.uploads / f"new-{uuid.uuid4().hex}"
        beside.write_bytes(content)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(beside, path)  # noqa: PTH105 - atomic, says its name


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
