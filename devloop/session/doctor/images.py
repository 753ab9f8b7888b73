"""Checks of the way of an image: the Docker engine, the builder, and the registries that it is pushed to."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from devloop.adapters.buildx import BuildxBuilder
from devloop.adapters.dockerconfig import DockerConfig
from devloop.adapters.engine import DockerEngine, EngineInfo
from devloop.adapters.loader import ClusterLoader
from devloop.adapters.machine import free_bytes
from devloop.adapters.registry import HttpRegistry
from devloop.core.checkup import Check, Level, Topic
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import DOCKER_HUB, ImageRef
from devloop.core.judgements import judge_disk, judge_skew
from devloop.core.load import Target, load_command
from devloop.core.ports import Builder, BuildRequest
from devloop.core.service import BuildSpec, Service
from devloop.session.trial import NO_ENGINE


async def of_engine(engine: DockerEngine, builder: BuildxBuilder, services: Sequence[Service]) -> list[Check]:
    """The engine, and the builders that work in it or elsewhere."""
    endpoint = DockerConfig.load().endpoint()
    if isinstance(endpoint, Failure):
        return [Topic.DOCKER_CONTEXT.because(endpoint)]
    context = Topic.DOCKER_CONTEXT.ok(_context(endpoint.host))
    own, plugin, builders = await asyncio.gather(
        _of_engine_itself(engine), builder.version(), _of_builders(builder, services)
    )
    if isinstance(plugin, Failure):
        return [context, *own, Topic.BUILDX.because(plugin)]
    return [context, *_weighed(own, builders), Topic.BUILDX.ok(f"version {plugin}" if plugin else "it is there")]


async def of_none(builder: Builder, services: Sequence[Service]) -> list[Check]:
    """Where nothing needs an engine: whether the services can be built without."""
    failures = await asyncio.gather(*(builder.check(_request(service)) for service in services))
    refused = [Topic.BUILDER.because(failure) for failure in dict.fromkeys(failures) if failure]
    return [Topic.ENGINE.ok(f"{NO_ENGINE}, and needs none"), *refused]


def _context(host: str) -> str:
    config = DockerConfig.load()
    if config.env.get("DOCKER_HOST"):
        return f"{host}, named by DOCKER_HOST"
    name, source = config.context()
    return f"{name}: {host}" + (f", named by {source}" if name != "default" else "")


def _weighed(own: list[Check], builders: Sequence[tuple[Check, bool]]) -> list[Check]:
    """An engine that is away is told once, and matters only if a builder works in it."""
    checks = [check for check, _ in builders]
    if own[0].level is not Level.FAILED:
        return [*own, *checks]
    if any(check.level is Level.FAILED for check in checks):
        return [*own, *(check for check, is_engines in builders if not is_engines)]
    return [Topic.ENGINE.note(f"{own[0].message}; the builder does without it", own[0].fix), *checks]


async def _of_engine_itself(engine: DockerEngine) -> list[Check]:
    version, info = await asyncio.gather(engine.version(), engine.info())
    if isinstance(version, Failure):
        return [Topic.ENGINE.because(version)]
    what = f"Docker Engine {version.get('Version')}, API {version.get('ApiVersion')}"
    found = Topic.ENGINE.ok(f"{what}, {version.get('Os')}/{version.get('Arch')}")
    return [found, *([] if isinstance(info, Failure) else _of_info(info))]


def _of_info(info: EngineInfo) -> list[Check]:
    clock = [judge_skew(Topic.ENGINE_CLOCK, "the engine", info.clock)] if info.clock else []
    free = free_bytes(info.folder) if info.folder else None
    return [*clock, *([judge_disk("images", info.folder, free)] if free is not None else [])]


async def _of_builders(builder: BuildxBuilder, services: Sequence[Service]) -> list[tuple[Check, bool]]:
    """Each builder once for each registry that it pushes to; and whether what is wrong is the engine's doing."""
    requests = {
        (request.spec.builder, request.load or request.push.registry): request for request in map(_request, services)
    }
    if not services:
        here = Path.cwd()
        requests["", ""] = BuildRequest(BuildSpec(here, here / "Dockerfile"), ImageRef("", "none"), "")
    return await asyncio.gather(*(_of_builder(builder, request) for request in requests.values()))


