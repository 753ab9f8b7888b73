"""What has to be there before anything is built: all of it is checked side by side, and all that is missing is told.

Nothing needs cluster-wide rights; what one may not read degrades with a word, here or where it would be used.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from devloop.core.containers import choose
from devloop.core.events import CheckFinished
from devloop.core.failure import GOES_ON, ExitCode, Failure, FailureCode
from devloop.core.image import ImageRef
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.ports import Access, Builder, BuildRequest, Cluster, Registry
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import unread
from devloop.engine.tools import Emit

_MORE = "; `devloop doctor` tells more"
Claims = dict[tuple[WorkloadKey, str], str]
"""Which service a container of a workload belongs to."""
Answer = tuple[str, Failure | str]
"""The name of a check, and its failure or what there is to say."""


async def preflight(
    services: Sequence[Service],
    builder: Builder,
    registry: Registry,
    cluster: Cluster,
    ping: Callable[[], Awaitable[Failure | None]],
    platform: str,
    emit: Emit,
) -> ExitCode:
    """Emit one `check_finished` for each check; `DONE`, or the highest exit code of what is missing.

    `ping` is one authenticated call to the API server: a server that does not answer it is not asked anything else.
    """
    answers = await checked(services, builder, registry, cluster, ping, platform)
    for name, answer in answers:
        emit(_event(name, answer))
    return max((answer.exit_code for _, answer in answers if isinstance(answer, Failure)), default=ExitCode.DONE)


async def checked(
    services: Sequence[Service],
    builder: Builder,
    registry: Registry,
    cluster: Cluster,
    ping: Callable[[], Awaitable[Failure | None]],
    platform: str,
) -> list[Answer]:
    """All answers: what a session asks before it begins, and before services join it."""
    found = await asyncio.gather(
        _of_cluster(services, cluster, ping),
        _of_registries(services, registry),
        _of_builders(services, builder, platform),
    )
    return [answer for part in found for answer in part]


def _event(name: str, answer: Failure | str) -> CheckFinished:
    if isinstance(answer, Failure):
        # A session that has not begun does not go on by itself.
        hint = answer.hint.replace(GOES_ON, "then start devloop again")
        hint += _MORE if answer.code is FailureCode.ENGINE_UNREACHABLE else ""
        return CheckFinished(name, False, answer.message, hint, answer.code)
    return CheckFinished(name, True, answer)


async def _named(name: str, ask: Awaitable[Failure | str]) -> Answer:
    return name, await ask


async def _of_cluster(
    services: Sequence[Service], cluster: Cluster, ping: Callable[[], Awaitable[Failure | None]]
) -> list[Answer]:
    away = await ping()
    if away:
        return [("cluster", away)]
    claims: Claims = {}
    workloads = [
        _named(f"workload {key}", workload(service, key, cluster, claims))
        for service in services
        for key in service.workloads
    ]
    namespaces = sorted({key.namespace for service in services for key in service.workloads})
    rights = [_named(f"permissions in {name}", permissions(name, cluster)) for name in namespaces]
    return [("cluster", "answers"), *await asyncio.gather(*workloads, *rights)]


async def workload(service: Service, key: WorkloadKey, cluster: Cluster, claims: Claims) -> Failure | str:
    """Whether it exists, and which containers are the service's; `claims` gathers which are taken, and by whom."""
    raw = await cluster.read(key)
    if raw is None or isinstance(raw, Failure):
        return unread(raw, key, is_guessed=service.is_guessed)
    chosen = choose(service, parse_deployment(raw).template)
    if isinstance(chosen, Failure):
        return chosen
    owners = {name: claims.setdefault((key, name), service.name) for name in chosen}
    taken = next((name for name, owner in owners.items() if owner != service.name), None)
    return _claimed_twice(service, key, taken, owners[taken]) if taken else f"container {', '.join(chosen)}"


def _claimed_twice(service: Service, key: WorkloadKey, container: str, owner: str) -> Failure:
    message = f"container {container} of {key} belongs to two services, {owner} and {service.name}"
    return Failure(FailureCode.CONFIG_INVALID, message, "give each its own with `container`, or merge the services")


async def permissions(namespace: str, cluster: Cluster) -> Failure | str:
    """Whether the user may do all that a session cannot do without."""
    needed = [
        *(Access(verb, "apps", "deployments", namespace) for verb in ("get", "list", "watch", "patch")),
        *(Access(verb, "apps", "replicasets", namespace) for verb in ("list", "watch")),
        *(Access(verb, "", "pods", namespace) for verb in ("list", "watch")),
    ]
    answers = await asyncio.gather(*(cluster.allowed(access) for access in needed))
    failure = next((answer for answer in answers if isinstance(answer, Failure)), None)
    if failure:
        return failure
    denied = [access for access, answer in zip(needed, answers, strict=True) if not answer]
    return _denied(denied, namespace) if denied else "all that devloop needs"


def _denied(denied: Iterable[Access], namespace: str) -> Failure:
    words = ", ".join(f"{access.verb} {access.resource}" for access in denied)
    message = f"you may not {words} in namespace {namespace}"
    hint = f"ask for a Role that grants it; check with: kubectl auth can-i patch deployments -n {namespace}"
    return Failure(FailureCode.CLUSTER_DENIED, message, hint)


async def _of_registries(services: Sequence[Service], registry: Registry) -> list[Answer]:
    refs = {service.push.name: service.push for service in services if service.load is None}
    return await asyncio.gather(
        *(_named(f"registry of {name}", _registry(ref, registry)) for name, ref in refs.items())
    )


async def _registry(ref: ImageRef, registry: Registry) -> Failure | str:
    return await registry.check(ref) or "there, and takes the credentials found for it"


async def _of_builders(services: Sequence[Service], builder: Builder, platform: str) -> list[Answer]:
    """Equal questions are asked once: what counts is the builder, and the registry that it has to reach."""
    kinds = {(service.build.builder, service.load or service.push.registry): service for service in services}
    answers = await asyncio.gather(
        *(
            _named(f"builder {name}".rstrip(), _builder(service, builder, platform))
            for (name, _), service in kinds.items()
        )
    )
    # An engine that is away is one thing that is missing, however many builds would need it.
    return list({answer[1] if isinstance(answer[1], Failure) else answer: answer for answer in answers}.values())


async def _builder(service: Service, builder: Builder, platform: str) -> Failure | str:
    ready = "ready" if service.load is None else "ready, and so is the way into the nodes"
    return await builder.check(BuildRequest.of(service, platform)) or ready
