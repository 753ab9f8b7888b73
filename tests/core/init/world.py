"""Projects and clusters made by hand, in a line each."""

from collections.abc import Mapping

from devloop.core.init.draft import Draft, Target, draft
from devloop.core.init.match import Matching, match
from devloop.core.init.registry import Place, places
from devloop.core.init.source import FoundDockerfile, Source, StatedBuild, sources
from devloop.core.init.surroundings import Surroundings
from devloop.core.init.workload import Live
from devloop.core.service import WorkloadKey
from devloop.core.workload import ContainerSpec

LOCAL = Target("kind-dev", local=True, permitted=True)
FAR = Target("prod", local=False, permitted=False)
HOSTING = {"host": "localhost:5001", "hostFromContainerRuntime": "registry:5000"}
KIND = Surroundings(HOSTING)


def running(
    name: str, *images: str, kind: str = "deployment", namespace: str = "shop", init: tuple[str, ...] = (),
    names: tuple[str, ...] = (), labels: Mapping[str, str] | None = None,
) -> Live:  # fmt: skip
    """A workload whose containers run these images; they are called `c0`, `c1`, ... unless `names` says otherwise."""
    specs = [ContainerSpec(f"i{n}", image, "", init=True) for n, image in enumerate(init)]
    named = names or tuple(f"c{n}" for n in range(len(images)))
    specs += [ContainerSpec(name, image, "") for name, image in zip(named, images, strict=True)]
    return Live(WorkloadKey(namespace, kind, name), tuple(specs), labels or {})


def project(
    *paths: str | FoundDockerfile, stated: tuple[StatedBuild, ...] = (), name: str = "shop"
) -> tuple[Source, ...]:
    """The sources of Dockerfiles, each built in its own folder unless it says otherwise."""
    found = [each if isinstance(each, FoundDockerfile) else dockerfile(each) for each in paths]
    return sources(found, stated, name)


def dockerfile(path: str, *bases: str) -> FoundDockerfile:
    return FoundDockerfile(path, path.rpartition("/")[0] or ".", bases)


def compose(name: str, context: str, image: str = "", **more: object) -> StatedBuild:
    path = "Dockerfile" if context == "." else f"{context}/Dockerfile"
    return StatedBuild("compose.yaml", path, context, name, image, **more)  # type: ignore[arg-type]


def skaffold(context: str, image: str) -> StatedBuild:
    return StatedBuild("skaffold.yaml", f"{context}/Dockerfile", context, image=image)


def matching(found: tuple[Source, ...], *live: Live, around: Surroundings = KIND) -> Matching:
    return match(found, live, project="shop", around=around)


def drafted(
    found: tuple[Source, ...], *live: Live, around: Surroundings = KIND, target: Target = LOCAL, shared: bool = True,
    place: Place | None = None,
) -> Draft:  # fmt: skip
    """The whole way from files and workloads to what is proposed; images go to the first place that is found."""
    found_out = matching(found, *live, around=around)
    known = places(live, found_out.matched, around)
    best = place or (known[0] if known else None)
    return draft(found_out, target, around, best, project="shop", shared=shared)
