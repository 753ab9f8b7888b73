"""Builds by appending a layer to the last full build where that is right, and by a full build where it is not.

What a layer is decided on (`devloop.core.delta`) is gathered after each full build, beside the rollout: the context
before and after it, the folders of its layers, the images that it is built on. It is kept in the state folder, so that
a session can begin with a delta.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from devloop.adapters.appending import Appendable, append, read_base, read_layers
from devloop.adapters.basefile import Kept, Recipe, decoded, encoded, recipe_of
from devloop.adapters.layer import Layer, NoLayerError, pack
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.scope import Context
from devloop.adapters.threads import in_daemon_thread
from devloop.core.delta import Base, Delta, FullBuild, decide
from devloop.core.dockerfile import parse
from devloop.core.dockerfile_target import Target, target_of
from devloop.core.dockerfile_walk import REMOTE
from devloop.core.dockerfile_words import UNKNOWN
from devloop.core.events import HOW, StepState
from devloop.core.failure import Failure
from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.core.masking import Masker, secrets_of_args, without_url_secrets
from devloop.core.picture import EntryType, Picture
from devloop.core.plan import DELTA
from devloop.core.ports import Builder, BuildProgress, BuildRequest, Built, PushStarted, StateFolder, StepProgress
from devloop.core.service import BuildSpec

_NOT_ASKED = "the registry could not be asked for the last full build"
_SHOWN = 160
"""Characters of a reason."""
Progress = Callable[[BuildProgress], None]


class Contexts(Protocol):
    """The build contexts of the services under watch."""

    async def context(self, spec: BuildSpec, *, anew: bool) -> Context | None:
        """As it was seen last, or looked at `anew`; None where it is not watched."""


@dataclass(slots=True)
class _Known:
    """What is known of the last full build of a recipe."""

    kept: Kept
    base: Base
    image: Appendable
    target: Target
    looked: float = -math.inf
    moved: str = ""
    """The image that moved since, on which it is built."""


@dataclass(slots=True)
class _Memory:
    """Of one service: what is known, or why there is nothing."""

    known: _Known | None = None
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A delta that can be appended."""

    delta: Delta
    known: _Known
    context: Path


