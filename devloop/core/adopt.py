"""Without a `devloop.toml`: the configuration that a live workload implies.

The result is an ordinary `Config`; `devloop.core.config.to_toml` writes the file that says the same. It names no
context, because a context in the file would also be the permission to write to it.
"""

from collections.abc import Callable, Sequence
from itertools import chain, count

from devloop.core.config import BuildConfig, ClusterConfig, Config, ServiceConfig
from devloop.core.config import to_toml as to_toml
from devloop.core.failure import Failure, FailureCode
from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.core.problems import quoted, suggestion
from devloop.core.workload import ContainerSpec, Deployment

_MOST_LISTED = 10


def adopt(deployment: Deployment, container: str | None = None, build: str = ".") -> Config | Failure:
    """One service for the workload: its image's repository (the tag is devloop's own), its containers, its namespace.

    Without `container` the one that carries the workload's name, or the only one, decides which repository it is, and
    every container and init container of that repository belongs to the service.
    """
    chosen = _container(deployment, container)
    if isinstance(chosen, Failure):
        return chosen
    image = _image(deployment, chosen)
    if isinstance(image, Failure):
        return image
    names = (chosen.name,) if container else _of_repository(deployment, image)
    key = deployment.key
    service = ServiceConfig.model_validate(
        {"image": image.name, "workload": str(key), "container": names, "build": BuildConfig(context=build)}
    )
    return Config(cluster=ClusterConfig(namespace=key.namespace), services={key.name: service})


def beside(found: Config, present: Config) -> Config:
    """The same, where a file has no service for that workload: under a name that the file has not given yet."""
    ((name, service),) = found.services.items()
    numbered = (f"{name}-{number}" for number in count(2))
    free = next(each for each in chain([name], numbered) if each not in present.services)
    return found.model_copy(update={"services": {free: service}})


def addition(found: Config, present: Config, build: str) -> str:
    """What the file lacks to say the same: a table that can come below all that it has.

    `build` is the folder to build, as seen from the file.
    """
    ((name, service),) = found.services.items()
    namespace = found.cluster.namespace if found.cluster.namespace != present.cluster.namespace else ""
    changed = {"namespace": namespace, "build": service.build.model_copy(update={"context": build})}
    return to_toml(Config(services={name: service.model_copy(update=changed)}))


def _container(deployment: Deployment, name: str | None) -> ContainerSpec | Failure:
    containers = deployment.template.containers
    if name:
        found = deployment.template.container(name)
        listed = f"its containers are {quoted(each.name for each in containers)}"
        return found or Failure(
            FailureCode.CONTAINER_ABSENT,
            f"`{deployment.key}` has no container `{name}`",
            suggestion(name, [each.name for each in containers], listed),
        )
    running = [each for each in containers if not each.init]
    named_alike = [each for each in running if deployment.key.name in {each.name, _last_part(each.image)}]
    for candidates in (running, named_alike):
        if len(candidates) == 1:
            return candidates[0]
    return Failure(
        FailureCode.CONTAINER_ABSENT,
        f"`{deployment.key}` has {len(running)} containers ({quoted(each.name for each in running)}), "
        "and it is not clear which one to build",
        "write a `devloop.toml` that names it with `container`, or let `devloop init` do so",
    )


def _image(deployment: Deployment, container: ContainerSpec) -> ImageRef | Failure:
    running = f"container `{container.name}` of `{deployment.key}` runs `{container.image}`"
    advice = "write a `devloop.toml` with the `image` to push to, like `HOST/NAME` (`devloop init` proposes one)"
    try:
        ref = ImageRef.parse(container.image)
    except InvalidReferenceError as error:
        return Failure(FailureCode.CONFIG_INVALID, f"{running}: {error}", advice)
    if not ref.registry:
        return Failure(
            FailureCode.CONFIG_INVALID,
            f"{running}, which names no registry host, so it is not clear where to push it",
            f"{advice}, or `docker.io/{ref.repository}` if Docker Hub is meant",
        )
    return ref


def _of_repository(deployment: Deployment, image: ImageRef) -> tuple[str, ...]:
    return tuple(
        each.name
        for each in deployment.template.containers
        if (ref := _reference(each.image)) is not None and ref.same_repository(image)
    )


def _reference(image: str) -> ImageRef | None:
    try:
        return ImageRef.parse(image)
    except InvalidReferenceError:
        return None


def _last_part(image: str) -> str:
    ref = _reference(image)
    return ref.repository.rpartition("/")[2] if ref else ""


def match_deployments(
    deployments: Sequence[Deployment], folder_name: str, namespace: str, naming: Callable[[str], str]
) -> Deployment | Failure:
    """The Deployment that the source in a folder of this name is for, among all those of the namespace.

    The first of these rules that finds exactly one decides: it is called like the folder; an image of its is; it is
    the only one. `naming`: the command with that workload named.
    """
    folder = folder_name.lower().replace("_", "-")
    rules: tuple[Callable[[Deployment], bool], ...] = (
        lambda each: each.key.name == folder,
        lambda each: folder in {_last_part(spec.image).replace("_", "-") for spec in each.template.containers},
        lambda each: True,
    )
    for rule in rules:
        candidates = [each for each in deployments if rule(each)]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            return _undecided(candidates, folder_name, naming)
    return Failure(
        FailureCode.WORKLOAD_ABSENT,
        f"there is no Deployment in namespace {namespace}",
        "name another namespace with `-n NAMESPACE`, or create the Deployment first",
    )


def _undecided(candidates: Sequence[Deployment], folder_name: str, naming: Callable[[str], str]) -> Failure:
    names = sorted(str(each.key) for each in candidates)
    listed = quoted(names) if len(names) <= _MOST_LISTED else f"{quoted(names[:_MOST_LISTED])} and more"
    return Failure(
        FailureCode.WORKLOAD_ABSENT,
        f"{len(names)} Deployments could be built from `{folder_name}`: {listed}",
        f"name one: `{naming(names[0])}`",
    )
