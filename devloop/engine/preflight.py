"""What has to be there before anything is built: all of it is checked side by side, and all that is missing is told.

Nothing needs cluster-wide rights; what one may not read degrades with a word, here or where it would be used.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from devloop.core.containers import choose
from devloop.core.events import CheckFinished, Event
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.ports import Access, Builder, BuildRequest, Cluster, Registry
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import absent
from devloop.engine.tools import Emit


@dataclass(frozen=True, slots=True)
class _Check:
    """One question, and how to ask it."""

    name: str
    ask: Awaitable["Failure | str"]
    """Answers with a failure, or with what there is to say."""


async def preflight(
    services: Sequence[Service], builder: Builder, registry: Registry, cluster: Cluster, platform: str, emit: Emit
) -> ExitCode:
    """Emit one `check_finished` for each check; `DONE`, or the highest exit code of what is missing."""
    checks = [
        *_cluster_checks(services, cluster),
        *_registry_checks(services, registry),
        *_builder_checks(services, builder, platform),
    ]
    answers = await asyncio.gather(*(check.ask for check in checks))
    for check, answer in zip(checks, answers, strict=True):
        emit(_event(check.name, answer))
    return max((answer.exit_code for answer in answers if isinstance(answer, Failure)), default=ExitCode.DONE)


def _event(name: str, answer: Failure | str) -> Event:
    if isinstance(answer, Failure):
        return CheckFinished(name, False, answer.message, answer.hint, answer.code)
    return CheckFinished(name, True, answer)


def _cluster_checks(services: Sequence[Service], cluster: Cluster) -> Iterator[_Check]:
    for service in services:
        for key in service.workloads:
            yield _Check(f"workload {key}", _workload(service, key, cluster))
    for namespace in sorted({key.namespace for service in services for key in service.workloads}):
        yield _Check(f"permissions in {namespace}", _permissions(namespace, cluster))


async def _workload(service: Service, key: WorkloadKey, cluster: Cluster) -> Failure | str:
    raw = await cluster.read(key)
    if isinstance(raw, Failure):
        return raw
    if raw is None:
        return absent(key)
    chosen = choose(service, parse_deployment(raw).template)
    return chosen if isinstance(chosen, Failure) else f"container {', '.join(chosen)}"


async def _permissions(namespace: str, cluster: Cluster) -> Failure | str:
    needed = [
        Access("patch", "apps", "deployments", namespace),
        *(
            Access(verb, "apps", kind, namespace)
            for kind in ("deployments", "replicasets")
            for verb in ("list", "watch")
        ),
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


def _registry_checks(services: Sequence[Service], registry: Registry) -> Iterator[_Check]:
    for name, ref in {service.push.name: service.push for service in services}.items():

        async def ask(ref: object = ref) -> Failure | str:
            return await registry.check(ref) or "there, and takes the credentials found for it"  # type: ignore[arg-type]

        yield _Check(f"registry of {name}", ask())


def _builder_checks(services: Sequence[Service], builder: Builder, platform: str) -> Iterator[_Check]:
    requests = {
        service.build_key: BuildRequest(service.build, service.push, service.build.platform or platform)
        for service in services
    }
    seen = set()
    for service in services:
        # One engine, one builder, one registry: equal questions are asked once.
        key = (service.build.builder, service.push.registry)
        if key not in seen:
            seen.add(key)
            yield _Check(_builder_name(service), _builder(builder, requests[service.build_key]))


def _builder_name(service: Service) -> str:
    return f"builder {service.build.builder}" if service.build.builder else "builder"


async def _builder(builder: Builder, request: BuildRequest) -> Failure | str:
    return await builder.check(request) or "ready"
