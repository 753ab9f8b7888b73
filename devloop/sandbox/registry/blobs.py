"""Blobs over HTTP: reading, deleting, uploading in one request or in chunks, mounting from another repository.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

import asyncio
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from devloop.sandbox.registry.digest import BLOCK, Digest, check_name
from devloop.sandbox.registry.errors import Code, Refused
from devloop.sandbox.registry.store import Store

DIGEST_HEADER = "Docker-Content-Digest"
_RANGE = re.compile(r"(?:bytes[ =])?(\d+)-(\d+)(?:/(?:\d+|\*))?")


@dataclass(slots=True)
class _Upload:
    """A blob on its way."""

    name: str
    file: Path
    size: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """A client that lost its connection may come back before its first request has ended."""


class Blobs:
    """The handlers of `/v2/NAME/blobs/`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uploads: dict[str, _Upload] = {}

    def add_to(self, router: web.UrlDispatcher) -> None:
        uploads, upload = "/v2/{name:.+}/blobs/uploads/", "/v2/{name:.+}/blobs/uploads/{id:[^/]+}"
        router.add_post(uploads, self._begin)
        router.add_post(uploads.removesuffix("/"), self._begin)
        router.add_get(upload, self._status)
        router.add_patch(upload, self._append)
        router.add_put(upload, self._end)
        router.add_delete(upload, self._cancel)
        blob = "/v2/{name:.+}/blobs/{digest:[^/]+}"
        router.add_get(blob, self._read)
        router.add_delete(blob, self._delete)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        """HEAD and GET, with ranges."""
        name, digest = _name(request), Digest.parse(request.match_info["digest"])
        file = self._store.blob(name, digest)
        if file is None:
            raise _unknown(name, digest)
        return web.FileResponse(file, headers={DIGEST_HEADER: str(digest), "Content-Type": "application/octet-stream"})

    async def _delete(self, request: web.Request) -> web.Response:
        name, digest = _name(request), Digest.parse(request.match_info["digest"])
        if not self._store.remove_blob(name, digest):
            raise _unknown(name, digest)
        return web.Response(status=202)

    async def _begin(self, request: web.Request) -> web.Response:
        """POST: mounts what is here already, takes a blob in one request, or begins an upload."""
        name = _name(request)
        if mounted := self._mount(name, request):
            return mounted
        identity = uuid.uuid4().hex
        upload = _Upload(name, self._store.uploads / identity)
        upload.file.touch()
        self._uploads[identity] = upload
        if digest := request.query.get("digest"):
            return await self._complete(request, identity, upload, digest)
        return web.Response(status=202, headers=_progress(name, identity, upload))

    def _mount(self, name: str, request: web.Request) -> web.Response | None:
        """None where the blob has to be uploaded all the same."""
        if "mount" not in request.query:
            return None
        digest, origin = Digest.parse(request.query["mount"]), request.query.get("from", "")
        has = self._store.blob(check_name(origin), digest) if origin else self._store.anyones(digest)
        if not has:
            return None
        self._store.link_blob(name, digest)
        return _created(name, digest)

    async def _status(self, request: web.Request) -> web.Response:
        identity, upload = self._upload(request)
        return web.Response(status=204, headers=_progress(upload.name, identity, upload))

    async def _append(self, request: web.Request) -> web.Response:
        """PATCH: the next chunk, or all in one stream."""
        identity, upload = self._upload(request)
        async with upload.lock:
            await _receive(request, identity, upload)
        return web.Response(status=202, headers=_progress(upload.name, identity, upload))

    async def _end(self, request: web.Request) -> web.Response:
        """PUT: the last chunk, or none, and what it all has to be."""
        identity, upload = self._upload(request)
        if "digest" not in request.query:
            raise Refused(Code.DIGEST_INVALID, "the end of an upload has to name the digest")
        return await self._complete(request, identity, upload, request.query["digest"])

    async def _complete(self, request: web.Request, identity: str, upload: _Upload, wanted: str) -> web.Response:
        digest = Digest.parse(wanted)
        async with upload.lock:
            await _receive(request, identity, upload)
            if self._uploads.pop(identity, None) is None:
                raise Refused(Code.BLOB_UPLOAD_UNKNOWN, "the upload has ended")
            if not await asyncio.to_thread(digest.is_of_file, upload.file):
                upload.file.unlink()
                raise Refused(Code.DIGEST_INVALID, f"what was uploaded is not {digest}")
            self._store.add_blob(upload.name, digest, upload.file)
        return _created(upload.name, digest)

    async def _cancel(self, request: web.Request) -> web.Response:
        identity, upload = self._upload(request)
        del self._uploads[identity]
        upload.file.unlink()
        return web.Response(status=204)

    def _upload(self, request: web.Request) -> tuple[str, _Upload]:
        identity = request.match_info["id"]
        upload = self._uploads.get(identity)
        if upload is None or upload.name != _name(request):
            raise Refused(Code.BLOB_UPLOAD_UNKNOWN, "there is no such upload")
        return identity, upload


async def _receive(request: web.Request, identity: str, upload: _Upload) -> None:
    """Append the body; what a `Content-Range` says has to fit what is there and what comes."""
    length = _announced(request, identity, upload)
    before = upload.size
    with upload.file.open("ab") as file:
        async for chunk in request.content.iter_chunked(BLOCK):
            file.write(chunk)
            upload.size += len(chunk)
    if length is not None and upload.size - before != length:
        with upload.file.open("ab") as file:
            file.truncate(before)
        upload.size = before
        raise Refused(Code.SIZE_INVALID, "the chunk is not as long as its Content-Range says")


def _announced(request: web.Request, identity: str, upload: _Upload) -> int | None:
    said = request.headers.get("Content-Range")
    if said is None:
        return None
    match = _RANGE.fullmatch(said.strip())
    if match is None or int(match[1]) != upload.size or int(match[2]) < int(match[1]) - 1:
        where = _progress(upload.name, identity, upload)
        raise Refused(Code.BLOB_UPLOAD_INVALID, f"{upload.size} bytes are here, `{said}` does not follow them", where)
    return int(match[2]) - int(match[1]) + 1


def _progress(name: str, identity: str, upload: _Upload) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{identity}",
        "Range": f"0-{max(upload.size - 1, 0)}",
        "Docker-Upload-UUID": identity,
    }


def _created(name: str, digest: Digest) -> web.Response:
    headers = {"Location": f"/v2/{name}/blobs/{digest}", DIGEST_HEADER: str(digest)}
    return web.Response(status=201, headers=headers)


def _unknown(name: str, digest: Digest) -> Refused:
    return Refused(Code.BLOB_UNKNOWN, f"{name} has no blob {digest}")


def _name(request: web.Request) -> str:
    return check_name(request.match_info["name"])
