"""What follows an edit in the other parts of a session, over scripted ports; and that a refused one changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from devloop.adapters.deltabuilder import DeltaBuilder
from devloop.adapters.kubeconfig import PinnedContext
from devloop.adapters.watcher import FileWatcher
from devloop.core import events as ev
from devloop.core.config import Config
from devloop.core.failure import Failure, FailureCode
from devloop.core.ports import LogTail, Watched
from devloop.core.problems import Problems
from devloop.core.reconfigure import difference
from devloop.core.service import Service, WorkloadKey
from devloop.core.settings import Settings
from devloop.core.workload import Snapshot
from devloop.engine.leaseholder import Leaseholder
from devloop.session.assembly import Assembly
from devloop.session.live import Edit
from devloop.session.project import Place, Project
from devloop.session.switchover import Switchover
from tests.engine.conftest import run_in_fake_time
from tests.engine.test_conductor import session
from tests.engine.world import Bench, World, service

LOOP = {"debounce": "1s", "rollout_timeout": "9s", "audit": True}


def key(name: str) -> WorkloadKey:
    return WorkloadKey("shop", "deployment", name)


class Parts:
    """Writes down what is asked of the watcher, the observer, the logs and the builder."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.did: list[tuple[object, ...]] = []
        self.watched: dict[str, Service] = {one.name: one for one in world.services}
        self.unwatchable: set[str] = set()
        self.audited: object = None

    async def add(self, one: Service) -> Watched | Failure:
        if one.name in self.unwatchable:
            return Failure(FailureCode.CONFIG_INVALID, f"the context of {one.name} is no folder", "create it")
        self.watched[one.name] = one
        return Watched(3, ())

    async def remove(self, name: str) -> None:
        del self.watched[name]

    def debounce(self, seconds: float) -> None:
        self.did.append(("debounce", seconds))

    def follow(self, key: WorkloadKey) -> None:
        self.did.append(("follow", key.name))

    def unfollow(self, key: WorkloadKey) -> None:
        self.did.append(("unfollow", key.name))

    def forget(self, name: str, kept: Collection[WorkloadKey] = ()) -> None:
        self.did.append(("forget", name, tuple(each.name for each in kept)))

    def retain(self, services: Collection[Service]) -> None:
        self.did.append(("retain", *(one.name for one in services)))

    async def check(self, request: Any) -> Failure | None:
        return await self.world.check(request)

    async def ping(self) -> Failure | None:
        return None


