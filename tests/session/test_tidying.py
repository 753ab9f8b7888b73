"""When the images that were loaded before are removed: after the last of their Pods, and never on the way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from devloop.adapters.oldimages import OldImages
from devloop.core.events import Event, Log, WarningRaised
from devloop.core.failure import Failure, FailureCode
from devloop.core.load import Loaded
from devloop.core.ports import BuildRequest
from devloop.core.service import Load, Service, WorkloadKey
from devloop.core.workload import ContainerSpec, Snapshot, Template
from devloop.session.tidying import Tidying
from tests.core.workloads import pod, service, snapshot

OLD, NEW = Loaded("web:dev-0ld", ("sha256:0ld",)), Loaded("web:dev-new", ("sha256:new",))
WEB = replace(service("web:dev"), load=Load.KIND)


def shows(asked: str, *running: str) -> Snapshot:
    template = Template((ContainerSpec("web", asked, "IfNotPresent"), ContainerSpec("mesh", "mesh:1", "Always")))
    pods = [
        replace(pod(f"web-{number}"), specs=(ContainerSpec("web", image, "IfNotPresent"),))
        for number, image in enumerate(running)
    ]
    return snapshot(*pods, template=template)


@dataclass
class Fake:
    """Images that were loaded, and what was asked to be removed."""

    images: tuple[Loaded, ...] = (OLD, NEW)
    asked: list[BuildRequest] = field(default_factory=list)
    failure: Failure | None = None

    def loaded(self, request: BuildRequest) -> tuple[Loaded, ...]:
        return self.images

    async def remove(self, request: BuildRequest, load: Load, removed: Callable[[str], None]) -> Failure | None:
        self.asked.append(request)
        await asyncio.sleep(0)
        if self.failure is None:
            removed("removed")
        return self.failure


@dataclass
class Scene:
    old: Fake = field(default_factory=Fake)
    services: tuple[Service, ...] = (WEB,)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        old: Any = self.old
        self.tidying = Tidying(cast("OldImages", old), lambda: self.services, self.events.append)

    async def look(self, *snapshots: Snapshot) -> int:
        for each in snapshots:
            self.tidying.look(each)
        await self.tidying.close()
        return len(self.old.asked)


async def test_the_last_pod_of_an_old_image_ends_it() -> None:
    scene = Scene()
    assert await scene.look(shows("web:dev-0ld", "web:dev-0ld")) == 0, "the new one is not on the workload yet"
    assert await scene.look(shows("web:dev-new", "web:dev-0ld", "web:dev-new")) == 0
    assert await scene.look(shows("web:dev-new", "docker.io/library/web:dev-new")) == 1
    assert [event.text for event in scene.events if isinstance(event, Log)] == ["removed"]


async def test_it_is_done_once_for_each_newest_image() -> None:
    scene = Scene()
    there = shows("web:dev-new", "web:dev-new")
    assert await scene.look(there, there, there) == 1
    scene.old.images = (NEW, OLD)
    assert await scene.look(shows("web:dev-0ld", "web:dev-0ld")) == 2


@pytest.mark.parametrize(
    ("images", "services"), [((NEW,), (WEB,)), ((), (WEB,)), ((OLD, NEW), (replace(WEB, load=None),))]
)
async def test_there_is_nothing_to_do(images: tuple[Loaded, ...], services: tuple[Service, ...]) -> None:
    scene = Scene(Fake(images), services)
    assert await scene.look(shows("web:dev-new", "web:dev-new")) == 0


async def test_services_of_one_build_wait_for_each_other() -> None:
    other = WorkloadKey("shop", "deployment", "worker")
    scene = Scene(services=(WEB, replace(WEB, name="worker", workloads=(other,))))
    there = shows("web:dev-new", "web:dev-new")
    assert await scene.look(there) == 0, "the other was not seen yet"
    assert await scene.look(replace(shows("web:dev-0ld"), key=other)) == 0
    assert await scene.look(replace(there, key=other)) == 1


async def test_what_could_not_be_removed_is_told_once() -> None:
    scene = Scene(Fake(failure=Failure(FailureCode.LOAD_FAILED, "no", "hint")))
    await scene.look(shows("web:dev-new", "web:dev-new"))
    scene.old.images = (NEW, OLD)
    await scene.look(shows("web:dev-0ld", "web:dev-0ld"))
    assert scene.events == [WarningRaised("web", "load", "no", "hint")]
