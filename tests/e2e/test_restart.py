"""A restart without a build on a real cluster: new Pods of the same image, and the proof of it."""

import asyncio
from collections.abc import Callable

import pytest

from devloop.core import events as ev
from devloop.core.commands import Restart
from devloop.core.failure import ExitCode
from devloop.session.project import Project, open_project
from devloop.session.renderers import Output
from devloop.session.request import Request
from devloop.session.up import Options, Session
from tests.e2e.harness import PATIENCE, replica_sets
from tests.e2e.scene import Scene
from tests.e2e.talk import speak

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


class Heard:
    """What a session says, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self._more = asyncio.Event()

    def feed(self, records: list[ev.Record]) -> None:
        self.events += [record.event for record in records]
        self._more.set()

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not met():
                self._more.clear()
                await self._more.wait()

    def ends(self) -> list[ev.CycleFinished]:
        return [event for event in self.events if isinstance(event, ev.CycleFinished)]

    def phases(self, cycle: int) -> list[str]:
        return [event.phase for event in self.events if isinstance(event, ev.PhaseStarted) and event.cycle == cycle]


def running(scene: Scene) -> dict[str, str]:
    """Each Pod, and the digest that it reports."""
    statuses = {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0] for pod in scene.pods()}
    return {name: status["imageID"].rpartition("@")[2] for name, status in statuses.items()}


async def test_every_pod_is_new_and_runs_the_image_that_was_pushed_last(scene: Scene) -> None:
    speak(scene, "one")
    scene.deploy(replicas=2)
    scene.configure()
    project = await open_project(Request(file=scene.folder / "devloop.toml"))
    assert isinstance(project, Project)
    heard = Heard()
    session = Session(project, Options(Output.PLAIN), heard.feed)
    whole = asyncio.ensure_future(session.run())
    await heard.until(lambda: bool(heard.ends()))
    before, revisions = running(scene), replica_sets(scene.kubectl, scene.namespace, "web")

    session.send(Restart("web"))
    await heard.until(lambda: len(heard.ends()) == 2)

    first, second = heard.ends()
    assert (first.outcome, second.outcome) == (ev.Outcome.VERIFIED, ev.Outcome.VERIFIED), second.failure
    assert second.digest == first.digest
    assert heard.phases(2) == ["rollout", "verify"]
    assert ev.CycleRequested("web", ev.Trigger.KEY, "restart", restart=True) in heard.events
    assert ev.CycleStarted("web", 2, ev.Trigger.KEY, text="restart") in heard.events
    after = running(scene)
    assert before.keys().isdisjoint(after)
    assert {*before.values(), *after.values()} == {first.digest}
    assert len(replica_sets(scene.kubectl, scene.namespace, "web")) == len(revisions) + 1

    session.quit(None)
    assert await whole is ExitCode.DONE
    assert [line for line in session.last_words if line.startswith("left deployment/web on ")]
