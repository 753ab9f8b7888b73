"""Appends one layer to an image in a registry and moves a tag to the result: no builder, no engine.

Manifest and config are those of the base with the layer added, in the base's own media types (Docker's or OCI's), over
the OCI distribution protocol: blobs are uploaded monolithically (POST, then PUT), the manifest last.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urljoin, urlsplit

from devloop.adapters.layer import Layer, NoLayerError, looked_into
from devloop.adapters.registryauth import Scope
from devloop.adapters.registryhttp import HUB_HOST, RegistryHttp
from devloop.adapters.threads import in_daemon_thread
from devloop.core.delta import Folder
from devloop.core.failure import Failure
from devloop.core.image import DOCKER_HUB, platform_of, sha256_of
from devloop.core.why.imageconfig import OWN_COMMENT, time_of

_T = TypeVar("_T")
GZIPPED = {
    "application/vnd.docker.distribution.manifest.v2+json": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.manifest.v1+json": "application/vnd.oci.image.layer.v1.tar+gzip",
}
"""The layers of each kind of manifest."""
_LARGEST = 2 * 2**30
"""Bytes of layers that are looked into after a full build."""
_WORTH_ASKING = 1 << 16
"""Bytes of a blob from which on it is asked whether the registry has it."""


@dataclass(frozen=True, slots=True)
class Appendable:
    """An image of one platform, as its registry holds it."""

    digest: str
    media_type: str
    body: bytes
    """Its manifest as the registry gave it."""
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def volumes(self) -> tuple[str, ...]:
        return tuple((self.config.get("config") or {}).get("Volumes") or ())

    @property
    def platform(self) -> str:
        return platform_of(self.config)


@dataclass(frozen=True, slots=True)
class Appended:
    """What a tag holds now."""

    digest: str
    config: str


async def read_base(http: RegistryHttp, scope: Scope, digest: str) -> Appendable | Failure:
    """The image of that digest; raises `NoLayerError` where nothing can be appended to it."""
    answer = await http.request("GET", scope, f"/v2/{scope.repository}/manifests/{digest}", accept=(*GZIPPED,))
    if isinstance(answer, Failure):
        return answer
    if answer.status != 200:
        raise NoLayerError("the registry does not have the last full build any more")
    manifest = _read(answer.body)
    media_type = manifest.get("mediaType") or answer.headers.get("Content-Type", "")
    if media_type not in GZIPPED:
        raise NoLayerError("the last full build is no image of one platform")
    described = manifest.get("config") or {}
    config = await http.request("GET", scope, f"/v2/{scope.repository}/blobs/{described.get('digest')}")
    if isinstance(config, Failure):
        return config
    if config.status != 200:
        raise NoLayerError("the registry does not have the config of the last full build")
    return Appendable(digest, media_type, answer.body, manifest, _read(config.body))


async def read_layers(http: RegistryHttp, scope: Scope, base: Appendable) -> Mapping[str, Folder | None] | Failure:
    """The folders, and as None the links, in the layers that the last COPY and ADD of the base made: those after its
    last RUN."""
    found: dict[str, Folder | None] = {}
    layers = _copied(base)
    if sum(int(layer.get("size") or 0) for layer in layers) > _LARGEST:
        raise NoLayerError("the layers of the last full build are too large to look into")
    for layer in layers:
        inside = await look_into(http, scope, layer, looked_into)
        if isinstance(inside, Failure):
            return inside
        found = {**inside, **found}  # the later layer counts
    return found


async def look_into(
    http: RegistryHttp, scope: Scope, layer: Mapping[str, Any], look: Callable[[BinaryIO], _T]
) -> _T | Failure:
    """What `look` makes of a layer, in a thread; raises `NoLayerError` where the registry does not have it."""
    with tempfile.TemporaryFile(prefix="devloop-") as file:
        answer = await http.download(scope, f"/v2/{scope.repository}/blobs/{layer['digest']}", file)
        if isinstance(answer, Failure):
            return answer
        if answer.status != 200:
            raise NoLayerError("the registry does not have all layers of the last full build")
        file.seek(0)
        return await in_daemon_thread(partial(look, file))


def _copied(base: Appendable) -> Sequence[Mapping[str, Any]]:
    """The last layer first."""
    pairs = zip(reversed(base.manifest.get("layers") or ()), reversed(made_by(base)), strict=True)
    return [layer for layer, _ in takewhile(lambda pair: copies(pair[1]), pairs)]


def made_by(image: Appendable) -> Sequence[str]:
    """The instruction that made each layer; raises `NoLayerError` where the history does not tell."""
    steps = image.config.get("history") or ()
    made = [str(step.get("created_by") or "") for step in steps if not step.get("empty_layer")]
    if len(made) != len(image.manifest.get("layers") or ()):
        raise NoLayerError("the history of the last full build does not tell what made its layers")
    return made


def copies(instruction: str) -> bool:
    """Whether what it writes comes from files alone."""
    return instruction.startswith(("COPY ", "ADD ", "WORKDIR "))


async def send(http: RegistryHttp, scope: Scope, base: Appendable, layer: Layer) -> Failure | None:
    """Upload what the base with the layer on top is made of, without making an image of it. Raises `NoLayerError`."""
    config, _ = _documents(base, layer)
    return await _upload_all(http, scope, layer, config)


async def _upload_all(http: RegistryHttp, scope: Scope, layer: Layer, config: bytes) -> Failure | None:
    failures = await asyncio.gather(
        upload(http, scope, layer.blob, layer.digest), upload(http, scope, config, sha256_of(config))
    )
    return next((failure for failure in failures if failure), None)


async def append(
    http: RegistryHttp, scope: Scope, tag: str, base: Appendable, layer: Layer | None, *, sent: bool = False
) -> Appended | Failure:
    """Move the tag to the base with the layer on top; without one, to the base.

    `sent`: its parts were uploaded a moment ago; where the registry does not have them all the same, they are uploaded
    once more. Raises `NoLayerError`.
    """
    if layer is None:
        return await _move(http, scope, tag, base, base.body, str(base.manifest["config"]["digest"]))
    config, manifest = _documents(base, layer)
    move = partial(_move, http, scope, tag, base, manifest, sha256_of(config))
    if sent:
        with suppress(NoLayerError):
            return await move()
    return await _upload_all(http, scope, layer, config) or await move()


def _documents(base: Appendable, layer: Layer) -> tuple[bytes, bytes]:
    """The config and the manifest of the base with the layer on top. Nothing in them depends on when this is done."""
    config = dict(base.config)
    rootfs = dict(config.get("rootfs") or {})
    config["rootfs"] = {**rootfs, "diff_ids": [*(rootfs.get("diff_ids") or ()), layer.diff_id]}
    # What it was made from tells when it was made: the same content gives the same digest.
    saved = datetime.fromtimestamp(layer.newest, UTC)
    if time_of(config.get("created")) < layer.newest:
        config["created"] = saved.strftime("%Y-%m-%dT%H:%M:%SZ")
    step = {"created": config.get("created"), "created_by": "devloop delta", "comment": OWN_COMMENT}
    config["history"] = [*(config.get("history") or ()), {key: value for key, value in step.items() if value}]
    config_body = _encoded(config)
    described = {**base.manifest["config"], "size": len(config_body), "digest": sha256_of(config_body)}
    added = {"mediaType": GZIPPED[base.media_type], "size": len(layer.blob), "digest": layer.digest}
    manifest = {**base.manifest, "config": described, "layers": [*base.manifest["layers"], added]}
    return config_body, _encoded(manifest)


async def upload(http: RegistryHttp, scope: Scope, body: bytes, digest: str) -> Failure | None:
    """One blob, if the registry does not have it; raises `NoLayerError`."""
    blobs = f"/v2/{scope.repository}/blobs/"
    if len(body) >= _WORTH_ASKING:
        known = await http.request("HEAD", scope, blobs + digest)
        if isinstance(known, Failure) or known.status == 200:
            return known if isinstance(known, Failure) else None
    begun = await http.request("POST", scope, f"{blobs}uploads/", body=b"", media_type="application/octet-stream")
    if isinstance(begun, Failure):
        return begun
    if begun.status != 202:
        raise NoLayerError(f"the registry answers {begun.status} to an upload")
    path = f"{_continued(scope, begun.headers.get('Location', ''))}digest={digest}"
    ended = await http.request("PUT", scope, path, body=body, media_type="application/octet-stream")
    if not isinstance(ended, Failure) and ended.status != 201:
        raise NoLayerError(f"the registry answers {ended.status} to a layer")
    return ended if isinstance(ended, Failure) else None


def _continued(scope: Scope, location: str) -> str:
    """Where an upload goes on, up to its digest; credentials go to no other host."""
    parts = urlsplit(location)
    own = {scope.host, HUB_HOST} if scope.host == DOCKER_HUB else {scope.host}
    own |= {f"{host}:{443 if parts.scheme == 'https' else 80}" for host in own}
    if not location or (parts.netloc and parts.netloc not in own):
        raise NoLayerError("the registry takes uploads at another place")
    path = urljoin(f"/v2/{scope.repository}/blobs/uploads/", parts.path)
    return f"{path}?{parts.query}&" if parts.query else f"{path}?"


async def _move(
    http: RegistryHttp, scope: Scope, tag: str, base: Appendable, body: bytes, config: str
) -> Appended | Failure:
    path = f"/v2/{scope.repository}/manifests/{tag}"
    answer = await http.request("PUT", scope, path, body=body, media_type=base.media_type)
    if isinstance(answer, Failure):
        return answer
    if answer.status != 201:
        raise NoLayerError(f"the registry answers {answer.status} to the manifest")
    return Appended(sha256_of(body), config)


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NoLayerError("the registry's answer about the last full build cannot be read")
    return document


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
