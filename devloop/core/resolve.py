"""From the configuration as written to `Service`s for the pinned cluster, and what contradicts itself on the way.

Paths become absolute, names are filled in, and defaults that depend on the cluster are chosen.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devloop.core.clashes import clashes
from devloop.core.config import BuildConfig, Config, ServiceConfig
from devloop.core.image import ImageRef, InvalidReferenceError
from devloop.core.order import cycles, dependencies_first
from devloop.core.problems import Finding, Problem, Problems, dotted, quoted, suggestion
from devloop.core.service import BuildSpec, Load, Pin, Service, WorkloadKey
from devloop.core.values import InvalidValueError, check_host, fill, missing_filling, parse_workload

LOCAL_TAG = "dev"
SHARED_TAG = "dev-{user}"
"""Elsewhere people share a registry, and one person's image must not become another's."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a configuration is resolved for."""

    root: Path
    """The folder of the file, absolute."""
    namespace: str
    """Of services that name none."""
    local: bool
    """Whether the context is a known local cluster."""
    user: str
    branch: str
    """Of the source's git checkout; empty when there is none."""
    is_guessed: bool = False
    """Whether that namespace is the context's, as nothing else says one."""


def resolve(
    config: Config,
    *,
    root: Path,
    context_namespace: str,
    local: bool,
    user: str,
    branch: str,
    only: Sequence[str] = (),
    namespace: str = "",
    file: str = "devloop.toml",
) -> tuple[Service, ...] | Problems:
    """The services, dependencies first; `only` names some, and what they depend on comes with them.

    A service's own `namespace` wins, then `namespace` (the command line's), then the file's, then the context's.
    """
    said = namespace or config.cluster.namespace
    scope = Scope(root, said or context_namespace or "default", local, user, branch, is_guessed=not said)
    findings = _unknown_names(config, only)
    if not findings:
        services, findings = examine(config, scope, only=only)
        if not findings:
            return services
    return Problems(Problem(file, None, dotted(f.place), f.message, f.fix) for f in findings)


def no_services(file: str) -> Problems:
    """What is wrong with a file that defines none."""
    return Problems(Problem(file, None, dotted(f.place), f.message, f.fix) for f in _NO_SERVICE)


_NO_SERVICE = [
    Finding(
        ("services",),
        "no service is defined",
        "add `[services.NAME]` with an `image`; without one only `devloop up deployment/NAME` works here",
    )
]


def _unknown_names(config: Config, only: Sequence[str]) -> list[Finding]:
    if not config.services:
        return _NO_SERVICE
    known = f"the services are {quoted(config.services)}"
    return [
        Finding(("services",), f"there is no service `{name}`", suggestion(name, config.services, known))
        for name in only
        if name not in config.services
    ]


def examine(
    config: Config, scope: Scope, *, only: Sequence[str] = (), doubtful: Collection[str] = ()
) -> tuple[tuple[Service, ...], list[Finding]]:
    """Services as far as they resolve, and all that is wrong.

    `doubtful` services have other faults already, or could not be read at all: they are not compared with others.
    """
    edges = {name: service.depends_on for name, service in config.services.items()}
    findings = _wrong_dependencies(edges, {*edges, *doubtful})
    services = [
        service
        for name in dependencies_first(edges, only)
        if (service := _service(name, config.services[name], scope, findings))
    ]
    return tuple(services), findings + clashes([each for each in services if each.name not in doubtful])


def _wrong_dependencies(edges: Mapping[str, Sequence[str]], known: set[str]) -> list[Finding]:
    unknown = [
        Finding(
            ("services", name, "depends_on"),
            f"there is no service `{dependency}`",
            suggestion(dependency, known - {name}, "name a service of this file, or remove it"),
        )
        for name, dependencies in edges.items()
        for dependency in dependencies
        if dependency not in known
    ]
    circular = [
        Finding(
            ("services", cycle[0], "depends_on"),
            f"`{cycle[0]}` waits for itself ({' -> '.join(cycle)})",
            "remove one of these dependencies",
        )
        for cycle in cycles(edges)
    ]
    return unknown + circular


def _service(name: str, config: ServiceConfig, scope: Scope, findings: list[Finding]) -> Service | None:
    findings += _wrong_delivery(name, config)
    tag = config.tag or (LOCAL_TAG if scope.local else SHARED_TAG)
    image = _reference(name, "image", config.image, tag, scope, findings)
    pushed = config.push_image if config.load is Load.NONE else ""
    push = _reference(name, "push_image", pushed, tag, scope, findings) if pushed else image
    if image is None or push is None:
        return None
    build = build_spec(config.build, scope.root)
    watch = tuple(absolute(scope.root, path) for path in config.watch) or (build.context,)
    return Service(
        name=name,
        image=image,
        push=push,
        pin=config.pin if config.load is Load.NONE else Pin.LOADED,
        workloads=_workloads(name, config, scope),
        containers=config.container,
        build=build,
        watch=watch,
        ignore=config.ignore,
        depends_on=config.depends_on,
        load=None if config.load is Load.NONE else config.load,
        is_guessed=scope.is_guessed and not config.namespace,
    )


