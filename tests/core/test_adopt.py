"""What a live workload implies, and which one a folder belongs to."""

import tomllib

import pytest

from devloop.core.adopt import addition, adopt, beside, match_deployments, to_toml
from devloop.core.config import Config
from devloop.core.failure import Failure, FailureCode
from devloop.core.service import WorkloadKey
from devloop.core.workload import ContainerSpec, Deployment, Template


def deployment(name: str, *containers: tuple[str, str], init: tuple[tuple[str, str], ...] = ()) -> Deployment:
    specs = [ContainerSpec(c, image, "IfNotPresent", init=True) for c, image in init]
    specs += [ContainerSpec(c, image, "IfNotPresent") for c, image in containers]
    return Deployment(
        key=WorkloadKey("shop", "deployment", name),
        uid="u",
        resource_version="1",
        generation=1,
        observed_generation=1,
        replicas=1,
        paused=False,
        strategy="RollingUpdate",
        max_surge="25%",
        max_unavailable="25%",
        progress_deadline=600,
        template=Template(tuple(specs)),
    )


def adopted(*args: object, **keys: str) -> Config:
    config = adopt(*args, **keys)  # type: ignore[arg-type]
    assert isinstance(config, Config), config
    return config


def test_the_only_container_gives_the_repository_and_never_its_tag() -> None:
    config = adopted(deployment("api", ("app", "localhost:5001/shop/api:v1.4")))
    assert to_toml(config) == (
        '[cluster]\nnamespace = "shop"\n\n[services.api]\nimage = "localhost:5001/shop/api"\n'
        'workload = "deployment/api"\ncontainer = "app"\n'
    )


@pytest.mark.parametrize("build", [".", "services/api", 'odd "name"/${x}'])
def test_the_written_file_loads_back(build: str) -> None:
    config = adopted(deployment("api.v1", ("app", "h:5000/api@sha256:" + "0" * 64)), build=build)
    text = to_toml(config).replace("$${", "${")
    assert Config.model_validate(tomllib.loads(text)) == config
    assert config.services["api.v1"].build.context == build


@pytest.mark.parametrize(
    ("there", "name", "namespaced"),
    [
        ('[cluster]\nallow = ["prod"]\n', "api", True),
        ('[cluster]\nnamespace = "shop"\n', "api", False),
        ('[cluster]\nnamespace = "else"\n', "api", True),
        ('[services.web]\nimage = "h:5000/web"\n[services.web.build]\ntarget = "dev"\n', "api", True),
        ('[services.api]\nimage = "h:5000/x"\n[services.api-2]\nimage = "h:5000/y"\n', "api-3", True),
    ],
)
def test_what_a_file_lacks_can_come_below_all_that_it_has(there: str, name: str, namespaced: bool) -> None:
    present = Config.model_validate(tomllib.loads(there))
    found = beside(adopted(deployment("api", ("app", "h:5000/api:1"))), present)
    both = Config.model_validate(tomllib.loads(there + addition(found, present, "src/api")))
    assert (both.cluster, {*both.services}) == (present.cluster, {*present.services, name})
    assert both.services[name].build.context == "src/api"
    assert (both.services[name].namespace or both.cluster.namespace) == "shop"
    assert bool(both.services[name].namespace) is namespaced
    assert {*found.services} == {name}, "the session calls it the same"


def test_init_containers_of_the_same_repository_belong_to_it() -> None:
    live = deployment("api", ("app", "h:5000/api:1"), init=(("migrate", "h:5000/api:1"), ("wait", "h:5000/wait:1")))
    assert adopted(live).services["api"].container == ("migrate", "app")
    assert adopted(live, "migrate").services["api"].container == ("migrate",)


@pytest.mark.parametrize(
    "containers",
    [(("api", "h:5000/x:1"), ("proxy", "h:5000/proxy")), (("app", "h:5000/shop/api:1"), ("proxy", "h:5000/proxy"))],
)
def test_among_several_the_one_that_carries_the_workloads_name(containers: tuple[tuple[str, str], ...]) -> None:
    assert adopted(deployment("api", *containers)).services["api"].container == (containers[0][0],)


@pytest.mark.parametrize(
    ("live", "container", "failure"),
    [
        (
            deployment("api", ("a", "h:5000/a"), ("b", "h:5000/b")),
            None,
            Failure(
                FailureCode.CONTAINER_ABSENT,
                "`deployment/api` has 2 containers (`a` and `b`), and it is not clear which one to build",
                "write a `devloop.toml` that names it with `container`, or let `devloop init` do so",
            ),
        ),
        (
            deployment("api", ("app", "h:5000/a"), ("proxy", "h:5000/b")),
            "ap",
            Failure(FailureCode.CONTAINER_ABSENT, "`deployment/api` has no container `ap`", "did you mean `app`?"),
        ),
        (
            deployment("api", ("app", "h:5000/a"), ("proxy", "h:5000/b")),
            "zzz",
            Failure(
                FailureCode.CONTAINER_ABSENT,
                "`deployment/api` has no container `zzz`",
                "its containers are `app` and `proxy`",
            ),
        ),
        (
            deployment("api", ("app", "shop/api:1")),
            None,
            Failure(
                FailureCode.CONFIG_INVALID,
                "container `app` of `deployment/api` runs `shop/api:1`, which names no registry host, "
                "so it is not clear where to push it",
                "write a `devloop.toml` with the `image` to push to, like `HOST/NAME` (`devloop init` proposes one), "
                "or `docker.io/shop/api` if Docker Hub is meant",
            ),
        ),
    ],
)
def test_what_cannot_be_adopted(live: Deployment, container: str | None, failure: Failure) -> None:
    assert adopt(live, container) == failure


API = deployment("api", ("app", "h:5000/backend:1"))
WEB = deployment("web", ("app", "h:5000/shop/front_end:1"))
DB = deployment("db", ("pg", "postgres:16"))


def naming(workload: str) -> str:
    return f"devloop plan {workload} -n shop"


@pytest.mark.parametrize(
    ("folder", "found"),
    [("api", API), ("API", API), ("backend", API), ("front-end", WEB), ("front_end", WEB), ("postgres", DB)],
)
def test_the_deployment_that_a_folder_belongs_to(folder: str, found: Deployment) -> None:
    assert match_deployments([API, WEB, DB], folder, "shop", naming) is found


def test_a_name_goes_before_an_image() -> None:
    other = deployment("other", ("app", "h:5000/api:1"))
    assert match_deployments([other, API], "api", "shop", naming) is API


def test_the_only_one_needs_no_name() -> None:
    assert match_deployments([DB], "src", "shop", naming) is DB


def test_undecided() -> None:
    found = match_deployments([WEB, API], "src", "shop", naming)
    assert isinstance(found, Failure)
    assert found.message == "2 Deployments could be built from `src`: `deployment/api` and `deployment/web`"
    assert found.hint == "name one: `devloop plan deployment/api -n shop`"


def test_several_of_one_image_are_undecided_even_beside_others() -> None:
    twins = [deployment(f"job-{n}", ("app", "h:5000/src:1")) for n in range(12)]
    found = match_deployments([*twins, API], "src", "shop", naming)
    assert isinstance(found, Failure)
    assert found.message.startswith("12 Deployments")
    assert found.message.endswith("and more")


def test_none() -> None:
    found = match_deployments([], "src", "shop", naming)
    assert isinstance(found, Failure)
    assert found.code is FailureCode.WORKLOAD_ABSENT
    assert found.message == "there is no Deployment in namespace shop"
