"""Makes images out of a table of files, and pushes them over HTTP."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from devloop.core.image import sha256_of
from devloop.sandbox.registry.server import Registry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Files = Mapping[str, str | tarfile.TarInfo]
"""By path: the content of a file, or an entry as it is."""


def layer(files: Files, mode: int = 0o755) -> bytes:
    """A layer, compressed."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, what in files.items():
            if isinstance(what, tarfile.TarInfo):
                tar.addfile(what)
                continue
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(what.encode()), mode
            tar.addfile(info, io.BytesIO(what.encode()))
    return gzip.compress(archive.getvalue(), mtime=0)


def entry(path: str, kind: bytes, target: str = "", mode: int = 0o755) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


async def push(registry: Registry, name: str, tag: str, layers: Sequence[bytes], **config: Any) -> str:
    """The digest of its manifest."""
    async with aiohttp.ClientSession(f"http://{registry.host}") as session:
        document = json.dumps({"os": "linux", "architecture": "amd64", "config": config}).encode()
        for blob in (document, *layers):
            path = f"/v2/{name}/blobs/uploads/?digest={sha256_of(blob)}"
            async with session.post(path, data=blob) as answer:
                assert answer.status == 201, await answer.text()
        described = [{"mediaType": _LAYER, "digest": sha256_of(blob), "size": len(blob)} for blob in layers]
        about = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256_of(document)}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {**about, "size": len(document)}}
        return await put(session, name, tag, {**manifest, "layers": described}, MANIFEST)


async def put(session: aiohttp.ClientSession, name: str, tag: str, manifest: Mapping[str, Any], kind: str) -> str:
    body = json.dumps(manifest).encode()
    path = f"/v2/{name}/manifests/{tag}"
    async with session.put(path, data=body, headers={"Content-Type": kind}) as answer:
        assert answer.status == 201, await answer.text()
        return answer.headers["Docker-Content-Digest"]
