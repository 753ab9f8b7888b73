"""`devloop plan`: what `up` would do to each service, and why. Writes nothing, builds nothing."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from devloop.adapters.clock import SystemClock
from devloop.adapters.survey import Survey, survey
from devloop.core.containers import choose
from devloop.core.events import Change
from devloop.core.failure import ExitCode, Failure
from devloop.core.image import PushedImage, ResolvedImage, short
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.patch import BuildMark, plan_patch
from devloop.core.plan import choose_builder, shell_line
from devloop.core.ports import BuildRequest
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import absent
from devloop.session import say
from devloop.session.assembly import Assembly, assemble
from devloop.session.project import Project

TO_BE_BUILT = "sha256:" + "0" * 64
"""Stands for the digest that only a build can tell."""


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """What one workload would get."""

    workload: str
    namespace: str
    containers: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What one service would do."""

    service: str
    builder: str
    reason: str
    command: str
    watched: Survey
    workloads: tuple[WorkloadPlan, ...]
    depends_on: tuple[str, ...] = ()


async def plan(project: Project, *, as_json: bool) -> ExitCode:
    """Print the plan of every service; the exit code tells of workloads that cannot be planned for."""
    assembly = assemble(project, lambda snapshot: None, lambda ok, text: None)
    try:
        platform = await assembly.platform(project.services)
        plans = await asyncio.gather(*(_plan(service, assembly, platform) for service in project.services))
    finally:
        await assembly.close()
    for one in plans:
        say.out(json.dumps(_as_json(one), ensure_ascii=False) if as_json else "\n".join(_lines(one)))
    failures = [workload.failure for one in plans for workload in one.workloads if workload.failure]
    return max((failure.exit_code for failure in failures), default=ExitCode.DONE)


async def _plan(service: Service, assembly: Assembly, platform: str) -> ServicePlan:
    choice = choose_builder(service.build, service.load)
    request = BuildRequest.of(service, platform)
    watched, workloads = await asyncio.gather(
        asyncio.to_thread(survey, service),
        asyncio.gather(*(_workload(service, key, assembly) for key in service.workloads)),
    )
    return ServicePlan(
        service.name, choice.name, choice.reason, shell_line(request), watched, tuple(workloads), service.depends_on
    )


async def _workload(service: Service, key: WorkloadKey, assembly: Assembly) -> WorkloadPlan:
    raw = await assembly.cluster.read(key)
    if raw is None or isinstance(raw, Failure):
        return WorkloadPlan(str(key), key.namespace, failure=raw or absent(key))
    deployment = parse_deployment(raw)
    containers = choose(service, deployment.template)
    if isinstance(containers, Failure):
        return WorkloadPlan(str(key), key.namespace, failure=containers)
    image = PushedImage(service.push, service.image, ResolvedImage(TO_BE_BUILT, ()))
    now = SystemClock().now()
    patch = plan_patch(deployment, containers, image, service.pin, BuildMark(TO_BE_BUILT, now, "plan"), now)
    return WorkloadPlan(str(key), key.namespace, containers, patch.changes)


def _lines(one: ServicePlan) -> list[str]:
    lines = [one.service, f"  build    {one.command}", f"           with {one.builder}: {one.reason}"]
    lines += [f"  after    {', '.join(one.depends_on)}"] if one.depends_on else []
    lines += [f"  watch    {_count(one.watched.files, 'file')}"]
    lines += [f"           not {pattern} ({_count(paths, 'path')})" for pattern, paths in one.watched.ignored]
    for workload in one.workloads:
        lines += _workload_lines(workload)
    return [*lines, ""]


def _workload_lines(workload: WorkloadPlan) -> Sequence[str]:
    head = f"  patch    {workload.workload} in {workload.namespace}"
    if workload.failure:
        return [f"{head}: cannot be planned: {workload.failure.message}", f"           → {workload.failure.hint}"]
    lines = [f"{head}, container {', '.join(workload.containers)}"]
    lines += ["           unless its Pods provably run what is built"]
    for change in workload.changes:
        lines += [f"           {_readable(change.text)}"]
        lines += [f"           - {change.path}: {_readable(change.old) or '(not set)'}"]
        lines += [f"           + {change.path}: {_readable(change.new) or '(not set)'}"]
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _readable(text: str) -> str:
    return text.replace(TO_BE_BUILT, "sha256:(what is built)").replace(short(TO_BE_BUILT), "what is built")


def _as_json(one: ServicePlan) -> dict[str, Any]:
    found = asdict(one)
    ignored = [{"pattern": pattern, "paths": paths} for pattern, paths in one.watched.ignored]
    found["watched"]["ignored"] = ignored
    for workload in found["workloads"]:
        for change in workload["changes"]:
            change["text"] = _readable(change["text"])
            change["from"], change["to"] = _readable(change.pop("old")), _readable(change.pop("new"))
    return found
