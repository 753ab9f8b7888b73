"""Builds by appending a layer to the last full build where that is right, and by a full build where it is not.

What a layer is decided on (`devloop.core.delta`) is gathered after each full build, beside the rollout: the context
before and after it, the folders of its layers, the images that it is built on. It is kept in the state folder, so that
a session can begin with a delta.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol

from devloop.adapters.appending import append, read_base, read_layers, send
from devloop.adapters.audit import audit
from devloop.adapters.basefile import Kept, Recipe, decoded, encoded, recipe_of
from devloop.adapters.builton import built_on
from devloop.adapters.deltaknown import Known, Layered, Memory, Ready, known_of, links_of, target_of_request
from devloop.adapters.layer import Layer, NoLayerError, pack
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.scope import Context
from devloop.adapters.sendahead import SendAhead
from devloop.adapters.threads import in_daemon_thread
from devloop.core.delta import FullBuild, decide
from devloop.core.events import HOW, StepState
from devloop.core.failure import Failure
from devloop.core.image import ImageRef, ResolvedImage
from devloop.core.masking import Masker, secrets_of_args, without_url_secrets
from devloop.core.plan import DELTA, NO_LAYER
from devloop.core.ports import Builder, BuildProgress, BuildRequest, Built, PushStarted, StateFolder, StepProgress
from devloop.core.service import BuildSpec, Service

_NOT_ASKED = "the registry could not be asked for the last full build"
IDLE = "build when nobody saves"
"""The name of the task that waits for that."""
_SHOWN = 160
"""Characters of a reason."""
Progress = Callable[[BuildProgress], None]
Audited = Callable[[BuildRequest, tuple[str, ...]], None]
"""Takes what was built, and how its newest layer differed from a full build; nothing where it did not."""


class Contexts(Protocol):
    """The build contexts of the services under watch."""

    async def context(self, spec: BuildSpec, *, anew: bool) -> Context | None:
        """As it was seen last, or looked at `anew`; None where it is not watched."""


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
        audited: Audited | None = None,
    ) -> None:
        """`full` builds what no layer can; `registry` is where both push to. `look_again`: seconds between two looks
        whether the images moved that a service is built on. `idle_after`: seconds without a save after which a full
        build is made beside. `audited` is told how the newest layer compares with that build; without it nobody
        compares them."""
        self._full, self._registry, self._contexts, self._state = full, registry, contexts, state
        self._look_again, self._idle_after, self.audited = look_again, idle_after, audited
        self._memories: dict[str, Memory] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._running = 0
        self._gathering: set[asyncio.Task[None]] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._layered: dict[str, Layered] = {}
        self._distrusted: dict[str, str] = {}
        self._latest: dict[str, BuildRequest] = {}
        self._ahead = SendAhead()

    async def close(self) -> None:
        """What is still being gathered is given up."""
        self._layered.clear()
        await self._ahead.close()
        for task in (tasks := self._gathering | self._passing):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def retain(self, services: Iterable[Service]) -> None:
        """Nothing is uploaded ahead or built to pass the time for any other than these."""
        used = {service.build_key for service in services}
        gone = [
            key for key, request in self._latest.items() if (request.spec, str(request.push), request.load) not in used
        ]
        if any(key in self._layered for key in gone):
            self._disturb()
        for key in gone:
            for known in (self._latest, self._layered, self._memories):
                known.pop(key, None)
        self._pass_time()

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
            if isinstance(planned, Ready):
                built = await self._append(request, planned, progress)
                if not isinstance(built, FullBuild):
                    return built
                planned = built
            return await self._build_fully(request, planned, progress)
        finally:
            self._running -= 1
            self._pass_time()

    # deciding ----------------------------------------------------------------------------------------------------

    async def _plan(self, request: BuildRequest) -> Ready | FullBuild:
        if not request.spec.delta:
            return FullBuild("")
        if reason := _never(request) or self._distrusted.get(_key(request), ""):
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
        return await self._decide(memory.known, context)

    async def _decide(self, known: Known, context: Context) -> Ready | FullBuild:
        scope = context.scope
        found = await in_daemon_thread(
            partial(decide, known.target, known.base, context.picture, scope.steering, scope.is_outside)
        )
        return found if isinstance(found, FullBuild) else Ready(found, known, context)

    async def _memory(self, request: BuildRequest) -> Memory:
        """What is known of the service, at first from an earlier session."""
        key = _key(request)
        async with self._loading.setdefault(key, asyncio.Lock()):
            if key not in self._memories:
                loaded = await self._loaded(request, key)
                self._memories.setdefault(key, loaded)
        return self._memories[key]

    async def _loaded(self, request: BuildRequest, key: str) -> Memory:
        recipe = await in_daemon_thread(partial(recipe_of, request))
        memory = Memory()
        kept = await in_daemon_thread(lambda: decoded(self._state.load(f"base {key}")))
        if kept is not None and (changed := recipe.differs_from(kept.recipe)):
            memory.nothing = f"{changed} changed"
        elif kept is not None:
            await self._learn(request, memory, kept)
            if memory.known is not None:  # it may be days old
                await self._look_whether_moved(memory.known)
        return memory

    async def _learn(self, request: BuildRequest, memory: Memory, kept: Kept) -> None:
        """Take a full build of an earlier session as the base, if its registry still has it."""
        try:
            image = await read_base(self._registry.http, self._registry.scope_of(request.push), kept.digest)
        except NoLayerError as error:
            memory.nothing = str(error)
            return
        if isinstance(image, Failure):
            memory.nothing = _NOT_ASKED
            return
        memory.known = known_of(kept, image, target_of_request(request, kept.recipe))

    # a layer -----------------------------------------------------------------------------------------------------

    async def _append(self, request: BuildRequest, ready: Ready, progress: Progress) -> Built | Failure | FullBuild:
        self._latest[_key(request)] = request
        name, began = f"delta: {ready.delta.text}", time.monotonic()
        progress(StepProgress(HOW, name, StepState.STARTED, builder=DELTA))
        try:
            layer = await self._layer(ready)
            progress(StepProgress(HOW, name, StepState.DONE, seconds=time.monotonic() - began, builder=DELTA))
            progress(PushStarted())
            if layer is None and await self._holds(request, ready.known.kept.same):
                return Built(ready.known.kept.same, self.name)  # nobody's Pods are restarted for another digest
            base = ready.known.image.digest
            sent = layer is not None and await self._ahead.was_sent(_key(request), base, layer)
            scope, tag = self._registry.scope_of(request.push), request.push.effective_tag
            pushed = await append(self._registry.http, scope, tag, ready.known.image, layer, sent=sent)
        except NoLayerError as error:
            return FullBuild(str(error))
        if isinstance(pushed, Failure):
            return pushed
        self._registry.remember(request.push, pushed.digest, pushed.config, ready.known.image.platform)
        _spawn(self._gathering, self._look_whether_moved(ready.known))
        if layer is not None:
            self._layered[_key(request)] = Layered(
                request, pushed.digest, ready.context.picture, ready.known.kept.images
            )
        else:  # the tag is the full build's again
            self._layered.pop(_key(request), None)
        return Built(pushed.digest, self.name)

    async def _holds(self, request: BuildRequest, digest: str) -> bool:
        """Whether the tag means that image now."""
        held = await self._registry.resolve(request.push, configs=False) if digest else None
        return isinstance(held, ResolvedImage) and held.digest == digest

    async def _layer(self, ready: Ready) -> Layer | None:
        if not ready.delta.puts:
            return None
        return await in_daemon_thread(partial(pack, ready.delta.puts, ready.context.scope.area.context))

    def look_ahead(self, context: Context) -> None:
        """Something is being saved there: upload what its layer is made of, if it stays as it is now."""
        for key, request in self._latest.items():
            known = self._memories[key].known
            if known is None or known.moved or key in self._distrusted:
                continue
            if not self._running and context.scope.area.is_of(request.spec):
                sending = partial(send, self._registry.http, self._registry.scope_of(request.push), known.image)
                self._ahead.begin(key, known.image.digest, partial(self._layer_of, known, context), sending)

    async def _layer_of(self, known: Known, context: Context) -> Layer | None:
        ready = await self._decide(known, context)
        return await self._layer(ready) if isinstance(ready, Ready) else None

    async def _look_whether_moved(self, known: Known) -> None:
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
        if self._layered and not self._running and not self._passes():
            _spawn(self._passing, self._build_when_idle(), IDLE)

    def _passes(self) -> bool:
        """Whether something is done to pass the time, and was not told to end."""
        return any(not task.cancelling() for task in self._passing)

    def _disturb(self) -> None:
        """A save waits for nothing that was done to pass the time: what is cancelled here ends by itself."""
        for task in self._passing:
            task.cancel()

    async def _build_when_idle(self) -> None:
        """Keep BuildKit's cache and the bases fresh."""
        await asyncio.sleep(self._idle_after)
        while self._layered:
            key, layered = next(iter(self._layered.items()))
            await self._build_beside(layered)
            self._layered.pop(key, None)

    async def _build_beside(self, layered: Layered) -> None:
        """A full build under a tag of its own: a Pod that starts meanwhile is not changed by it."""
        request = layered.request
        before = await self._contexts.context(request.spec, anew=False)
        recipe, memory = await in_daemon_thread(partial(recipe_of, request)), Memory()
        name = hashlib.sha256(_key(request).encode("utf-8", "surrogateescape")).hexdigest()[:8]
        beside = replace(request, push=request.push.with_tag(f"devloop-base-{name}"))
        built = await self._full.build(beside, lambda _: None)
        if before is not None and isinstance(built, Built):
            await self._gather(request, memory, recipe, before, built.digest, layered)
            if memory.known is not None:
                self._memories[_key(request)] = memory
                await self._audit(layered, memory)

    async def _audit(self, layered: Layered, memory: Memory) -> None:
        """Whether the newest layer gave what the full build of the same source gave; where not, no more are made."""
        known = memory.known
        if self.audited is None or known is None or not known.kept.same:
            return
        scope = self._registry.scope_of(layered.request.push)
        try:
            found = await audit(self._registry.http, scope, layered.digest, known.image.digest)
        except NoLayerError:
            return
        if isinstance(found, Failure):
            return
        if found:
            self._distrusted[_key(layered.request)] = "the audit found a layer that was not what a full build gave"
        self.audited(layered.request, found)

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
            memory = Memory(nothing="the last full build is still being looked at")
            self._memories[_key(request)], self._latest[_key(request)] = memory, request
            self._layered.pop(_key(request), None)
            _spawn(self._gathering, self._gather(request, memory, recipe, before, built.digest))
        return built

    async def _gather(
        self,
        request: BuildRequest,
        memory: Memory,
        recipe: Recipe,
        before: Context,
        digest: str,
        layered: Layered | None = None,
    ) -> None:
        """Learn what is needed to append to what was just built; `layered` is the image that it was built beside."""
        try:
            known = await self._looked_at(request, recipe, before, digest, layered)
        except NoLayerError as error:
            memory.nothing = str(error)
            return
        if isinstance(known, Failure):
            memory.nothing = _NOT_ASKED
            return
        memory.known = known
        data = await in_daemon_thread(partial(encoded, known.kept))
        await in_daemon_thread(lambda: self._state.store(f"base {_key(request)}", data))

    async def _looked_at(
        self, request: BuildRequest, recipe: Recipe, before: Context, digest: str, layered: Layered | None
    ) -> Known | Failure:
        after = await self._contexts.context(request.spec, anew=True)
        if after is None or (await in_daemon_thread(partial(recipe_of, request))).differs_from(recipe):
            raise NoLayerError("what steers the build changed while it ran")
        scope, target = self._registry.scope_of(request.push), target_of_request(request, recipe)
        images = await built_on(self._registry, target)
        image = await read_base(self._registry.http, scope, digest)
        if isinstance(image, Failure):
            return image
        inside = await read_layers(self._registry.http, scope, image)
        if isinstance(inside, Failure):
            return inside
        folders = {path: folder for path, folder in inside.items() if folder is not None}
        linked = frozenset(inside.keys() - folders.keys())
        links = await in_daemon_thread(partial(links_of, after.picture))
        unsure = frozenset(after.picture.changed_since(before.picture, quiet=True))
        same = layered.digest if layered and not unsure and layered.made_of(before.picture, images) else ""
        kept = Kept(recipe, digest, after.picture, unsure, folders, images, links, linked, same)
        return known_of(kept, image, target)


def _spawn(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None], name: str | None = None) -> None:
    task = asyncio.create_task(work, name=name)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _may_be_a_layer(request: BuildRequest) -> bool:
    return request.spec.delta and not _never(request)


def _never(request: BuildRequest) -> str:
    """Why this build is never a layer; empty where it may be one."""
    spec = request.spec
    if request.load:
        return NO_LAYER
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
