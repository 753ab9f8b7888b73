"""What a registry holds: references resolved to every digest that a Pod which runs the image may report."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from devloop.adapters.clock import http_reading
from devloop.adapters.registryauth import PUSH, Scope
from devloop.adapters.registryhttp import Answer, InsecureRegistries, RegistryHttp
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import DOCKER_HUB, ImageRef, PlatformManifest, ResolvedImage, platform_of, sha256_of
from devloop.core.judgements import Reading

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = (*_INDEXES, *_MANIFESTS)
"""All four: a registry that is not offered a manifest's own type may convert it, and then the digest is another one."""
_LARGEST_CONFIG = 4 * 2**20
_REMEMBERED = 64

Fallback = Callable[[ImageRef], Awaitable[ResolvedImage | Failure | None]]


class HttpRegistry:
    """The registry as it is reached from here, over its HTTP API; use as an async context manager, or `close` it."""

    def __init__(
        self,
        insecure: InsecureRegistries | None = None,
        *,
        env: Mapping[str, str] | None = None,
        fallback: Fallback | None = None,
        connect: float = 5.0,
        read: float = 10.0,
    ) -> None:
        """`insecure` tells which registries the engine speaks plain HTTP to; `fallback` is asked for what cannot be
        reached from here (an engine elsewhere may see more); `connect` and `read` are timeouts in seconds."""
        self._http = RegistryHttp(env, insecure, connect, read)
        self._fallback = fallback
        self._known: dict[str, PlatformManifest] = {}
        self._configs: dict[str, Mapping[str, Any]] = {}
        self._resolved: dict[tuple[Scope, str], ResolvedImage] = {}
        """What was read last under a tag or digest, which a HEAD shows to be the same still."""

    async def __aenter__(self) -> "HttpRegistry":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close()

    async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
        found = await (self._read(ref) if configs else self._head(ref))
        if self._fallback and isinstance(found, Failure) and found.code is FailureCode.REGISTRY_UNREACHABLE:
            seen = await self._fallback(ref)
            # Of two failures ours is the one that the user can act on.
            return found if isinstance(seen, Failure) else seen
        return found

    async def config(self, ref: ImageRef, digest: str) -> Mapping[str, Any] | Failure:
        """The config of an image of that repository, by its digest: what the image says of itself."""
        return await self._config(_scope(ref), {"digest": digest})

    @property
    def http(self) -> RegistryHttp:
        return self._http

    def scope_of(self, ref: ImageRef) -> Scope:
        """What somebody who pushes to the reference asks for."""
        return _scope(ref, PUSH)

    def remember(self, ref: ImageRef, digest: str, config: str, platform: str) -> None:
        """What was pushed a moment ago under the reference: a HEAD is enough to confirm that it is still there."""
        image = PlatformManifest(platform, digest, config)
        self._resolved[_scope(ref), ref.effective_tag] = ResolvedImage(digest, (image,))

    async def check(self, ref: ImageRef) -> Failure | None:
        scope = _scope(ref, PUSH)
        answer = await self._http.request("GET", scope, "/v2/")
        if isinstance(answer, Failure):
            return answer
        if answer.status != 200:
            return Failure(
                FailureCode.REGISTRY_UNREACHABLE,
                f"{scope.host} answers, but not as a registry ({answer.status} at /v2/)",
                "is its name and port right?",
            )
        return None

    async def clock(self, ref: ImageRef) -> Reading | None:
        """What the registry's clock tells, if it does."""
        sent = time.time()
        answer = await self._http.request("GET", _scope(ref, PUSH), "/v2/")
        return None if isinstance(answer, Failure) else http_reading(sent, time.time(), answer.headers.get("Date", ""))

    def user(self, ref: ImageRef) -> str | None:
        """Whose credentials it was given; empty when it let somebody without any in, None when it never asked."""
        return self._http.authorizer.user(_scope(ref).host)

    async def _head(self, ref: ImageRef) -> ResolvedImage | Failure | None:
        answer = await self._manifest("HEAD", _scope(ref), ref.digest or ref.effective_tag)
        if answer is None or isinstance(answer, Failure):
            return answer
        if digest := answer.headers.get("Docker-Content-Digest"):
            return ResolvedImage(digest, ())
        return await self._read(ref)

    async def _read(self, ref: ImageRef) -> ResolvedImage | Failure | None:
        """A GET of a manifest counts as a pull, of which Docker Hub allows few, and a HEAD does not: what was read
        before is read again only when it has changed."""
        scope, reference = _scope(ref), ref.digest or ref.effective_tag
        before = self._resolved.get((scope, reference))
        if before is not None:
            head = await self._manifest("HEAD", scope, reference)
            if head is None or isinstance(head, Failure):
                return head
            if head.headers.get("Docker-Content-Digest") == before.digest:
                return before
        found = await self._whole(scope, reference)
        if isinstance(found, ResolvedImage):
            if len(self._resolved) >= _REMEMBERED:
                self._resolved.clear()
            self._resolved[scope, reference] = found
        return found

    async def _whole(self, scope: Scope, reference: str) -> ResolvedImage | Failure | None:
        answer = await self._manifest("GET", scope, reference)
        if answer is None or isinstance(answer, Failure):
            return answer
        digest, document = sha256_of(answer.body), _document(answer.body)
        entries = document.get("manifests")
        if entries is None:
            images = [await self._image(scope, digest, document, "")]
        else:
            images = await asyncio.gather(*(self._entry(scope, entry) for entry in entries if not _attests(entry)))
        failures = [image for image in images if isinstance(image, Failure)]
        manifests = tuple(image for image in images if isinstance(image, PlatformManifest))
        return failures[0] if failures else ResolvedImage(digest, manifests)

    async def _manifest(self, method: str, scope: Scope, reference: str) -> Answer | Failure | None:
        path = f"/v2/{scope.repository}/manifests/{reference}"
        answer = await self._http.request(method, scope, path, accept=_ACCEPT)
        if isinstance(answer, Failure) or answer.status == 200:
            return answer
        if answer.status == 404:
            return None
        return _unexpected(scope, path, answer)

    async def _entry(self, scope: Scope, entry: Mapping[str, Any]) -> PlatformManifest | Failure:
        """One image of an index."""
        digest, platform = str(entry.get("digest") or ""), platform_of(entry.get("platform") or {})
        if digest in self._known:
            return self._known[digest]
        answer = await self._manifest("GET", scope, digest)
        if answer is None:  # an index may name images that were left out
            return PlatformManifest(platform, digest, "")
        if isinstance(answer, Failure):
            return answer
        return await self._image(scope, digest, _document(answer.body), platform)

    async def _image(
        self, scope: Scope, digest: str, document: Mapping[str, Any], platform: str
    ) -> PlatformManifest | Failure:
        """`platform` empty: it is read from the image's config."""
        if digest in self._known:
            return self._known[digest]
        config = document.get("config") or {}
        found = platform or await self._platform_of(scope, config)
        if isinstance(found, Failure):
            return found
        image = PlatformManifest(found, digest, str(config.get("digest") or ""))
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._configs.clear()
        self._known[digest] = image
        return image

    async def _platform_of(self, scope: Scope, config: Mapping[str, Any]) -> str | Failure:
        found = await self._config(scope, config)
        return found if isinstance(found, Failure) else platform_of(found)

    async def _config(self, scope: Scope, config: Mapping[str, Any]) -> Mapping[str, Any] | Failure:
        """Empty when there is none, or it is too large to be one."""
        digest = str(config.get("digest") or "")
        if not digest or int(config.get("size") or 0) > _LARGEST_CONFIG:
            return {}
        if digest not in self._configs:
            answer = await self._http.request("GET", scope, f"/v2/{scope.repository}/blobs/{digest}")
            if isinstance(answer, Failure):
                return answer
            self._configs[digest] = _document(answer.body) if answer.status == 200 else {}
        return self._configs[digest]


def _scope(ref: ImageRef, actions: str = "pull") -> Scope:
    host, _, repository = ref.canonical_name.partition("/")
    return Scope(host or DOCKER_HUB, repository, actions)


def _unexpected(scope: Scope, path: str, answer: Answer) -> Failure:
    said = answer.body[:200].decode(errors="replace").strip()
    return Failure(
        FailureCode.REGISTRY_UNREACHABLE,
        f"the registry {scope.host} answers {answer.status} to {path}" + (f": {said}" if said else ""),
        "is that really a registry?",
    )


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _attests(entry: Mapping[str, Any]) -> bool:
    """Whether an index's entry is no image but says something about one (provenance, an SBOM)."""
    kind = (entry.get("annotations") or {}).get("vnd.docker.reference.type")
    return kind == "attestation-manifest" or platform_of(entry.get("platform") or {}) == "unknown/unknown"
