"""Everything that is read for one answer: side by side, and each thing once, however many workloads ask for it."""

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from devloop.adapters.engine import DockerEngine
from devloop.adapters.kube import KubeCluster
from devloop.adapters.localimages import Found, local_images
from devloop.adapters.newersource import look
from devloop.adapters.registry import HttpRegistry
from devloop.adapters.scope import Area
from devloop.adapters.threads import in_daemon_thread
from devloop.core.containers import choose
from devloop.core.failure import GOES_ON, Failure
from devloop.core.image import ImageRef, InvalidReferenceError, digest_of
from devloop.core.manifest import pod as parse_pod
from devloop.core.proof import where_each_is_known
from devloop.core.service import Service, WorkloadKey
from devloop.core.status import ContainerRef
from devloop.core.why.facts import Facts, LocalImage, Push, Reference, RegistryImage, Settled, Source, Told, Unread
from devloop.core.why.halted import telling_logs
from devloop.core.why.imageconfig import described, manifest_for
from devloop.core.why.routes import routes_of
from devloop.core.why.spec import newer_here
from devloop.core.why.subject import NamespaceObjects, controller_of, newest_of, snapshot_of
from devloop.core.workload import Deployment, Snapshot
from devloop.session.trial import NO_ENGINE
from devloop.session.why.carried import with_dockerfile
from devloop.session.why.loaded import expected, in_no_registry
from devloop.session.why.newest import Newest
from devloop.session.why.recordings import pushes_of

_T = TypeVar("_T")


