"""What `devloop doctor` looks at: the services it can make out, and the context, even when some of it is wrong."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from devloop.adapters import configfile
from devloop.adapters.kubeconfig import PinnedContext
from devloop.core.checkup import Check, Topic, counted
from devloop.core.config import Problems
from devloop.core.failure import Failure, FailureCode
from devloop.core.service import Service
from devloop.session.project import (
    Place,
    Refusal,
    chosen_context,
    named_at_fault,
    open_project,
    place_beside,
    place_of,
    resolve_services,
)
from devloop.session.request import Request

_NOWHERE = PinnedContext("", "", "default", "")
"""Stands for the context where there is none: whatever is asked of it fails."""

_OF_CLUSTER = {
    FailureCode.CLUSTER_UNREACHABLE: Topic.API_SERVER,
    FailureCode.CLUSTER_DENIED: Topic.RIGHTS,
    FailureCode.CLUSTER_LOGIN: Topic.API_SERVER,
    FailureCode.WORKLOAD_ABSENT: Topic.WORKLOAD,
}
"""Why a workload that was named could not be read."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be looked at, and what was seen on the way to it."""

    place: Place
    is_pinned: bool
    """Whether there is a context at all."""
    services: tuple[Service, ...]
    checks: tuple[Check, ...]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Those of the services; without any the one that commands would work in."""
        return tuple(sorted({key.namespace for each in self.services for key in each.workloads})) or (
            self.place.namespace,
        )


async def open_subject(request: Request) -> Subject:
    """Never refuses: what is wrong becomes a check, and the rest is looked at all the same."""
    loaded = configfile.load(request.file, Path.cwd(), os.environ)
    if isinstance(loaded, Problems):
        return await _beside(loaded, request)
    pinned = chosen_context(loaded, request)
    place = await place_of(loaded, request, _NOWHERE if isinstance(pinned, Failure) else pinned)
    is_pinned = isinstance(pinned, PinnedContext)
    checks = _of_no_context(pinned)
    services = await _services(request, place, is_pinned=is_pinned)
    if isinstance(services, Refusal):
        return Subject(place, is_pinned, (), (*checks, _refused(services)))
    if services:
        checks.append(Topic.CONFIG.ok(_named(place, services)))
    return Subject(place, is_pinned, services, tuple(checks))


async def _beside(problems: Problems, request: Request) -> Subject:
    """No services beside files with mistakes, but the cluster where those would send a command."""
    left = configfile.left_of(problems, request.file, Path.cwd(), os.environ)
    found = await place_beside(left, request)
    place = await place_of(None, request, _NOWHERE) if isinstance(found, Failure) else found
    wrong = Topic.CONFIG.failed(str(problems), "mend that; `devloop validate` checks the file alone")
    # `up` needs them mended anyway, and what they allow beside an intact overlay is not known before.
    place = replace(place, faulty=named_at_fault(problems))
    return Subject(place, isinstance(found, Place), (), (*_of_no_context(found), wrong))


def _of_no_context(found: PinnedContext | Place | Failure) -> list[Check]:
    return [Topic.KUBE_CONTEXT.because(found)] if isinstance(found, Failure) else []


async def _services(request: Request, place: Place, *, is_pinned: bool) -> tuple[Service, ...] | Refusal:
    """Those of the file, or of the workload that was named; none where nothing says any."""
    if request.names and is_pinned:
        project = await open_project(replace(request, writes=False))
        return project if isinstance(project, Refusal) else project.services
    return resolve_services(place, request.names, request.namespace) if place.file else ()


def _refused(refusal: Refusal) -> Check:
    """What the cluster did not answer is none of the file's mistakes."""
    if refusal.failure is not None and refusal.failure.code in _OF_CLUSTER:
        return _OF_CLUSTER[refusal.failure.code].because(refusal.failure)
    lines = [line for line in refusal.lines if not line.startswith("→ ")]
    fixes = [line.removeprefix("→ ") for line in refusal.lines if line.startswith("→ ")]
    return Topic.CONFIG.failed("\n".join(lines), "; ".join(fixes) or "correct that")


def _named(place: Place, services: tuple[Service, ...]) -> str:
    names = ", ".join(service.name for service in services)
    known = place.file
    if not place.file or any(service.name not in place.config.services for service in services):
        lacking = f"{place.file} has no service for it" if place.file else "no devloop.toml"
        known = f"{lacking}; going by the workload"
    return f"{known}: {counted(len(services), 'service')}, {names}"
