"""What `devloop why` is asked about: a workload, a Pod, a service of devloop.toml, or all there is."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devloop.adapters import configfile
from devloop.core.config import Problems
from devloop.core.failure import ExitCode, Failure
from devloop.core.service import Service, WorkloadKey
from devloop.core.why.fixes import POD
from devloop.session.project import (
    Place,
    Refusal,
    chosen_context,
    despite,
    have_mistakes,
    on_workload,
    place_beside,
    place_of,
    resolve_services,
)
from devloop.session.request import Request

_KINDS = {
    **dict.fromkeys(("deployment", "deployments", "deploy", "deployments.apps", "deployment.apps"), "deployment"),
    **dict.fromkeys(("statefulset", "statefulsets", "sts", "statefulset.apps"), "statefulset"),
    **dict.fromkeys(("daemonset", "daemonsets", "ds", "daemonset.apps"), "daemonset"),
    **dict.fromkeys(("pod", "pods", "po"), POD),
}
"""As kubectl calls them."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing asked about; an empty `name` means everything in the namespace."""

    namespace: str
    kind: str = ""
    """Empty: any."""
    name: str = ""
    service: Service | None = None
    """The service of devloop.toml that runs on it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Where to look, and for what."""

    place: Place
    targets: tuple[Target, ...]
    services: tuple[Service, ...]
    """All of devloop.toml."""
    note: str = ""
    """Why devloop.toml says nothing, when there is one and it does not."""


async def read_question(request: Request, *, everything: bool) -> Question | Refusal:
    """`request.names` are targets. A broken devloop.toml stands in the way only of services of it."""
    loaded, note = configfile.load(request.file, Path.cwd(), os.environ), ""
    services: tuple[Service, ...] | Refusal = ()
    if isinstance(loaded, Problems):
        if request.file or not all("/" in name for name in request.names):
            way = () if request.file or everything else (despite("why"),)
            return Refusal(ExitCode.USAGE, (*map(str, loaded), *way))
        place = await place_beside(configfile.left_of(loaded, None, Path.cwd(), os.environ), request)
        note = have_mistakes(loaded)
    else:
        pinned = chosen_context(loaded, request)
        place = pinned if isinstance(pinned, Failure) else await place_of(loaded, request, pinned)
    if isinstance(place, Failure):
        return Refusal.of(place)
    if place.file and not note:
        services = resolve_services(place, (), request.namespace)
    if isinstance(services, Refusal):
        return services
    if everything:
        return Question(place, _all(place, services, request), services, note)
    targets: list[Target] = []
    for name in request.names:
        found = _targets(name, place, services if not request.namespace else _within(services, place.namespace))
        if isinstance(found, Refusal):
            return found
        targets += found
    return Question(place, tuple(targets), services, note)


def owners_of(services: Sequence[Service], target: Target, key: WorkloadKey) -> list[Service | None]:
    """The services that are asked about on that workload: each may be the image of another container."""
    if target.service is not None:
        return [target.service]
    return [*running_on(services, key)] or [None]


def running_on(services: Sequence[Service], key: WorkloadKey) -> list[Service]:
    """All services of that workload."""
    return [service for service in services if key in service.workloads]


def _all(place: Place, services: Sequence[Service], request: Request) -> tuple[Target, ...]:
    """A namespace that was named, else the services of the file, else the context's namespace."""
    if request.namespace or not services:
        return (Target(place.namespace),)
    return tuple(target for service in services for target in _of_service(service))


def _of_service(service: Service) -> list[Target]:
    return [Target(key.namespace, key.kind, key.name, service) for key in service.workloads]


def _within(services: Sequence[Service], namespace: str) -> list[Service]:
    """The services that run in the namespace that was named, with their workloads there: what runs elsewhere was not
    asked about, though it is called the same."""
    there = {s.name: tuple(key for key in s.workloads if key.namespace == namespace) for s in services}
    return [replace(service, workloads=there[service.name]) for service in services if there[service.name]]


def _targets(text: str, place: Place, services: Sequence[Service]) -> list[Target] | Refusal:
    if "/" not in text:
        named = next((service for service in services if service.name == text), None)
        return _of_service(named) if named is not None else [Target(place.namespace, "", text)]
    kind, _, name = text.partition("/")
    known = _KINDS.get(kind.lower())
    if known is None or not name or "/" in name:
        message = f"`{text}` is none of deployment/NAME, statefulset/NAME, daemonset/NAME, pod/NAME"
        return Refusal(ExitCode.USAGE, (message, "→ `kubectl get deployments,statefulsets,daemonsets` lists them"))
    owners = on_workload(services, known, name, place.namespace)
    return [Target(key.namespace, known, name, owner) for owner, key in owners] or [
        Target(place.namespace, known, name)
    ]
