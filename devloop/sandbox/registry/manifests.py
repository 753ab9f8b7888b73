"""Manifests, tags and referrers over HTTP.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from devloop.sandbox.registry.blobs import DIGEST_HEADER
from devloop.sandbox.registry.digest import Digest, check_name, digest_of, is_tag
from devloop.sandbox.registry.errors import Code, Refused
from devloop.sandbox.registry.store import Manifest, Store

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_LARGEST = 4 * 2**20
"""Bytes of a manifest, as most registries have it."""
_ELSEWHERE = ("nondistributable", "foreign")
"""Layers of such a media type are fetched from somewhere else."""


class Manifests:
    """The handlers of `/v2/NAME/manifests/`, `/v2/NAME/tags/list` and `/v2/NAME/referrers/`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_to(self, router: web.UrlDispatcher) -> None:
        manifest = "/v2/{name:.+}/manifests/{reference:[^/]+}"
        router.add_get(manifest, self._read)
        router.add_put(manifest, self._write)
        router.add_delete(manifest, self._delete)
        router.add_get("/v2/{name:.+}/tags/list", self._tags)
        router.add_get("/v2/{name:.+}/referrers/{digest:[^/]+}", self._referrers)

    async def _read(self, request: web.Request) -> web.Response:
        """HEAD and GET, as it was pushed: nothing is converted."""
        name, reference = check_name(request.match_info["name"]), request.match_info["reference"]
        digest = self._digest(name, reference)
        found = self._store.manifest(name, digest) if digest else None
        if found is None:
            raise _unknown(name, reference)
        headers = {DIGEST_HEADER: str(found.digest), "Content-Type": found.media_type}
        return web.Response(body=found.body, headers=headers)

    async def _write(self, request: web.Request) -> web.Response:
        name, reference = check_name(request.match_info["name"]), request.match_info["reference"]
        digest, body = self._wanted(reference), await _body(request)
        digest = digest or digest_of(body)
        if not digest.is_of(body):
            raise Refused(Code.DIGEST_INVALID, f"what was pushed is not {digest}")
        document = _document(body)
        manifest = Manifest(digest, _media_type(request, document), body)
        self._check_parts(name, document)
        self._store.add_manifest(name, manifest)
        for tag in self._new_tags(request, reference):
            self._store.tag(name, tag, digest)
        return web.Response(status=201, headers=_pushed(request, name, digest, document))

    def _wanted(self, reference: str) -> Digest | None:
        """The digest that is pushed to; None for a tag."""
        if ":" in reference:
            return Digest.parse(reference)
        if not is_tag(reference):
            raise Refused(Code.MANIFEST_INVALID, f"`{reference}` is neither a tag nor a digest")
        return None

    def _new_tags(self, request: web.Request, reference: str) -> list[str]:
        """The tag that is pushed to, or those that come with a digest."""
        tags = [reference] if ":" not in reference else request.query.getall("tag", [])
        if wrong := next((tag for tag in tags if not is_tag(tag)), ""):
            raise Refused(Code.MANIFEST_INVALID, f"`{wrong}` is no tag")
        return tags

    def _check_parts(self, name: str, document: Mapping[str, Any]) -> None:
        """An image whose parts are not all here could not be pulled."""
        for part in _blobs_of(document):
            if self._store.blob(name, Digest.parse(str(part.get("digest")))) is None:
                raise Refused(Code.MANIFEST_BLOB_UNKNOWN, f"{name} has no blob {part.get('digest')}")
        for part in document.get("manifests") or ():
            if self._store.manifest(name, Digest.parse(str(part.get("digest")))) is None:
                raise Refused(Code.MANIFEST_BLOB_UNKNOWN, f"{name} has no manifest {part.get('digest')}")

    async def _delete(self, request: web.Request) -> web.Response:
        """By tag only the tag goes; by digest the manifest goes with its tags."""
        name, reference = check_name(request.match_info["name"]), request.match_info["reference"]
        if ":" in reference:
            removed = self._store.remove_manifest(name, Digest.parse(reference))
        else:
            removed = is_tag(reference) and self._store.remove_tag(name, reference)
        if not removed:
            raise _unknown(name, reference)
        return web.Response(status=202)

    def _digest(self, name: str, reference: str) -> Digest | None:
        if ":" in reference:
            return Digest.parse(reference)
        return self._store.tagged(name, reference) if is_tag(reference) else None

    async def _tags(self, request: web.Request) -> web.Response:
        name = check_name(request.match_info["name"])
        if not self._store.knows(name):
            raise Refused(Code.NAME_UNKNOWN, f"nothing was pushed to {name}")
        last, count = request.query.get("last", ""), request.query.get("n", "")
        tags = [tag for tag in self._store.tags(name) if tag > last]
        if count and not count.isdecimal():
            raise Refused(Code.SIZE_INVALID, f"`{count}` is no number of tags")
        page = tags[: int(count)] if count else tags
        response = web.json_response({"name": name, "tags": page})
        if page and len(page) < len(tags):
            query = urlencode({"n": count, "last": page[-1]})
            response.headers["Link"] = f'</v2/{name}/tags/list?{query}>; rel="next"'
        return response

    async def _referrers(self, request: web.Request) -> web.Response:
        name, digest = check_name(request.match_info["name"]), Digest.parse(request.match_info["digest"])
        wanted = request.query.get("artifactType", "")
        found = [
            described
            for manifest in self._store.manifests(name)
            if (described := _referring(manifest, str(digest))) and wanted in {"", described.get("artifactType", "")}
        ]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        headers = {"OCI-Filters-Applied": "artifactType"} if wanted else {}
        # As bytes: aiohttp adds a charset to the type of a text, and an index has none.
        return web.Response(body=json.dumps(index).encode(), headers=headers, content_type=OCI_INDEX)