@dataclass
class Gatherer:
    """Reads facts; what several answers need is read once."""

    cluster: KubeCluster
    registry: HttpRegistry
    engine: DockerEngine | None
    """None in a sandbox."""
    note: str = ""
    newest: Newest | None = None
    """Asks whoever knows of the newest save; None: nobody is asked."""
    _images: dict[ImageRef, "asyncio.Future[RegistryImage | Unread | None]"] = field(default_factory=dict)
    _recorded: dict[str, "asyncio.Future[tuple[Push, ...]]"] = field(default_factory=dict)
    _aliases: Mapping[str, str] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Read under which name this machine reaches the cluster's registry (KEP-1755)."""
        hosting = await self.cluster.local_registry()
        if hosting is None or isinstance(hosting, Failure) or not hosting.get("host"):
            return
        inside = (hosting.get("hostFromContainerRuntime"), hosting.get("hostFromClusterNetwork"))
        self._aliases = {name: hosting["host"] for name in inside if name}

    async def facts(
        self,
        objects: NamespaceObjects,
        key: WorkloadKey,
        only: str,
        service: Service | None,
        beside: Collection[str] = (),
    ) -> Facts:
        """All that is known of one workload. `beside`: the other services of the file that run on it."""
        snapshot, newest = snapshot_of(objects, key), newest_of(objects, key)
        deployment = snapshot.deployment
        assert deployment is not None
        containers = _containers(service, deployment)
        specs = [spec for spec in deployment.template.containers if spec.name in containers]
        # What the service was built as last says when its source was, whatever the workload asks for by now.
        own = [str(service.image)] if service is not None else []
        images = list(dict.fromkeys([*(spec.image for spec in specs), *own]))
        logs, pushes = await asyncio.gather(
            self._logs(key.namespace, telling_logs(snapshot, newest)), self._pushes(images)
        )
        loaded = {image: found for image in images if (found := in_no_registry(image, deployment, service, pushes))}
        elsewhere = _images_elsewhere(objects, snapshot)
        references = await self._references(images, service, objects.nodes or {}, elsewhere, loaded)
        known, source, told = await asyncio.gather(
            self._known(snapshot, references, service, next(iter((objects.nodes or {}).values()), "")),
            self._source(service, references, pushes),
            self._told(key),
        )
        return Facts(
            time.time(),
            key,
            snapshot,
            newest,
            containers,
            references,
            {digest: image.resolved if image is not None else None for digest, image in known.items()},
            {digest: image.created for digest, image in known.items() if image is not None and image.created},
            Unread("nodes may not be read here") if objects.nodes is None else objects.nodes,
            expected(service, deployment),
            source,
            Unread("EndpointSlices may not be read here") if objects.slices is None else routes_of(objects, snapshot),
            pushes,
            logs,
            only,
            controller_of(objects, key),
            told.saved_for(service.name if service is not None else "", beside),
            _settled(told, service),
        )

    # images ------------------------------------------------------------------------------------------------------

    async def _references(
        self,
        images: Sequence[str],
        service: Service | None,
        nodes: Mapping[str, str],
        elsewhere: Iterable[str],
        loaded: Mapping[str, RegistryImage | Unread],
    ) -> dict[str, Reference]:
        """`loaded`: what is known of those that no registry is asked for."""
        asked = {image: ref for image in images if (ref := _parsed(image)) is not None}
        there = {image: self._from_here(ref, service) for image, ref in asked.items()}
        taken = [self._from_here(ref, service) for image in elsewhere if (ref := _parsed(image)) is not None]
        platform = next(iter(nodes.values()), "")
        local, found, tags = await asyncio.gather(
            self._local(list(dict.fromkeys(there.values()))),
            asyncio.gather(*(self._unless(loaded.get(image), ref, platform) for image, ref in there.items())),
            asyncio.gather(*(self._tag(ref, platform) for ref in there.values())),
        )
        references = {
            image: _reference(asked[image], there[image], registry, tag, local, taken)
            for image, registry, tag in zip(asked, found, tags, strict=True)
        }
        references = {
            image: replace(each, others=()) if image in loaded else await self._told_of_newer(each, platform)
            for image, each in references.items()
        }
        bad = Unread("it is no valid image reference", "correct the image of the container")
        return references | {image: Reference(ImageRef("", image), bad, bad) for image in images if image not in asked}

    async def _unless(
        self, known: RegistryImage | Unread | None, ref: ImageRef, platform: str
    ) -> RegistryImage | Unread | None:
        return known if known is not None else await self._image(ref, platform)

    async def _told_of_newer(self, reference: Reference, platform: str) -> Reference:
        """With whether the registry has what was built here later, under another tag."""
        newer = newer_here(reference)
        if newer is None:
            return reference
        pushed = isinstance(await self._image(newer.ref, platform), RegistryImage)
        others = tuple(replace(each, pushed=pushed) if each is newer else each for each in reference.others)
        return replace(reference, others=others)

    def _from_here(self, ref: ImageRef, service: Service | None) -> ImageRef:
        """The name under which this machine reaches what Pods call so."""
        if service is not None and ref.same_repository(service.image):
            return replace(service.push, tag=ref.tag, digest=ref.digest)
        return replace(ref, registry=self._aliases.get(ref.registry, ref.registry))

    async def _image(self, ref: ImageRef, platform: str) -> RegistryImage | Unread | None:
        if ref not in self._images:
            self._images[ref] = asyncio.ensure_future(self._read_image(ref, platform))
        return await self._images[ref]

    async def _read_image(self, ref: ImageRef, platform: str) -> RegistryImage | Unread | None:
        resolved = await self.registry.resolve(ref)
        if resolved is None:
            return None
        if isinstance(resolved, Failure):
            return Unread(resolved.message, resolved.hint.removesuffix(GOES_ON).rstrip(" ;"))
        manifest = manifest_for(resolved, platform)
        config = await self.registry.config(ref, manifest.config) if manifest is not None else {}
        return described(resolved, {} if isinstance(config, Failure) else config)

    async def _tag(self, ref: ImageRef, platform: str) -> RegistryImage | Unread | None:
        """What the tag beside a digest means now."""
        return await self._image(ref.with_digest(""), platform) if ref.digest and ref.tag else None

    async def _local(self, refs: list[ImageRef]) -> Mapping[ImageRef, Found] | Unread:
        if self.engine is None:
            return Unread(NO_ENGINE)
        found = await local_images(self.engine, refs)
        return Unread(found.message, found.hint) if isinstance(found, Failure) else found

    async def _known(
        self, snapshot: Snapshot, references: Mapping[str, Reference], service: Service | None, platform: str
    ) -> dict[str, RegistryImage | None]:
        """What the registry says of the digests that Pods report, or that are here, and their references do not go by.

        By its digest, what is here and newer shows whether it ever was pushed.
        """
        wanted = where_each_is_known(
            (image_id, self._from_here(reference.ref, service), reference.ref)
            for reference, image_id in _image_ids(snapshot, references)
            if _is_another(image_id, reference.registry)
        )
        answers = await asyncio.gather(*(self._first_known(refs, platform) for refs in wanted.values()))
        return dict(zip(wanted, answers, strict=True))

    async def _first_known(self, refs: Iterable[ImageRef], platform: str) -> RegistryImage | None:
        for ref in refs:
            if isinstance(answer := await self._image(ref, platform), RegistryImage):
                return answer
        return None

    # the rest ----------------------------------------------------------------------------------------------------

    async def _pushes(self, images: Sequence[str]) -> tuple[Push, ...]:
        """Of the first of the images that a session pushed; each is looked for once, through several recordings."""
        for image in images:
            if image not in self._recorded:
                self._recorded[image] = asyncio.ensure_future(in_daemon_thread(partial(pushes_of, image)))
            if pushes := await self._recorded[image]:
                return pushes
        return ()

    async def _logs(self, namespace: str, refs: Iterable[ContainerRef]) -> dict[ContainerRef, tuple[str, ...]]:
        asked = list(refs)
        answers = await asyncio.gather(
            *(self.cluster.logs(namespace, ref.pod, ref.container, previous=ref.previous) for ref in asked)
        )
        return {ref: tuple(lines) for ref, lines in zip(asked, answers, strict=True) if not isinstance(lines, Failure)}

    async def _told(self, key: WorkloadKey) -> Told:
        return await self.newest(key) if self.newest is not None else Told()

    async def _source(
        self, service: Service | None, references: Mapping[str, Reference], pushes: Sequence[Push]
    ) -> Source | Unread:
        if service is None:
            why = self.note or "no service of a devloop.toml runs on this workload"
            return Unread(f"not known: {why}")
        built = _built(references.values(), pushes)
        of_files = _is_of_files(references.values(), built)
        found = await in_daemon_thread(lambda: look(service.name, Area.of(service), built, of_files=of_files))
        if found is None:
            return Unread(f"there is no folder {service.build.context}", "correct `build` of the service")
        return await in_daemon_thread(lambda: with_dockerfile(found, service.build))


