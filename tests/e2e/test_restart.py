"""A restart without a build on a real cluster: new Pods of the same image, and the proof of it."""

import pytest

from devloop.core import events as ev
from devloop.core.commands import Restart
from tests.e2e.harness import replica_sets
from tests.e2e.insession import in_session
from tests.e2e.scene import Scene
from tests.e2e.talk import speak

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]


def running(scene: Scene) -> dict[str, str]:
    """Each Pod, and the digest that it reports."""
    statuses = {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0] for pod in scene.pods()}
    return {name: status["imageID"].rpartition("@")[2] for name, status in statuses.items()}


async def test_every_pod_is_new_and_runs_the_image_that_was_pushed_last(scene: Scene) -> None:
    speak(scene, "one")
    scene.deploy(replicas=2)
    scene.configure()
    async with in_session(scene.folder) as (session, heard):
        (first,) = await heard.ends(1)
        before, revisions = running(scene), replica_sets(scene.kubectl, scene.namespace, "web")
        session.send(Restart("web"))
        _, second = await heard.ends(2)
        after = running(scene)

    assert (first.outcome, second.outcome) == (ev.Outcome.VERIFIED, ev.Outcome.VERIFIED), second.failure
    assert heard.phases(2) == ["rollout", "verify"]
    assert ev.CycleRequested("web", ev.Trigger.KEY, "restart", restart=True) in heard.events
    assert ev.CycleStarted("web", 2, ev.Trigger.KEY, text="restart") in heard.events
    assert before.keys().isdisjoint(after)
    assert {first.digest, second.digest, *before.values(), *after.values()} == {first.digest}
    assert len(replica_sets(scene.kubectl, scene.namespace, "web")) == len(revisions) + 1
    assert [line for line in session.last_words if line.startswith("left deployment/web on ")]
