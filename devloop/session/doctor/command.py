"""`devloop doctor`: everything between the editor and the Pod, looked at side by side; nothing is written."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

from devloop import __version__
from devloop.adapters import machine
from devloop.core.checkup import Check, Level, Topic, exit_code, in_order
from devloop.core.failure import ExitCode
from devloop.session import say
from devloop.session.assembly import Assembly, assemble
from devloop.session.clean import without_secrets
from devloop.session.doctor import bases, cluster, images, local
from devloop.session.doctor.leftbehind import of_left_behind
from devloop.session.doctor.report import Report, as_json, as_lines
from devloop.session.doctor.subject import Subject, open_subject
from devloop.session.project import Project
from devloop.session.request import Request
from devloop.session.trial import has_engine

_PATIENCE = 20.0
"""Seconds that one part may take; what it asks has shorter limits of its own."""
_NEEDED = frozenset({Topic.ENGINE, Topic.LOAD, Topic.REGISTRY, Topic.API_SERVER, Topic.RIGHTS, Topic.WORKLOAD})
"""Without an answer to these `devloop up` would not begin."""


async def doctor(request: Request, *, json: bool, before_up: bool = False) -> ExitCode:
    """Print the report; the exit code says whether anything failed. `before_up`: `devloop up` is offered next."""
    subject = await open_subject(request)
    assembly = assemble(Project(subject.place, subject.services, ""), lambda snapshot: None, lambda ok, text: None)
    try:
        found = await _look(subject, assembly, before_up=before_up)
    finally:
        await assembly.close()
    checks = in_order((*subject.checks, *found))
    report = Report(__version__, datetime.now(UTC), machine.system(), checks).cleaned(without_secrets())
    say.out(*([as_json(report)] if json else as_lines(report, say.columns())))
    return exit_code(checks)


async def _look(subject: Subject, assembly: Assembly, *, before_up: bool) -> list[Check]:
    services, registry = subject.services, assembly.registry
    builder = assembly.buildx if has_engine() else None
    of_engine = (
        images.of_engine(assembly.engine, builder, services) if builder else images.of_none(assembly.full, services)
    )
    registries = images.by_registry(services)
    found = await asyncio.gather(
        _within(Topic.CONTEXT_SIZE, "looking through the source", local.of_source(services)),
        _within(Topic.CONTEXT_SIZE, "devloop's files", local.of_own_files(services, subject.place.root)),
        _within(Topic.ENGINE, "the engine", of_engine),
        _within(Topic.LOAD, "the way into the nodes", images.of_loads(services, assembly.loader)),
        *(_within(Topic.REGISTRY, name, images.of_registry(of, registry, builder)) for name, of in registries.items()),
        _within(Topic.BASE, "base images", bases.of_bases(services, registry)),
        *([_of_cluster(subject, assembly, before_up=before_up)] if subject.is_pinned else []),
    )
    return [*local.of_machine(), *(check for checks in found for check in checks)]


async def _of_cluster(subject: Subject, assembly: Assembly, *, before_up: bool) -> list[Check]:
    """An API server that does not answer is not asked anything else."""
    kube, services, namespaces = assembly.cluster, subject.services, subject.namespaces
    server = await _within(Topic.API_SERVER, "the API server", cluster.of_api_server(kube))
    checks = [cluster.of_context(subject.place, namespaces), *server]
    if server[0].level is Level.FAILED:
        return checks
    going_on = {key for service in services for key in service.workloads} if before_up else set()
    left_behind = of_left_behind(kube, namespaces, subject.place.chosen, going_on)
    parts = [
        *(_within(Topic.RIGHTS, f"rights in {name}", cluster.of_namespace(kube, name)) for name in namespaces),
        _within(Topic.WORKLOAD, "workloads", cluster.of_workloads(services, kube)),
        _within(Topic.NODES, "nodes", cluster.of_nodes(services, assembly)),
        _within(Topic.LEFT_BEHIND, "Deployments", left_behind),
    ]
    return checks + [check for found in await asyncio.gather(*parts) for check in found]


async def _within(topic: Topic, what: str, checks: Awaitable[Sequence[Check]]) -> Sequence[Check]:
    """One part of the whole; one that takes too long is told, and does not hold up the others."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await checks
    except TimeoutError:
        late = topic.failed if topic in _NEEDED else topic.note
        return (late(f"{what}: not done within {_PATIENCE:g} s", "try again in a moment"),)
