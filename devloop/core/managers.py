"""Who changed a workload, and when, as its `managedFields` tell it."""

from collections.abc import Iterable, Mapping
from typing import Any

from devloop.core.workload import FIELD_MANAGER, Deployment, Manager


def template_writer(deployment: Deployment) -> str:
    """The last one beside devloop who wrote something of the template; `somebody` when nobody is on record."""
    return _named(_last(_others(deployment, ("f:spec", "f:template"))))


def replicas_writer(deployment: Deployment) -> str:
    """The last one who set the number of Pods: also through the scale subresource, as autoscalers do."""
    owning = (m for m in deployment.managers if m.subresource in {"", "scale"})
    return _named(_last(m for m in owning if _owns(m.fields, ("f:spec", "f:replicas"))))


def field_writer(deployment: Deployment, container: str, init: bool, key: str) -> Manager | None:
    """The last one beside devloop who wrote that field of that container."""
    return _last(_others(deployment, container_path(container, init, key)))


def container_path(container: str, init: bool, key: str) -> tuple[str, ...]:
    """Where `managedFields` keep a field of a container."""
    kind = "f:initContainers" if init else "f:containers"
    return ("f:spec", "f:template", "f:spec", kind, f'k:{{"name":"{container}"}}', f"f:{key}")


def _named(manager: Manager | None) -> str:
    return manager.name if manager is not None and manager.name else "somebody"


def _last(managers: Iterable[Manager]) -> Manager | None:
    """Their times are whole seconds; of equal ones the list's last: who applied stands above who changed it then."""
    return max([*managers][::-1], key=lambda m: m.time, default=None)


def _others(deployment: Deployment, path: tuple[str, ...]) -> Iterable[Manager]:
    return (m for m in deployment.managers if m.name != FIELD_MANAGER and not m.subresource and _owns(m.fields, path))


def _owns(fields: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    for step in path:
        if step not in fields:
            return False
        fields = fields[step]
    return True