async def _of_builder(builder: BuildxBuilder, request: BuildRequest) -> tuple[Check, bool]:
    failure = await builder.check(request)
    if failure:
        return Topic.BUILDER.because(failure), failure.code is FailureCode.ENGINE_UNREACHABLE
    return Topic.BUILDER.ok(f"{_named(request)} is ready"), False


async def of_registry(
    services: Sequence[Service], registry: HttpRegistry, builder: BuildxBuilder | None
) -> list[Check]:
    """One registry, for all the services that push to it; without a builder of its own devloop itself pushes."""
    refs = list({service.push.name: service.push for service in services}.values())
    answers, ways = await asyncio.gather(
        asyncio.gather(*(registry.check(ref) for ref in refs)), _of_ways(builder, services)
    )
    failures = dict.fromkeys(answer for answer in answers if answer)
    if failures:
        return [*map(_of_refusal, failures), *(way for way in ways if way.level is Level.OK)]
    clock = await registry.clock(refs[0])
    host = _host(refs[0])
    return [
        Topic.REGISTRY.ok(f"{host} answers"),
        _of_credentials(host, registry.user(refs[0])),
        *ways,
        *([judge_skew(Topic.REGISTRY_CLOCK, host, clock)] if clock else []),
    ]


async def of_loads(services: Sequence[Service], loader: ClusterLoader) -> list[Check]:
    """Each way into a local cluster once: the command that loads images, and the cluster that it knows."""
    loads = dict.fromkeys(service.load for service in services if service.load)
    return [_of_load(await loader.check(load)) for load in loads]


def _of_load(found: Target | Failure) -> Check:
    if isinstance(found, Failure):
        return Topic.LOAD.because(found)
    command = load_command(found, "IMAGE.tar")
    return Topic.LOAD.ok(f"into {found}: " + (" ".join(command) or "its nodes have the engine's own images"))


def by_registry(services: Sequence[Service]) -> Mapping[str, list[Service]]:
    """The services that push to each registry."""
    groups: defaultdict[str, list[Service]] = defaultdict(list)
    for service in (each for each in services if each.load is None):
        groups[_host(service.push)].append(service)
    return groups


def _of_refusal(failure: Failure) -> Check:
    denied = failure.code is FailureCode.REGISTRY_DENIED
    return (Topic.CREDENTIALS if denied else Topic.REGISTRY).because(failure)


def _of_credentials(host: str, user: str | None) -> Check:
    if user is None:
        return Topic.CREDENTIALS.ok(f"{host} asks for none")
    if user:
        return Topic.CREDENTIALS.ok(f"{host} takes those of {user}")
    login = f"docker login {host}" if host != DOCKER_HUB else "docker login"
    return Topic.CREDENTIALS.note(f"there are none for {host}, which gives a token all the same", login)


async def _of_ways(builder: BuildxBuilder | None, services: Sequence[Service]) -> list[Check]:
    """Whether each builder itself gets to the registry; nothing of those that cannot be asked."""
    if builder is None:
        return []
    requests = list({service.build.builder: _request(service) for service in services}.values())
    answers = await asyncio.gather(*(builder.reach(request) for request in requests))
    return [
        Topic.REACH.because(answer)
        if isinstance(answer, Failure)
        else Topic.REACH.ok(f"{_named(request)} reaches {_host(request.push)}")
        for request, answer in zip(requests, answers, strict=True)
        if answer
    ]


def _host(ref: ImageRef) -> str:
    return ref.registry or DOCKER_HUB


def _request(service: Service) -> BuildRequest:
    return BuildRequest.of(service, "")


def _named(request: BuildRequest) -> str:
    return f"the builder `{request.spec.builder}`" if request.spec.builder else "the builder"
