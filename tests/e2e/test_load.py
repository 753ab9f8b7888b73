"""Services without a registry: built, loaded into the nodes, proved there, and removed from there again."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import App, Devloop, Event, Kubectl, answers, apply, deployment, get, pods, write_toml
from tests.e2e.standins import StandIns, stand_ins

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def tools(tmp_path: Path, image: str) -> Iterator[StandIns]:
    made = stand_ins(tmp_path / "bin")
    yield made
    for node in made.names():
        rows = made.images(node)
        own = [row for row in rows if row[0].startswith(f"docker.io/library/{image}:")]
        targets = {row[2] for row in own}
        if own:
            made.remove(node, *(row[0] for row in rows if row[2] in targets))


@pytest.fixture
def image() -> str:
    """A name without a registry, of this test alone."""
    return f"loaded-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def app(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str, image: str) -> App:
    """The service `web` on both nodes, with an image that runs already."""
    app = App.create(tmp_path / "web", registry)
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]
    apply(kubectl, namespace, deployment("web", f"{image}:v0", replicas=2, topologySpreadConstraints=spread))
    return app


def gone(pushed: Event) -> str:
    return f"removed {pushed['pod_ref']}, which nothing runs any more, from {pushed['loaded_into']}"


def configure(folder: Path, namespace: str, image: str, load: str) -> None:
    write_toml(folder, namespace, f'[services.web]\nimage = "{image}"\nbuild = "web"\nload = "{load}"')


def test_three_saves_are_verified_on_both_nodes_and_leave_one_image(
    tmp_path: Path, kubectl: Kubectl, namespace: str, app: App, image: str, tools: StandIns
) -> None:
    configure(tmp_path, namespace, image, "auto")
    repository = f"docker.io/library/{image}"
    digests = []
    with Devloop.start(tmp_path, env=tools.env) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        for message in ("two", "three", "four"):
            app.say(message)
            loaded = devloop.wait_for("image_pushed")
            digests.append(loaded["digest"])
            devloop.wait_for("cycle_finished", outcome="verified")
            assert answers(kubectl, namespace, "web") == [message, message]
        assert loaded["loaded_into"] == "the kind cluster `e2e`"
        newest = loaded["pod_ref"].rpartition(":")[2]
        assert newest == f"dev-{loaded['digest'].removeprefix('sha256:')[:12]}"
        running = pods(kubectl, namespace, "web")
        assert {pod["spec"]["nodeName"] for pod in running} == {*tools.names()}
        assert {pod["status"]["containerStatuses"][0]["imageID"] for pod in running} == {loaded["digest"]}
        container = get(kubectl, namespace, "deployment", "web")["spec"]["template"]["spec"]["containers"][0]
        assert (container["image"], container["imagePullPolicy"]) == (f"{image}:{newest}", "IfNotPresent")
        for event in devloop.of("image_pushed")[:-1]:
            devloop.ever("log", source="build", text=gone(event))
        for node in tools.names():
            assert tools.tags(node, repository) == [newest]
            assert not {*digests[:-1]} & tools.contents(node), "the content goes with the name"
        assert not [call for call in tools.calls if "push" in call]
        devloop.stop()
