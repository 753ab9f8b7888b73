"""Builds without an engine: the base from a registry, files of the context in layers, and metadata.

What the Dockerfile gives is decided in `devloop.core.assemble`. The same source gives the same digests.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from devloop.adapters.appending import GZIPPED, Appendable, append, read_base, upload
from devloop.adapters.audit import GONE, Entries, contents_of
from devloop.adapters.buildoutcome import base_unread, no_base
from devloop.adapters.layer import Layer, NoLayerError
from devloop.adapters.layering import layer_of
from devloop.adapters.mounting import bring
from devloop.adapters.pictures import take
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.registryauth import PULL, Scope
from devloop.adapters.scope import Area
from devloop.adapters.scope import Scope as ContextScope
from devloop.adapters.threads import in_daemon_thread
from devloop.core.assemble import SCRATCH, Assembled, Plan, assemble, check, plan
from devloop.core.assemble_copy import Placed, Tree
from devloop.core.assemble_words import CannotAssembleError, NeedsEngineError
from devloop.core.dockerfile import parse
from devloop.core.events import StepState
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, InvalidReferenceError, fits, sha256_of
from devloop.core.picture import EntryType, Picture
from devloop.core.plan import ASSEMBLED
from devloop.core.ports import BuildProgress, BuildRequest, Built, PushStarted, StepProgress
from devloop.core.service import BuildSpec
from devloop.core.why.imageconfig import OWN_BUILDER, OWN_COMMENT, time_of

_OCI = "application/vnd.oci.image.manifest.v1+json"
_OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
_TYPES = {b"5": EntryType.FOLDER, b"2": EntryType.LINK}
"""Of a tar archive; everything else is a file."""
_WITH_ENGINE = "without an engine there are FROM, COPY, ADD of files and metadata; the rest needs Docker with buildx"
Progress = Callable[[BuildProgress], None]


@dataclass(frozen=True, slots=True)
class _Base:
    """What an image begins with."""

    scope: Scope | None
    """Where its layers are; None for `scratch`."""
    image: Appendable
    held: Mapping[str, Placed]


class AssemblingBuilder:
    """Implements `core.ports.Builder` where there is no engine."""

    name = ASSEMBLED

    def __init__(self, registry: HttpRegistry) -> None:
        """`registry`: where bases come from, and what is built goes to."""
        self._registry = registry
        self._bases: dict[str, _Base] = {}

    async def check(self, request: BuildRequest) -> Failure | None:
        try:
            await in_daemon_thread(partial(_planned, request))
        except CannotAssembleError as error:
            return _refused(request, error)
        return None

    async def build(self, request: BuildRequest, progress: Progress) -> Built | Failure:
        try:
            planned = await in_daemon_thread(partial(_planned, request))
            base = await self._base(planned.image, request)
            if isinstance(base, Failure):
                return base
            picture = await in_daemon_thread(partial(_context, request.spec))
            config = base.image.config.get("config") or {}
            assembled = await in_daemon_thread(partial(assemble, planned, config, Tree(base.held), picture))
            layers = await self._layers(request, assembled, progress)
        except (CannotAssembleError, NoLayerError) as error:
            return _refused(request, error)
        image = _image(base.image, assembled, layers)
        progress(PushStarted())
        return await self._push(request, base, image, [each for each in layers if each is not None])

    async def _layers(self, request: BuildRequest, assembled: Assembled, progress: Progress) -> list[Layer | None]:
        """One for each instruction that makes one."""
        layers: list[Layer | None] = []
        for number, made in enumerate(assembled.made, 2):
            name = f"[{number}/{len(assembled.made) + 1}] {made.created_by.removesuffix(OWN_BUILDER)}"
            step, began = partial(StepProgress, str(number), name, builder=self.name), time.monotonic()
            progress(step(StepState.STARTED))
            layer = None
            if made.placed is not None:
                packing = partial(layer_of, made.placed, request.spec.context, unpacks=made.unpacks)
                layer = await in_daemon_thread(packing)
            layers.append(layer)
            progress(step(StepState.DONE, seconds=time.monotonic() - began))
        return layers

    # the base ----------------------------------------------------------------------------------------------------

    async def _base(self, name: str, request: BuildRequest) -> _Base | Failure:
        """What FROM names; raises `NoLayerError`."""
        platform = request.platform
        if name == SCRATCH:
            return _Base(None, _nothing(platform), {})
        try:
            ref = ImageRef.parse(name)
        except InvalidReferenceError as error:
            raise NoLayerError(f"FROM: {error}") from None
        resolved = await self._registry.resolve(ref)
        if isinstance(resolved, Failure):
            return base_unread(request, ref, resolved)
        if resolved is None:
            return no_base(str(ref), "not found")
        fitting = [each for each in resolved.manifests if not platform or fits(each.platform, platform)]
        chosen = next(iter(fitting or (resolved.manifests if len(resolved.manifests) == 1 else ())), None)
        if chosen is None:
            raise NoLayerError(f"FROM: {ref} has nothing for {platform}")
        if chosen.digest not in self._bases:
            read = await self._read(ref, chosen.digest)
            if isinstance(read, Failure):
                return base_unread(request, ref, read)
            self._bases[chosen.digest] = read
        return self._bases[chosen.digest]

    async def _read(self, ref: ImageRef, digest: str) -> _Base | Failure:
        scope = replace(self._registry.scope_of(ref), actions=PULL)
        image = await read_base(self._registry.http, scope, digest)
        if isinstance(image, Failure):
            return image
        contents = await contents_of(self._registry.http, scope, image)
        return contents if isinstance(contents, Failure) else _Base(scope, image, _held(contents.entries))

    # the push ----------------------------------------------------------------------------------------------------

    async def _push(
        self, request: BuildRequest, base: _Base, image: Appendable, layers: list[Layer]
    ) -> Built | Failure:
        http, scope, tag = self._registry.http, self._registry.scope_of(request.push), request.push.effective_tag
        config = str(image.manifest["config"]["digest"])
        bodies = {each.digest: each.blob for each in layers} | {config: _encoded(image.config)}
        try:
            brought = [bring(http, base.scope, scope, each) for each in base.image.manifest["layers"] if base.scope]
            uploads = [upload(http, scope, body, digest) for digest, body in bodies.items()]
            ended = await asyncio.gather(*brought, *uploads)
            if failure := next(filter(None, ended), None):
                return failure
            pushed = await append(http, scope, tag, image, None)
        except NoLayerError as error:
            return Failure(FailureCode.PUSH_FAILED, f"{request.push} cannot be pushed: {error}")
        if isinstance(pushed, Failure):
            return pushed
        self._registry.remember(request.push, pushed.digest, pushed.config, image.platform)
        return Built(pushed.digest, self.name)


def _planned(request: BuildRequest) -> Plan:
    """Blocks; raises `CannotAssembleError`."""
    spec = request.spec
    if spec.flags:
        raise NeedsEngineError(f"the sandbox has no engine to give `{' '.join(spec.flags)}` to")
    if "," in request.platform:
        raise NeedsEngineError(f"the sandbox has no engine to build for several platforms ({request.platform})")
    try:
        text = spec.dockerfile.read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise CannotAssembleError(f"it cannot be read: {error.strerror}") from error
    planned = plan(parse(text), spec.target, dict(spec.args), request.platform)
    check(planned)
    return planned


def _context(spec: BuildSpec) -> Picture:
    """What BuildKit would be sent; blocks."""
    scope = ContextScope.read(Area(spec.context, spec.dockerfile, (spec.context,), ()))
    picture, ignores = take(scope, None).picture, scope.ignore_file.matcher.ignores
    # The files that steer a build are in a picture in any case.
    beside = {name for name in scope.steering if name.startswith("../") or ignores(name)}
    return Picture({name: entry for name, entry in picture.entries.items() if name not in beside})


def _held(entries: Entries) -> dict[str, Placed]:
    """What a base holds, from what its layers say."""
    found = {}
    for path, entry in entries.items():
        if entry == GONE:
            continue
        kind, mode, uid, gid, content = entry[:5]
        type_ = _TYPES.get(kind, EntryType.FILE)  # type: ignore[call-overload]
        target = str(content) if type_ is EntryType.LINK else ""
        found[path] = Placed(path, type_, int(str(mode)), int(str(uid)), int(str(gid)), target=target)
    return found


def _nothing(platform: str) -> Appendable:
    """`FROM scratch`."""
    system, _, rest = platform.partition("/")
    machine, _, variant = rest.partition("/")
    config = {"architecture": machine or "amd64", "os": system or "linux", "rootfs": {"type": "layers"}}
    if variant:
        config["variant"] = variant
    manifest = {"schemaVersion": 2, "mediaType": _OCI, "config": {"mediaType": _OCI_CONFIG}, "layers": []}
    return Appendable("", _OCI, b"", manifest, config)


def _image(base: Appendable, assembled: Assembled, layers: list[Layer | None]) -> Appendable:
    """The base with the layers on top, and how it starts. Nothing in it depends on when this is done."""
    real = [each for each in layers if each is not None]
    created = _created(base, real)
    history = [*(base.config.get("history") or ())]
    for made, layer in zip(assembled.made, layers, strict=True):
        step = {"created": created, "created_by": made.created_by, "comment": OWN_COMMENT}
        history.append({**step, "empty_layer": True} if layer is None else step)
    rootfs = base.config.get("rootfs") or {}
    diffs = [*(rootfs.get("diff_ids") or ()), *(each.diff_id for each in real)]
    config = {
        **{key: base.config[key] for key in ("architecture", "os", "variant", "os.version") if key in base.config},
        "config": dict(assembled.config),
        "created": created,
        "history": history,
        "rootfs": {"type": "layers", "diff_ids": diffs},
    }
    if author := assembled.author or base.config.get("author"):
        config["author"] = author
    body = _encoded(config)
    described = {**base.manifest["config"], "size": len(body), "digest": sha256_of(body)}
    added = [{"mediaType": GZIPPED[base.media_type], "size": len(each.blob), "digest": each.digest} for each in real]
    manifest = {**base.manifest, "config": described, "layers": [*base.manifest["layers"], *added]}
    encoded = _encoded(manifest)
    return Appendable(sha256_of(encoded), base.media_type, encoded, manifest, config)


def _created(base: Appendable, layers: list[Layer]) -> str:
    """When what it is made of was made."""
    newest = max((each.newest for each in layers), default=0)
    own = str(base.config.get("created") or "")
    if own and time_of(own) >= newest:
        return own
    return datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refused(request: BuildRequest, error: Exception) -> Failure:
    name = request.spec.dockerfile.name
    hint = _WITH_ENGINE if isinstance(error, NeedsEngineError) else ""
    return Failure(FailureCode.BUILD_FAILED, f"{name}: {error}".replace(": line ", ", line ", 1), hint)


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
