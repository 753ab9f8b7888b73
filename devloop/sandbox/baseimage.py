"""The image that the sandbox's apps are built on: nearly nothing, as Python is the one that runs the sandbox.

It is named like the official one, so that the Dockerfiles of the sandbox read like any other.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any

import aiohttp

from devloop.core.image import sha256_of
from devloop.sandbox.registry.login import authorization
from devloop.sandbox.runtime.images import own_platform

NAME, TAG = "python", "3"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_CREATED = "2026-01-01T00:00:00Z"
_FOLDERS = {
    "etc": 0o755, "root": 0o700, "srv": 0o755, "tmp": 0o1777, "usr": 0o755, "usr/local": 0o755, "usr/local/bin": 0o755,
}  # fmt: skip
_RELEASE = b'NAME="devloop sandbox"\nID=devloop-sandbox\nPRETTY_NAME="The sandbox of devloop: Python of this machine"\n'


async def put_base_image(
    host: str, *, token: str = "", name: str = NAME, tag: str = TAG, command: Sequence[str] = ("python3",),
    platform: str = "",
) -> str:  # fmt: skip
    """Push it to the registry there, which `token` opens, to start with that command; its name, `HOST/python:3`."""
    layer, config = _layer(), _config(command, platform or own_platform())
    blob = gzip.compress(layer, mtime=0)
    document = json.dumps({**config, "rootfs": {"type": "layers", "diff_ids": [sha256_of(layer)]}}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "digest": sha256_of(document), "size": len(document)},
        "layers": [{"mediaType": _LAYER, "digest": sha256_of(blob), "size": len(blob)}],
    }
    login = authorization(token)
    async with aiohttp.ClientSession(f"http://{host}", headers=login, raise_for_status=True) as session:
        for content in (blob, document):
            path = f"/v2/{name}/blobs/uploads/?digest={sha256_of(content)}"
            async with session.post(path, data=content):
                pass
        headers = {"Content-Type": _MANIFEST}
        async with session.put(f"/v2/{name}/manifests/{tag}", data=json.dumps(manifest), headers=headers):
            pass
    return f"{host}/{name}:{tag}"


def _config(command: Sequence[str], platform: str) -> dict[str, Any]:
    system, _, machine = platform.partition("/")
    # As a COPY: then a builder that appends layers looks into it, and knows the folders.
    step = {"created": _CREATED, "created_by": "COPY . / # devloop sandbox"}
    config = {"Env": [f"PATH={_PATH}"], "Cmd": [*command], "WorkingDir": "/"}
    return {"os": system, "architecture": machine, "created": _CREATED, "config": config, "history": [step]}


def _layer() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, mode in _FOLDERS.items():
            info = tarfile.TarInfo(path)
            info.type, info.mode = tarfile.DIRTYPE, mode
            tar.addfile(info)
        info = tarfile.TarInfo("etc/os-release")
        info.size, info.mode = len(_RELEASE), 0o644
        tar.addfile(info, io.BytesIO(_RELEASE))
    return archive.getvalue()