def _is_another(image_id: str, registry: RegistryImage | Unread | None) -> bool:
    """Whether it is none of what the registry has under the reference, and a registry may know what it is."""
    if not isinstance(registry, RegistryImage) or registry.loaded_into:
        return False
    return digest_of(image_id) not in registry.resolved.digests


def _settled(told: Told, service: Service | None) -> Settled | None:
    """Where no devloop.toml is at hand, there is no source to be wrong about either."""
    if service is None:
        return next(iter(told.settled), None)
    return told.settled_for(service.name, str(service.build.context.resolve()))


def _containers(service: Service | None, deployment: Deployment) -> tuple[str, ...]:
    chosen = choose(service, deployment.template) if service is not None else None
    if chosen is None or isinstance(chosen, Failure):
        return tuple(spec.name for spec in deployment.template.containers)
    return chosen


def _image_ids(snapshot: Snapshot, references: Mapping[str, Reference]) -> Iterator[tuple[Reference, str]]:
    """Each `imageID` or digest, and the reference in whose repository to ask what it means."""
    template = snapshot.deployment.template if snapshot.deployment is not None else None
    for pod in snapshot.pods:
        for status in pod.containers:
            spec = template.container(status.name) if template is not None else None
            reference = references.get(spec.image) if spec is not None else None
            if reference is not None and digest_of(status.image_id):
                yield reference, status.image_id
    for reference in references.values():
        registry, local = reference.registry, reference.local
        if isinstance(registry, RegistryImage) and isinstance(local, LocalImage) and local.created > registry.created:
            # The id is the config's digest in most engines, which is no manifest's.
            yield from ((reference, digest) for digest in local.digests - {local.id} or local.digests)


def _images_elsewhere(objects: NamespaceObjects, snapshot: Snapshot) -> frozenset[str]:
    """Images of the namespace's other Pods, and of the workload's own containers: one repository may hold many things,
    each under its tag, and none of those is a newer version of another."""
    own = {pod.name for pod in snapshot.pods}
    others = [parse_pod(raw) for raw in objects.pods if raw["metadata"]["name"] not in own]
    specs = [spec for pod in others for spec in pod.specs]
    specs += snapshot.deployment.template.containers if snapshot.deployment is not None else ()
    return frozenset(spec.image for spec in specs)


def _parsed(image: str) -> ImageRef | None:
    try:
        return ImageRef.parse(image)
    except InvalidReferenceError:
        return None


def _reference(
    ref: ImageRef,
    there: ImageRef,
    registry: RegistryImage | Unread | None,
    tag: RegistryImage | Unread | None,
    local: Mapping[ImageRef, Found] | Unread,
    taken: Sequence[ImageRef],
) -> Reference:
    if isinstance(local, Unread):
        return Reference(ref, registry, local, (), tag)
    own, others = local[there]
    free = tuple(other for other in others if not any(other.ref.same_image(each) for each in taken))
    return Reference(ref, registry, own, free, tag)


def _built(references: Iterable[Reference], pushes: Sequence[Push]) -> float:
    """When the newest image was built, as late as anything tells: what was saved before that is in it.

    A build that took everything from its cache keeps the time of the first one, but gives the tag anew.
    """
    times = [0.0]
    for reference in references:
        registry, local = reference.registry, reference.local
        digests = registry.resolved.digests if isinstance(registry, RegistryImage) else frozenset()
        if isinstance(registry, RegistryImage):
            times += [registry.created, *(push.begun for push in pushes if push.digest in digests)]
        if isinstance(local, LocalImage):
            times += [local.created, local.tagged]
    return max(times)


def _is_of_files(references: Iterable[Reference], built: float) -> bool:
    """Whether only the files in an image tell that it was made then."""
    images = [each.registry for each in references]
    return any(isinstance(each, RegistryImage) and each.assembled and each.created == built for each in images)