class Held:
    """The workloads whose Leases are the session's, and the services that ran when they came and went."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.keys = {key for one in bench.world.services for key in one.workloads}
        self.while_running: list[tuple[str, set[str]]] = []

    async def add(self, keys: Collection[WorkloadKey]) -> None:
        self.keys |= set(keys)
        self.while_running.append(("add", set(self.bench.log.state.services)))

    async def remove(self, keys: Collection[WorkloadKey]) -> None:
        self.keys -= set(keys)
        self.while_running.append(("remove", set(self.bench.log.state.services)))


@dataclass
class Stand:
    """A session that works, and the way to edit its services."""

    bench: Bench
    parts: Parts
    project: Project
    observed: list[Snapshot]
    held: Held

    async def edit(self, *services: Service, loop: dict[str, Any] | None = None) -> Problems | None:
        before = self.project
        config = Config.model_validate({"loop": loop or {}})
        after = replace(before, services=services, place=replace(before.place, config=config))
        found = difference(before.services, services)
        return await self._switchover().go_over(Edit(after, config, found, Settings()), before)

    def _switchover(self) -> Switchover:
        parts, world = self.parts, self.bench.world
        ports = SimpleNamespace(read=world.read, allowed=world.allowed, ping=parts.ping)
        registry = SimpleNamespace(check=world.check)
        assembly = SimpleNamespace(registry=registry, cluster=ports, observer=parts)
        return Switchover(
            cast(Assembly, assembly), cast(DeltaBuilder, parts), cast(FileWatcher, parts), self.bench.conductor,
            self.bench.observations, cast(Leaseholder, self.held), self.bench.facts, cast(LogTail, parts),
            self.bench.log.emit, self.observed.append, lambda request, differing: None, self._work_by,
        )  # fmt: skip

    def _work_by(self, project: Project) -> None:
        self.project = project


def play(act: Callable[[Stand], Awaitable[None]]) -> Stand:
    """Services `web` and `api` are verified, and then it acts."""
    stands: list[Stand] = []

    async def scenario() -> None:
        services = service("web"), service("api")
        bench = Bench(World(services))
        place = Place(Config(), "devloop.toml", Path(), PinnedContext("kind-dev", "", "shop", ""), (), "shop")
        stand = Stand(bench, Parts(bench.world), Project(place, services, ""), [], Held(bench))
        stands.append(stand)

        async def acts() -> None:
            await asyncio.sleep(20)
            await act(stand)
            await asyncio.sleep(20)

        await session(bench, acts)

    run_in_fake_time(scenario, eager=False)
    return stands[0]


def events(stand: Stand, *types: type[ev.Event]) -> list[ev.Event]:
    return [record.event for record in stand.bench.records if isinstance(record.event, types)]


def test_every_part_follows() -> None:
    moved = replace(service("web"), workloads=(key("site"),), ignore=("*.md",))

    async def act(stand: Stand) -> None:
        stand.bench.world.adopt(moved, service("worker"))
        stand.parts.did.clear()
        assert await stand.edit(moved, service("worker"), loop=LOOP) is None

    stand = play(act)
    assert stand.parts.did == [
        ("debounce", 1.0), *sorted([("follow", "site"), ("follow", "worker")], key=stand.parts.did.index),
        *sorted([("unfollow", "web"), ("unfollow", "api")], key=stand.parts.did.index),
        ("forget", "api", ()), ("forget", "web", ("site",)), ("retain", "web", "worker"),
    ]  # fmt: skip
    assert stand.parts.watched == {"web": moved, "worker": service("worker")}
    assert {each.name for each in stand.held.keys} == {"site", "worker"}
    assert stand.held.while_running == [("add", {"web", "api"}), ("remove", {"web", "worker"})]
    assert (stand.bench.facts.rollout_timeout, stand.parts.audited is not None) == (9.0, True)
    assert "api" not in stand.bench.facts.pushed
    assert stand.bench.observations.latest(key("api")) is None
    assert {seen.key.name for seen in stand.observed} == {"site", "worker"}
    assert events(stand, ev.WatchStarted) == [ev.WatchStarted("worker", 3), ev.WatchStarted("web", 3)]
    assert events(stand, ev.ConfigAccepted) == [ev.ConfigAccepted("devloop.toml")]


def test_what_did_not_change_is_watched_as_before() -> None:
    async def act(stand: Stand) -> None:
        stand.parts.unwatchable |= {"web", "api"}  # whoever asks for these anew is told of it
        built = replace(service("web"), build=replace(service("web").build, args=(("A", "b"),)))
        assert await stand.edit(built, service("api")) is None

    stand = play(act)
    assert not [each for each in stand.parts.did if each[0] in {"follow", "unfollow"}]


def test_an_edit_of_which_one_part_cannot_be_watched_changes_nothing() -> None:
    async def act(stand: Stand) -> None:
        stand.bench.world.adopt(service("web"), service("api"), service("worker"))
        stand.parts.unwatchable.add("api")
        wanted = [replace(service(name), ignore=("*.md",)) for name in ("web", "api")]
        found = await stand.edit(service("worker"), *wanted, loop=LOOP)
        assert [problem.message for problem in found or ()] == ["the context of api is no folder"]

    stand = play(act)
    assert stand.parts.watched == {"web": service("web"), "api": service("api")}
    assert stand.parts.did == []
    assert [each.name for each in stand.project.services] == ["web", "api"]
    assert list(stand.bench.log.state.services) == ["web", "api"]
    assert events(stand, ev.ConfigAccepted, ev.ServiceAdded, ev.ServiceChanged) == []
    asked = [each for each in events(stand, ev.CycleRequested) if isinstance(each, ev.CycleRequested)]
    assert [(each.service, each.trigger) for each in asked] == [("web", ev.Trigger.CONFIG)]


def test_a_container_that_two_services_would_run_in_is_refused() -> None:
    """Also where only one of them is new."""

    async def act(stand: Stand) -> None:
        twin = replace(service("twin"), workloads=(key("web"),))
        found = await stand.edit(service("web"), service("api"), twin)
        assert ["belongs to two services, web and twin" in problem.message for problem in found or ()] == [True]

    assert list(play(act).bench.log.state.services) == ["web", "api"]


def test_what_only_goes_asks_nobody() -> None:
    """Not the cluster either, which may be away."""

    async def act(stand: Stand) -> None:
        stand.bench.lose_cluster()
        assert await stand.edit(service("web")) is None

    assert list(play(act).bench.log.state.services) == ["web"]
