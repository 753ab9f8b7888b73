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
from devloop.core.load import Target, build_tag, load_command
from devloop.core.manifest import deployment as parse_deployment
from devloop.core.patch import BuildMark, plan_patch
from devloop.core.plan import ASSEMBLED, BuilderChoice, choose_builder, shell_line
from devloop.core.ports import BuildRequest
from devloop.core.service import Service, WorkloadKey
from devloop.core.workload import unread
from devloop.session import say
from devloop.session.assembly import Assembly, assemble
from devloop.session.project import Project
from devloop.session.trial import NO_ENGINE, has_engine
from devloop.views.marks import mark_words
from devloop.views.wrapping import continued

TO_BE_BUILT = "sha256:" + "0" * 64
"""Stands for the digest that only a build can tell."""
PLAN = "plan"
"""Stands for the session that only `up` has."""
_CONTAINERS = "spec.template.spec."
"""How the paths of what a patch changes in containers begin; marks are elsewhere."""
_ASSEMBLED = BuilderChoice(ASSEMBLED, f"{NO_ENGINE}; FROM, COPY, ADD of files and metadata need none")


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
    """Empty where no command builds it."""
    watched: Survey
    workloads: tuple[WorkloadPlan, ...]
    depends_on: tuple[str, ...] = ()
    load: str = ""
    """Where the image is loaded, or why that cannot be told; empty when it is pushed."""


async def plan(project: Project, *, as_json: bool) -> ExitCode:
    """Print the plan of every service; the exit code tells of workloads that cannot be planned for."""
    assembly = assemble(project, lambda snapshot: None, lambda ok, text: None)
    try:
        platform = await assembly.platform(project.services)
        plans = await asyncio.gather(*(_plan(service, assembly, platform) for service in project.services))
    finally:
        await assembly.close()
    for one in plans:
        say.out(json.dumps(_as_json(one), ensure_ascii=False) if as_json else "\n".join(_lines(one, say.columns(0))))
    failures = [workload.failure for one in plans for workload in one.workloads if workload.failure]
    return max((failure.exit_code for failure in failures), default=ExitCode.DONE)


async def _plan(service: Service, assembly: Assembly, platform: str) -> ServicePlan:
    choice = choose_builder(service.build, service.load) if has_engine() else _ASSEMBLED
    request = BuildRequest.of(service, platform)
    target = await assembly.loader.target(service.load) if service.load else None
    image = _to_be_built(service, target)
    watched, workloads = await asyncio.gather(
        asyncio.to_thread(survey, service),
        asyncio.gather(*(_workload(service, key, image, assembly) for key in service.workloads)),
    )
    load = _load(target, image) if target else ""
    command = shell_line(request) if has_engine() else ""
    return ServicePlan(
        service.name, choice.name, choice.reason, command, watched, tuple(workloads), service.depends_on, load
    )


def _to_be_built(service: Service, target: Target | Failure | None) -> PushedImage:
    """What a cycle would push, or load under a tag that begins with the service's."""
    resolved = ResolvedImage(TO_BE_BUILT, ())
    if target is None:
        return PushedImage(service.push, service.image, resolved)
    ref = service.image.with_tag(build_tag(service.image.effective_tag, TO_BE_BUILT))
    return PushedImage(ref, ref, resolved, str(target))


def _load(target: Target | Failure, image: PushedImage) -> str:
    if isinstance(target, Failure):
        return f"{target.message} → {target.hint}"
    if command := load_command(target, "IMAGE.tar"):
        return f"{image.pod_ref} into {target}: {' '.join(command)}"
    return f"{image.pod_ref}: {target} has the engine's own images"


async def _workload(service: Service, key: WorkloadKey, image: PushedImage, assembly: Assembly) -> WorkloadPlan:
    raw = await assembly.cluster.read(key)
    if raw is None or isinstance(raw, Failure):
        return WorkloadPlan(str(key), key.namespace, failure=unread(raw, key, is_guessed=service.is_guessed))
    deployment = parse_deployment(raw)
    containers = choose(service, deployment.template)
    if isinstance(containers, Failure):
        return WorkloadPlan(str(key), key.namespace, failure=containers)
    now = SystemClock().now()
    patch = plan_patch(deployment, containers, image, service.pin, BuildMark.of(image, now, PLAN), now)
    return WorkloadPlan(str(key), key.namespace, containers, patch.changes)


def _lines(one: ServicePlan, width: int) -> list[str]:
    """`width`: of the terminal; 0 where there is none."""
    if not one.command:
        return [one.service, *say.fitting(f"  build    with {one.builder}: {one.reason}", *_rows(one))]
    head = "  build    "
    build = continued(one.command, width, head, " " * (len(head) + 2)) if width else [head + one.command]
    how = f"           with {one.builder}: {one.reason}"
    return [one.service, *build, *say.fitting(how, *_rows(one))]


def _rows(one: ServicePlan) -> list[str]:
    lines = [f"  load     {_readable(one.load)}"] if one.load else []
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
    # What asks for another image, or asks for it in another way, is a new revision whatever the Pods run.
    if not any(change.path.startswith(_CONTAINERS) for change in workload.changes):
        lines += ["           unless its Pods provably run what is built"]
    for change in workload.changes:
        lines += [f"           {_readable(change.text)}"]
        for sign, value in (("-", change.old), ("+", change.new)):
            lines += [f"           {sign} {change.path}: {_in_words(change.path, value) or '(not set)'}"]
    return lines


def _in_words(path: str, value: str) -> str:
    mark = BuildMark.decode(value)
    if mark is not None and mark.session == PLAN:
        return "what is built, when it was pushed, and by which session"
    return _readable(mark_words(path, value, SystemClock().now()))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _readable(text: str) -> str:
    return text.replace(TO_BE_BUILT, "sha256:(what is built)").replace(short(TO_BE_BUILT), "what is built")


def _as_json(one: ServicePlan) -> dict[str, Any]:
    found = asdict(one)
    found["load"] = _readable(one.load)
    ignored = [{"pattern": pattern, "paths": paths} for pattern, paths in one.watched.ignored]
    found["watched"]["ignored"] = ignored
    for workload in found["workloads"]:
        for change in workload["changes"]:
            change["text"] = _readable(change["text"])
            change["from"], change["to"] = _readable(change.pop("old")), _readable(change.pop("new"))
    return found