class DeltaBuilder:
    """Implements `core.ports.Builder`."""

    name = DELTA

    def __init__(
        self,
        full: Builder,
        registry: HttpRegistry,
        contexts: Contexts,
        state: StateFolder,
        *,
        look_again: float = 60.0,
        idle_after: float = 60.0,
    ) -> None:
        """`full` builds what no layer can; `registry` is where both push to. `look_again`: seconds between two looks
        whether the images moved that a service is built on. `idle_after`: seconds without a save after which a full
        build is made beside."""
        self._full, self._registry, self._contexts, self._state = full, registry, contexts, state
        self._look_again, self._idle_after = look_again, idle_after
        self._memories: dict[str, _Memory] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._running = 0
        self._gathering: set[asyncio.Task[None]] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._stale: dict[str, BuildRequest] = {}
        """Services whose newest image is a layer on a full build."""

    async def close(self) -> None:
        """What is still being gathered is given up."""
        self._stale.clear()
        for task in (tasks := self._gathering | self._passing):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def gathered(self) -> None:
        """Wait until what was built last is known as far as it can be."""
        while self._gathering:
            await asyncio.wait(self._gathering)

    async def check(self, request: BuildRequest) -> Failure | None:
        """A full build must be possible where there is nothing yet to append to."""
        memory = await self._memory(request) if _may_be_a_layer(request) else None
        return None if memory is not None and memory.known is not None else await self._full.check(request)

    async def build(self, request: BuildRequest, progress: Progress) -> Built | Failure:
        self._disturb()
        self._running += 1
        try:
            planned = await self._plan(request)
            if isinstance(planned, _Ready):
                built = await self._append(request, planned, progress)
                if not isinstance(built, FullBuild):
                    return built
                planned = built
            return await self._build_fully(request, planned, progress)
        finally:
            self._running -= 1
            self._pass_time()

    # deciding ----------------------------------------------------------------------------------------------------

    async def _plan(self, request: BuildRequest) -> _Ready | FullBuild:
        if not request.spec.delta:
            return FullBuild("")
        if reason := _never(request):
            return FullBuild(reason)
        memory = await self._memory(request)
        if memory.known is None:
            return FullBuild(memory.nothing)
        context = await self._contexts.context(request.spec, anew=False)
        if context is None:
            return FullBuild("the context is not watched")
        recipe = await in_daemon_thread(partial(recipe_of, request))
        if changed := recipe.differs_from(memory.known.kept.recipe):
            return FullBuild(f"{changed} changed")
        if memory.known.moved:
            return FullBuild(f"{memory.known.moved} moved")
        known, scope = memory.known, context.scope
        found = await in_daemon_thread(
            partial(decide, known.target, known.base, context.picture, scope.steering, scope.is_outside)
        )
        return found if isinstance(found, FullBuild) else _Ready(found, known, scope.area.context)

    async def _memory(self, request: BuildRequest) -> _Memory:
        """What is known of the service, at first from an earlier session."""
        key = _key(request)
        async with self._loading.setdefault(key, asyncio.Lock()):
            if key not in self._memories:
                loaded = await self._loaded(request, key)
                self._memories.setdefault(key, loaded)
        return self._memories[key]

    async def _loaded(self, request: BuildRequest, key: str) -> _Memory:
        recipe = await in_daemon_thread(partial(recipe_of, request))
        memory = _Memory()
        kept = await in_daemon_thread(lambda: decoded(self._state.load(f"base {key}")))
        if kept is not None and (changed := recipe.differs_from(kept.recipe)):
            memory.nothing = f"{changed} changed"
        elif kept is not None:
            await self._learn(request, memory, kept)
            if memory.known is not None:  # it may be days old
                await self._look_whether_moved(memory.known)
        return memory

    async def _learn(self, request: BuildRequest, memory: _Memory, kept: Kept) -> None:
        """Take a full build of an earlier session as the base, if its registry still has it."""
        try:
            image = await read_base(self._registry.http, self._registry.scope_of(request.push), kept.digest)
        except NoLayerError as error:
            memory.nothing = str(error)
            return
        if isinstance(image, Failure):
            memory.nothing = _NOT_ASKED
            return
        memory.known = _known(kept, image, _target(request, kept.recipe))

    # a layer -----------------------------------------------------------------------------------------------------

    async def _append(self, request: BuildRequest, ready: _Ready, progress: Progress) -> Built | Failure | FullBuild:
        name, began = f"delta: {ready.delta.text}", time.monotonic()
        progress(StepProgress(HOW, name, StepState.STARTED, builder=DELTA))
        try:
            layer = await self._layer(ready)
            progress(StepProgress(HOW, name, StepState.DONE, seconds=time.monotonic() - began, builder=DELTA))
            progress(PushStarted())
            scope = self._registry.scope_of(request.push)
            pushed = await append(self._registry.http, scope, request.push.effective_tag, ready.known.image, layer)
        except NoLayerError as error:
            return FullBuild(str(error))
        if isinstance(pushed, Failure):
            return pushed
        self._registry.remember(request.push, pushed.digest, pushed.config, ready.known.image.platform)
        _spawn(self._gathering, self._look_whether_moved(ready.known))
        self._stale[_key(request)] = request
        return Built(pushed.digest, self.name)

    async def _layer(self, ready: _Ready) -> Layer | None:
        if not ready.delta.puts:
            return None
        return await in_daemon_thread(partial(pack, ready.delta.puts, ready.context))

    async def _look_whether_moved(self, known: _Known) -> None:
        """A full build would take what its FROM names now."""
        now = time.monotonic()
        if now - known.looked < self._look_again:
            return
        known.looked = now
        for name, digest in known.kept.images.items():
            found = await self._registry.resolve(ImageRef.parse(name), configs=False)
            if found is not None and not isinstance(found, Failure) and found.digest != digest:
                known.moved = name

    # when nobody saves --------------------------------------------------------------------------------------------

    def _pass_time(self) -> None:
        if self._stale and not self._running:
            _spawn(self._passing, self._build_when_idle())

    def _disturb(self) -> None:
        """A save waits for nothing that was done to pass the time: what is cancelled here ends by itself."""
        for task in self._passing:
            task.cancel()

    async def _build_when_idle(self) -> None:
        """Keep BuildKit's cache and the bases fresh."""
        await asyncio.sleep(self._idle_after)
        while self._stale:
            request = next(iter(self._stale.values()))
            await self._build_beside(request)
            self._stale.pop(_key(request), None)

    async def _build_beside(self, request: BuildRequest) -> None:
        """A full build under a tag of its own: a Pod that starts meanwhile is not changed by it."""
        before = await self._contexts.context(request.spec, anew=False)
        recipe, memory = await in_daemon_thread(partial(recipe_of, request)), _Memory()
        name = hashlib.sha256(_key(request).encode("utf-8", "surrogateescape")).hexdigest()[:8]
        beside = replace(request, push=request.push.with_tag(f"devloop-base-{name}"))
        built = await self._full.build(beside, lambda _: None)
        if before is not None and isinstance(built, Built):
            await self._gather(request, memory, recipe, before, built.digest)
            if memory.known is not None:
                self._memories[_key(request)] = memory

    # a full build ------------------------------------------------------------------------------------------------

    async def _build_fully(self, request: BuildRequest, why: FullBuild, progress: Progress) -> Built | Failure:
        if why.reason:
            name = _harmless(f"full build: {why.reason}", request.spec)
            progress(StepProgress(HOW, name, StepState.DONE, builder=self._full.name))
        if not _may_be_a_layer(request):
            return await self._full.build(request, progress)
        before = await self._contexts.context(request.spec, anew=False)
        recipe = await in_daemon_thread(partial(recipe_of, request))
        built = await self._full.build(request, progress)
        if before is not None and isinstance(built, Built):
            # Only one that succeeds takes the place of the one before: that is still in the registry.
            memory = _Memory(nothing="the last full build is still being looked at")
            self._memories[_key(request)] = memory
            self._stale.pop(_key(request), None)
            _spawn(self._gathering, self._gather(request, memory, recipe, before, built.digest))
        return built

    async def _gather(
        self, request: BuildRequest, memory: _Memory, recipe: Recipe, before: Context, digest: str
    ) -> None:
        """Learn what is needed to append to what was just built."""
        try:
            known = await self._looked_at(request, recipe, before, digest)
        except NoLayerError as error:
            memory.nothing = str(error)
            return
        if isinstance(known, Failure):
            memory.nothing = _NOT_ASKED
            return
        memory.known = known
        data = await in_daemon_thread(partial(encoded, known.kept))
        await in_daemon_thread(lambda: self._state.store(f"base {_key(request)}", data))

    async def _looked_at(self, request: BuildRequest, recipe: Recipe, before: Context, digest: str) -> _Known | Failure:
        after = await self._contexts.context(request.spec, anew=True)
        if after is None or (await in_daemon_thread(partial(recipe_of, request))).differs_from(recipe):
            raise NoLayerError("what steers the build changed while it ran")
        scope, target = self._registry.scope_of(request.push), _target(request, recipe)
        images = await self._built_on(target)
        image = await read_base(self._registry.http, scope, digest)
        if isinstance(image, Failure):
            return image
        inside = await read_layers(self._registry.http, scope, image)
        if isinstance(inside, Failure):
            return inside
        folders = {path: folder for path, folder in inside.items() if folder is not None}
        linked = frozenset(inside.keys() - folders.keys())
        links = await in_daemon_thread(partial(_links_of, after.picture))
        unsure = frozenset(after.picture.changed_since(before.picture, quiet=True))
        kept = Kept(recipe, digest, after.picture, unsure, folders, images, links, linked)
        return _known(kept, image, target)

    async def _built_on(self, target: Target) -> dict[str, str]:
        """The images that FROM names, with their digests now; one that cannot be looked up may have ONBUILD in it."""
        found: dict[str, str] = {}
        steps = (step.instruction for step in (*target.image, *target.others))
        if any(
            step.name == "ADD" and not step.flag("checksum") and REMOTE.search(" ".join(step.args)) for step in steps
        ):
            raise NoLayerError("what ADD fetches may be another file each time")
        for name in target.images:
            try:
                ref = ImageRef.parse(name)
            except InvalidReferenceError:
                raise NoLayerError(f"it is not known which image `{name.replace(UNKNOWN, '?')}` is") from None
            resolved = await self._registry.resolve(ref)
            if resolved is None or isinstance(resolved, Failure):
                raise NoLayerError(f"{name} cannot be looked up")
            for digest in resolved.configs:
                config = await self._registry.config(ref, digest)
                if isinstance(config, Failure) or (config.get("config") or {}).get("OnBuild"):
                    raise NoLayerError(f"{name} has ONBUILD instructions, or cannot be looked into")
            found[name] = resolved.digest
        return found


