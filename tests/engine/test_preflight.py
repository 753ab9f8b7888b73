"""The preflight: everything that is missing, in one go."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from devloop.core.events import CheckFinished, Event
from devloop.core.failure import ExitCode, Failure, FailureCode
from devloop.core.image import ImageRef, ResolvedImage
from devloop.core.ports import Access, BuildProgress, BuildRequest, Built
from devloop.core.service import Service, WorkloadKey
from devloop.engine.preflight import preflight
from tests.core.workloads import container, raw, service
from tests.headless.test_events_doc import TEXT

AWAY = Failure(FailureCode.CLUSTER_UNREACHABLE, "the API server refuses the connection", "start it")
NO_ENGINE = Failure(FailureCode.ENGINE_UNREACHABLE, "the engine does not answer", "start it")
DENIED = Failure(FailureCode.REGISTRY_DENIED, "the registry does not know you", "docker login")


@dataclass
class Cluster:
    """The API server, as a preflight asks it; everything is there and allowed unless it is said not to be."""

    away: Failure | None = None
    workload: Mapping[str, Any] | Failure | None = field(default_factory=lambda: raw([container()]))
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    review: Failure | None = None
    read_keys: list[WorkloadKey] = field(default_factory=list)

    async def ping(self) -> Failure | None:
        return self.away

    async def read(self, key: WorkloadKey) -> Mapping[str, Any] | Failure | None:
        self.read_keys.append(key)
        return self.workload

    async def allowed(self, access: Access) -> bool | Failure:
        return self.review or (access.verb, access.resource) not in self.forbidden

    async def patch(self, key: WorkloadKey, body: Any, *, json_patch: bool = False) -> Mapping[str, Any] | Failure:
        raise AssertionError("a preflight writes nothing")

    async def logs(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail: int = 20
    ) -> Sequence[str] | Failure:
        raise AssertionError("a preflight reads no logs")


@dataclass
class Registry:
    answer: Failure | None = None
    asked: list[str] = field(default_factory=list)

    async def check(self, ref: ImageRef) -> Failure | None:
        self.asked.append(str(ref))
        return self.answer

    async def resolve(self, ref: ImageRef, *, configs: bool = True) -> ResolvedImage | Failure | None:
        raise AssertionError("a preflight reads no image")


@dataclass
class Builder:
    answer: Failure | None = None
    asked: list[BuildRequest] = field(default_factory=list)
    name: str = "buildx"

    async def check(self, request: BuildRequest) -> Failure | None:
        self.asked.append(request)
        return self.answer

    async def build(self, request: BuildRequest, progress: Callable[[BuildProgress], None]) -> Built | Failure:
        raise AssertionError("a preflight builds nothing")


@dataclass
class World:
    cluster: Cluster = field(default_factory=Cluster)
    registry: Registry = field(default_factory=Registry)
    builder: Builder = field(default_factory=Builder)


async def checked(world: World, *services: Service) -> tuple[ExitCode, dict[str, CheckFinished]]:
    """The exit code, and every check by its name."""
    events: list[Event] = []
    code = await preflight(
        services or (service(),), world.builder, world.registry, world.cluster, world.cluster.ping, "linux/amd64",
        events.append,
    )  # fmt: skip
    found = {event.check: event for event in events if isinstance(event, CheckFinished)}
    assert len(found) == len(events), "each check is told once"
    return code, found


def failed(checks: dict[str, CheckFinished]) -> dict[str, str]:
    """The codes of what is missing."""
    return {name: check.code for name, check in checks.items() if not check.ok}


async def test_all_is_there() -> None:
    code, checks = await checked(World())
    assert code is ExitCode.DONE
    assert {name: check.message for name, check in checks.items()} == {
        "cluster": "answers",
        "workload deployment/web": "container web",
        "permissions in shop": "all that devloop needs",
        "registry of localhost:5001/shop/web": "there, and takes the credentials found for it",
        "builder": "ready",
    }
    assert all(check.ok and not check.hint and not check.code for check in checks.values())


async def test_all_that_is_missing_is_told_in_one_go_and_the_highest_exit_code_counts() -> None:
    world = World(Cluster(workload=None, forbidden={("patch", "deployments")}), Registry(DENIED), Builder(NO_ENGINE))
    code, checks = await checked(world)
    assert failed(checks) == {
        "workload deployment/web": "workload_absent",
        "permissions in shop": "cluster_denied",
        "registry of localhost:5001/shop/web": "registry_denied",
        "builder": "engine_unreachable",
    }
    assert code is ExitCode.UNREACHABLE
    refused = Failure(FailureCode.CONTEXT_REFUSED, "not this context")
    assert (await checked(World(Cluster(workload=refused), Registry(DENIED))))[0] is ExitCode.CONTEXT_REFUSED


async def test_every_check_that_fails_has_its_next_step() -> None:
    world = World(Cluster(workload=None, forbidden={("watch", "pods")}), Registry(DENIED), Builder(NO_ENGINE))
    _, checks = await checked(world)
    assert all(check.message and check.hint for check in checks.values() if not check.ok)


async def test_a_cluster_that_is_away_is_asked_nothing_else_but_the_rest_is() -> None:
    world = World(Cluster(away=AWAY), builder=Builder(NO_ENGINE))
    code, checks = await checked(world)
    assert failed(checks) == {"cluster": "cluster_unreachable", "builder": "engine_unreachable"}
    assert checks["registry of localhost:5001/shop/web"].ok
    assert (code, world.cluster.read_keys) == (ExitCode.UNREACHABLE, [])


async def test_what_one_may_not_do_is_named_verb_by_verb() -> None:
    cluster = Cluster(forbidden={("patch", "deployments"), ("watch", "pods")})
    _, checks = await checked(World(cluster))
    denied = checks["permissions in shop"]
    assert denied.message == "you may not patch deployments, watch pods in namespace shop"
    assert "kubectl auth can-i patch deployments -n shop" in denied.hint


async def test_a_review_that_fails_is_told_as_it_is() -> None:
    _, checks = await checked(World(Cluster(review=AWAY)))
    assert checks["permissions in shop"].message == AWAY.message


async def test_a_container_that_the_workload_does_not_have() -> None:
    code, checks = await checked(World(), service("localhost:5001/shop/web:dev", "worker"))
    assert failed(checks) == {"workload deployment/web": "container_absent"}
    assert code is ExitCode.UNREACHABLE


async def test_equal_questions_are_asked_once() -> None:
    web = service()
    world = World()
    api = replace(
        web, name="api", workloads=(WorkloadKey("shop", "deployment", "api"), WorkloadKey("jobs", "deployment", "cron"))
    )
    _, checks = await checked(world, web, api)
    assert world.registry.asked == ["localhost:5001/shop/web:dev"]
    assert len(world.builder.asked) == 1
    assert world.builder.asked[0].platform == "linux/amd64"
    assert [name for name in checks if name.startswith("permissions")] == ["permissions in jobs", "permissions in shop"]


async def test_every_builder_and_every_platform_of_its_own_is_asked() -> None:
    web = service()
    world = World()
    build = replace(web.build, builder="remote", platform="linux/arm64")
    remote = replace(web, name="arm", workloads=(WorkloadKey("shop", "deployment", "arm"),), build=build)
    _, checks = await checked(world, web, remote)
    assert {"builder", "builder remote"} <= set(checks)
    assert [request.platform for request in world.builder.asked] == ["linux/amd64", "linux/arm64"]


async def test_an_engine_that_is_away_is_told_once_and_doctor_is_named() -> None:
    web = service()
    push = ImageRef.parse("registry.example/shop/api:dev")
    api = replace(web, name="api", push=push, workloads=(WorkloadKey("shop", "deployment", "api"),))
    world = World(builder=Builder(NO_ENGINE))
    _, checks = await checked(world, web, api)
    assert len(world.builder.asked) == 2, "each registry may be out of a builder's reach by itself"
    assert failed(checks) == {"builder": "engine_unreachable"}
    assert checks["builder"].hint == "start it; `devloop doctor` tells more"
    named = replace(api, build=replace(api.build, builder="remote"))
    assert len(failed((await checked(World(builder=Builder(NO_ENGINE)), web, named))[1])) == 1


async def test_every_check_is_in_the_contract() -> None:
    web = service()
    named = replace(web, workloads=(), build=replace(web.build, builder="remote"))
    _, checks = await checked(World(), web, named)
    table = re.findall(r"^\| (`.+?) \|", TEXT.partition("\n## Checks\n")[2].partition("\n## ")[0], re.MULTILINE)
    told = {name for first in table for name in re.findall("`([^`]+)`", first)}
    filled = {re.sub(r"KIND/NAME|NAMESPACE|NAME", "x", name) for name in told}
    names = r"deployment/web|localhost:5001/shop/web|remote|(?<= in )shop"
    assert {re.sub(names, "x", name) for name in checks} == filled


async def test_a_container_belongs_to_one_service_also_where_the_file_does_not_name_it() -> None:
    """The file alone cannot tell: which containers are meant by default depends on the live workload."""
    both = (
        replace(service(), name="a"),
        replace(service(), name="b", workloads=(WorkloadKey("other", "deployment", "web"), *service().workloads)),
    )
    code, checks = await checked_twice(World(), *both)
    assert code is ExitCode.USAGE
    assert any("belongs to two services" in check.message for check in checks)


async def checked_twice(world: World, *services: Service) -> tuple[ExitCode, list[CheckFinished]]:
    """As `checked`, where one workload is checked for two services."""
    events: list[Event] = []
    code = await preflight(
        services, world.builder, world.registry, world.cluster, world.cluster.ping, "linux/amd64", events.append
    )
    return code, [event for event in events if isinstance(event, CheckFinished)]


async def test_a_workload_of_a_guessed_namespace_is_looked_for_with_init() -> None:
    missing = World(cluster=Cluster(workload=None))
    said, guessed = service(), replace(service(), is_guessed=True)
    _, checks = await checked(missing, said)
    plain = checks["workload deployment/web"].hint
    assert "devloop init" not in plain
    _, checks = await checked(missing, guessed)
    assert checks["workload deployment/web"].hint.startswith("no file says the namespace: `devloop init` finds it")
    assert checks["workload deployment/web"].hint.endswith(plain)
    denied = World(cluster=Cluster(workload=Failure(FailureCode.CLUSTER_DENIED, "you may not", "ask for it")))
    _, checks = await checked(denied, guessed)
    assert checks["workload deployment/web"].hint == "ask for it"
