"""Which containers of a workload run a service's image."""

from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.core.service import Service
from devloop.core.workload import ContainerSpec, Template


def choose(service: Service, template: Template) -> tuple[str, ...] | Failure:
    """Names, in the template's order: the configured ones, else those of the same repository, else the only one.

    Init containers count when their repository matches (a migration often runs the same image), never as the only one.
    """
    if service.containers:
        return _configured(service, template)
    matching = tuple(c.name for c in template.containers if _same_repository(c, service.image))
    if matching:
        return matching
    mains = tuple(c.name for c in template.containers if not c.init)
    return mains if len(mains) == 1 else _ambiguous(service, template)


def _configured(service: Service, template: Template) -> tuple[str, ...] | Failure:
    missing = [name for name in service.containers if template.container(name) is None]
    if not missing:
        return tuple(c.name for c in template.containers if c.name in service.containers)
    absent = " or ".join(f"`{name}`" for name in missing)
    return Failure(
        FailureCode.CONTAINER_ABSENT,
        f"{_where(service)} has no container {absent}; it has {_listed(template)}",
        f"correct `container` of [services.{service.name}]",
    )


def _ambiguous(service: Service, template: Template) -> Failure:
    return Failure(
        FailureCode.CONTAINER_ABSENT,
        f"no container of {_where(service)} runs {service.image.name}, and none is the only one; "
        f"it has {_listed(template)}",
        f"name the one to update with `container` in [services.{service.name}], or correct its `image`",
    )


def _same_repository(container: ContainerSpec, image: ImageRef) -> bool:
    try:
        return ImageRef.parse(container.image).same_repository(image)
    except InvalidReferenceError:
        return False


def _where(service: Service) -> str:
    return " or ".join(str(key) for key in service.workloads) or f"the workload of `{service.name}`"


def _listed(template: Template) -> str:
    return ", ".join(f"`{c.name}`{' (init)' if c.init else ''} with {c.image}" for c in template.containers) or "none"