def _spawn(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _target(request: BuildRequest, recipe: Recipe) -> Target:
    return target_of(parse(recipe.dockerfile), request.spec.target, args=dict(request.spec.args))


def _known(kept: Kept, image: Appendable, target: Target) -> _Known:
    base = Base(kept.picture, kept.unsure, kept.folders, image.volumes, kept.links, kept.linked)
    return _Known(kept, base, image, target)


def _may_be_a_layer(request: BuildRequest) -> bool:
    return request.spec.delta and not _never(request)


def _never(request: BuildRequest) -> str:
    """Why this build is never a layer; empty where it may be one."""
    spec = request.spec
    if any(name == "BUILDKIT_SYNTAX" for name, _ in spec.args):
        return "`BUILDKIT_SYNTAX` names another frontend"
    given = [name for name in ("secrets", "ssh", "flags") if getattr(spec, name)]
    if given:
        return f"`build.{given[0]}` may change what it is built from"
    return "an image of several platforms" if "," in request.platform else ""


def _harmless(text: str, spec: BuildSpec) -> str:
    """Without what is secret in an instruction that is named in it, and not longer than is read."""
    text = without_url_secrets(Masker(secrets_of_args(spec.args)).mask(text))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _key(request: BuildRequest) -> str:
    spec = request.spec
    return "\0".join((str(spec.context), str(spec.dockerfile), spec.target, str(request.push)))


def _links_of(picture: Picture) -> dict[str, str]:
    """The links of a context, and where they lead."""
    return {name: entry.content for name, entry in picture.entries.items() if entry.type is EntryType.LINK}