def _wrong_delivery(name: str, config: ServiceConfig) -> Iterator[Finding]:
    """What contradicts the way of the image: into a registry, or into the nodes of a local cluster."""
    if config.load is Load.NONE:
        try:
            check_host(config.image)
        except InvalidValueError as error:
            yield Finding(("services", name, "image"), error.message, f'{error.fix}; or set `load = "auto"`')
        return
    load = f'`load = "{config.load}"` puts the image into the nodes'
    if config.push_image:
        yield Finding(("services", name, "push_image"), f"{load}, and pushes nothing", "remove one of the two")
    if config.pin is Pin.DIGEST:
        message = f"{load}, where only its tag and its config name it: no registry gives it a digest"
        yield Finding(
            ("services", name, "pin"), message, "remove one of the two: the tag of a loaded build never moves"
        )
    if "," in config.build.platform:
        message = f"{load}, and those take one platform"
        yield Finding(("services", name, "build", "platform"), message, "name the one that the nodes have, or none")


def _workloads(name: str, config: ServiceConfig, scope: Scope) -> tuple[WorkloadKey, ...]:
    named = [parse_workload(text) for text in config.workload] or [("deployment", name)]
    namespace = config.namespace or scope.namespace
    return tuple(dict.fromkeys(WorkloadKey(namespace, kind, workload) for kind, workload in named))


def _reference(name: str, key: str, text: str, tag: str, scope: Scope, findings: list[Finding]) -> ImageRef | None:
    values = {"user": scope.user, "branch": scope.branch, "service": name}
    for part, part_key in ((text, key), (tag, "tag")):
        missing = missing_filling(part, values)
        if missing:
            findings.append(_no_filling(("services", name, part_key), part, missing))
            return None
    try:
        ref = ImageRef.parse(fill(text, values, repository=True))
        return ImageRef.parse(str(ref.with_tag(fill(tag, values))))
    except InvalidReferenceError as error:
        findings.append(Finding(("services", name, "tag"), str(error), "write a shorter or a plainer tag"))
        return None


def _no_filling(place: tuple[str, ...], text: str, name: str) -> Finding:
    why = {
        "user": "there is no user name here",
        "branch": "the source is on no git branch",
    }.get(name, "it is empty")
    return Finding(place, f"`{text}` needs `{{{name}}}`, and {why}", 'write a tag of your own, like `tag = "dev-NAME"`')


def absolute(root: Path, text: str) -> Path:
    """A path of the file: relative to its folder, without `.` and `..`."""
    return Path(os.path.normpath(root / text))


def build_spec(config: BuildConfig, root: Path) -> BuildSpec:
    """The build with absolute paths, also those inside `secrets`, `ssh`, `cache_from` and `cache_to`."""
    context = absolute(root, config.context)
    return BuildSpec(
        context=context,
        dockerfile=absolute(root, config.dockerfile) if config.dockerfile else context / "Dockerfile",
        target=config.target,
        args=tuple(sorted(config.args.items())),
        secrets=tuple(_with_absolute(spec, root, ("src", "source")) for spec in config.secrets),
        ssh=tuple(_ssh(spec, root) for spec in config.ssh),
        platform=config.platform,
        builder=config.builder,
        cache_from=tuple(_local_cache(spec, root, "src") for spec in config.cache_from),
        cache_to=tuple(_local_cache(spec, root, "dest") for spec in config.cache_to),
        flags=config.flags,
        delta=config.delta,
    )


def _with_absolute(spec: str, root: Path, keys: Sequence[str]) -> str:
    """A `key=value,...` specification in which the values of some keys are paths."""
    return ",".join(
        f"{key}={absolute(root, value)}" if equals and key.strip().lower() in keys else f"{key}{equals}{value}"
        for key, equals, value in (part.partition("=") for part in spec.split(","))
    )


def _ssh(spec: str, root: Path) -> str:
    """`ID[=SOCKET|KEY[,KEY...]]`."""
    name, equals, paths = spec.partition("=")
    return name + equals + ",".join(str(absolute(root, path)) for path in paths.split(",")) if equals else spec


def _local_cache(spec: str, root: Path, key: str) -> str:
    return _with_absolute(spec, root, (key,)) if "type=local" in spec.split(",") else spec


def secret_files(build: BuildSpec) -> tuple[Path, ...]:
    """The files that the build's secrets are read from."""
    parts = (part.partition("=") for spec in build.secrets for part in spec.split(","))
    return tuple(Path(value) for key, _, value in parts if key.strip().lower() in {"src", "source"})
