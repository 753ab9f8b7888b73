"""Asks a registry for an image as containerd does, and says what went wrong in its words.

Nothing but loopback is asked: the sandbox reaches no other registry.
"""

import errno
import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from devloop.core.image import ImageRef, fits, platform_of, sha256_of
from devloop.sandbox.registry.login import authorization
from devloop.sandbox.runtimeport import PullFailed

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ACCEPT = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        *_INDEXES,
    )
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BLOCK = 1 << 20
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=30.0)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image of one platform, without its layers."""

    config: Mapping[str, Any]
    layers: tuple[str, ...]
    """Digests, the lowest first."""
    size: int
    """Bytes of config and layers."""


class Fetching:
    """Connections to registries; use as an async context manager."""

    def __init__(self, platform: str, tokens: Mapping[str, str]) -> None:
        self._platform, self._tokens = platform, tokens
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def resolve(self, ref: ImageRef) -> str:
        """The digest that the reference has in its registry now; raises `PullFailed`."""
        async with self._request("HEAD", ref, f"manifests/{ref.digest or ref.effective_tag}") as answer:
            digest = answer.headers.get("Docker-Content-Digest", "")
        if not digest:
            raise failed(ref, "Unknown", f'failed to resolve reference "{ref}": the registry names no digest')
        return digest

    async def describe(self, ref: ImageRef, digest: str) -> Fetched:
        """Manifest and config of the image for this node; raises `PullFailed`."""
        manifest = await self._document(ref, f"manifests/{digest}", digest)
        if "manifests" in manifest:
            digest = self._chosen(ref, digest, manifest)
            manifest = await self._document(ref, f"manifests/{digest}", digest)
        described, layers = manifest.get("config") or {}, manifest.get("layers") or ()
        config = await self._document(ref, f"blobs/{described.get('digest')}", str(described.get("digest")))
        if not isinstance(config.get("config") or {}, dict):
            raise failed(ref, "InvalidArgument", f"{described['digest']} is no config of an image")
        size = sum(int(each.get("size") or 0) for each in (described, *layers))
        digests = tuple(str(layer.get("digest")) for layer in layers)
        if wrong := next((each for each in digests if not _DIGEST.fullmatch(each)), ""):
            raise failed(ref, "InvalidArgument", f"unsupported digest {wrong}")  # and no name of a file
        return Fetched(config, digests, size)

    async def download(self, ref: ImageRef, digest: str, into: Path) -> None:
        """A layer, whose digest is checked; raises `PullFailed`."""
        content = hashlib.sha256()
        async with self._request("GET", ref, f"blobs/{digest}") as answer:
            with into.open("wb") as file:
                async for chunk in answer.content.iter_chunked(_BLOCK):
                    content.update(chunk)
                    file.write(chunk)
        if f"sha256:{content.hexdigest()}" != digest:
            raise failed(ref, "FailedPrecondition", f"failed commit on ref: unexpected commit digest, want {digest}")

    def _chosen(self, ref: ImageRef, digest: str, index: Mapping[str, Any]) -> str:
        for entry in index["manifests"]:
            if fits(platform_of(entry.get("platform") or {}), self._platform):
                return str(entry["digest"])
        raise failed(ref, "NotFound", f"no match for platform in manifest {digest}: not found")

    async def _document(self, ref: ImageRef, path: str, digest: str) -> Mapping[str, Any]:
        async with self._request("GET", ref, path) as answer:
            body = await answer.read()
        if sha256_of(body) != digest:
            raise failed(ref, "FailedPrecondition", f"failed commit on ref: unexpected commit digest, want {digest}")
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise failed(ref, "InvalidArgument", f"{digest} is no JSON object")
        return document

    def _request(self, method: str, ref: ImageRef, path: str) -> "_Request":
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return _Request(self._session, method, ref, path, self._tokens.get(ref.registry, ""))


class _Request:
    """A request whose failures are said as containerd says them."""

    def __init__(self, session: aiohttp.ClientSession, method: str, ref: ImageRef, path: str, token: str) -> None:
        self._ref, self._method = ref, method
        self._url = f"http://{ref.registry}/v2/{ref.repository}/{path}"
        self._resolving = method == "HEAD"
        headers = {"Accept": _ACCEPT, **authorization(token)}
        self._sending = session.request(method, self._url, headers=headers, allow_redirects=False)

    async def __aenter__(self) -> aiohttp.ClientResponse:
        if not _is_loopback(self._ref.registry):
            self._sending.close()
            host = self._ref.registry or "docker.io"
            raise self._failed("Unknown", f"the sandbox has a registry of its own and does not reach {host}")
        try:
            answer = await self._sending.__aenter__()
        except (aiohttp.ClientError, OSError) as error:
            raise self._failed("Unknown", self._undone(error)) from error
        if answer.status != 200:
            await self._sending.__aexit__(None, None, None)
            raise self._refused(answer)
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sending.__aexit__(kind, error, trace)
        if isinstance(error, aiohttp.ClientError | OSError):
            raise self._failed("Unknown", self._undone(error)) from error

    def _refused(self, answer: aiohttp.ClientResponse) -> PullFailed:
        if answer.status == 404 and self._resolving:
            return self._failed("NotFound", f"{self._ref}: not found")
        if answer.status == 404:
            return self._failed("NotFound", f"content at {self._url} not found: not found")
        status = f"{answer.status} {answer.reason}"
        return self._failed("Unknown", f"unexpected status from {self._method} request to {self._url}: {status}")

    def _undone(self, error: Exception) -> str:
        refused = isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
        why = f"dial tcp {self._ref.registry}: connect: connection refused" if refused else str(error) or "timeout"
        return f'failed to do request: {self._method.capitalize()} "{self._url}": {why}'

    def _failed(self, code: str, why: str) -> PullFailed:
        doing = f'failed to resolve reference "{self._ref}": ' if self._resolving else "failed to copy: "
        return failed(self._ref, code, doing + why)


def failed(ref: ImageRef, code: str, why: str) -> PullFailed:
    """As the kubelet hears it from containerd."""
    return PullFailed(f'rpc error: code = {code} desc = failed to pull and unpack image "{ref}": {why}')


def _is_loopback(registry: str) -> bool:
    host = registry.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