async def _body(request: web.Request) -> bytes:
    body = await request.content.read(_LARGEST + 1)
    while len(body) <= _LARGEST and (more := await request.content.read(_LARGEST + 1 - len(body))):
        body += more
    if len(body) > _LARGEST:
        raise Refused(Code.TOO_LARGE, f"a manifest has at most {_LARGEST} bytes")
    return body


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Refused(Code.MANIFEST_INVALID, "the manifest is no JSON object")
    parts = [document.get(key) for key in ("layers", "manifests")]
    described = [part for parted in parts if isinstance(parted, list) for part in parted]
    if any(part is not None and not isinstance(part, list) for part in parts):
        raise Refused(Code.MANIFEST_INVALID, "the parts of a manifest are lists")
    described += [document[key] for key in ("config", "subject") if document.get(key) is not None]
    if not all(isinstance(each, dict) for each in described):
        raise Refused(Code.MANIFEST_INVALID, "the parts of a manifest are descriptors")
    return document


def _media_type(request: web.Request, document: Mapping[str, Any]) -> str:
    """The header's; what the manifest says of itself has to be the same."""
    header = request.headers.get("Content-Type", "").partition(";")[0].strip()
    own = document.get("mediaType") or ""
    if header and own and header != own:
        raise Refused(Code.MANIFEST_INVALID, f"it is sent as {header}, and calls itself {own}")
    if not (header or own):
        raise Refused(Code.MANIFEST_INVALID, "a manifest needs a Content-Type")
    return header or str(own)


def _blobs_of(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if config := document.get("config"):
        yield config
    for layer in document.get("layers") or ():
        if not any(word in str(layer.get("mediaType")) for word in _ELSEWHERE):
            yield layer


def _pushed(request: web.Request, name: str, digest: Digest, document: Mapping[str, Any]) -> dict[str, str]:
    headers = {"Location": f"/v2/{name}/manifests/{digest}", DIGEST_HEADER: str(digest)}
    if subject := document.get("subject"):
        headers["OCI-Subject"] = str(subject.get("digest"))
    if tags := request.query.getall("tag", []):
        headers["OCI-Tag"] = ", ".join(tags)
    return headers


def _referring(manifest: Manifest, subject: str) -> dict[str, Any] | None:
    """How an index describes a manifest that refers to that digest; None for any other."""
    document = json.loads(manifest.body)
    if (document.get("subject") or {}).get("digest") != subject:
        return None
    kind = document.get("artifactType") or (document.get("config") or {}).get("mediaType")
    described = {
        "mediaType": manifest.media_type,
        "digest": str(manifest.digest),
        "size": len(manifest.body),
        "artifactType": kind,
        "annotations": document.get("annotations"),
    }
    return {key: value for key, value in described.items() if value}


def _unknown(name: str, reference: str) -> Refused:
    return Refused(Code.MANIFEST_UNKNOWN, f"{name} has no manifest {reference}")
