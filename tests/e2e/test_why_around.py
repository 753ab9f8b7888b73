"""`devloop why` where the image is right and something beside it is not, or where nobody can tell."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.asking import (
    build_for,
    deploy,
    digests,
    expect,
    fine,
    index,
    mend,
    nodes,
    on,
    push,
    say,
    settle,
    until,
    why,
)
from tests.e2e.harness import App, apply, build_and_push, deployment, get
from tests.e2e.scene import SLEEP, Scene
from tests.e2e.test_proof import registry_of_its_own

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]


# other Pods behind the Service ---------------------------------------------------------------------------------------


def behind(scene: Scene, name: str, image: str) -> None:
    body = deployment(name, image, probe=False)
    body["spec"]["template"]["metadata"]["labels"]["part-of"] = "shop"
    apply(scene.kubectl, scene.namespace, body)
    settle(scene, f"deployment/{name}")


def endpoints(scene: Scene) -> int:
    slices = get(scene.kubectl, scene.namespace, "endpointslices", "-l", "kubernetes.io/service-name=shop")["items"]
    found = [each for piece in slices for each in piece["endpoints"] or ()]
    return sum(each["conditions"]["ready"] for each in found)


def test_a_service_that_selects_another_workloads_pods_too(scene: Scene) -> None:
    push(scene, "old", "old")
    push(scene, "new", "new")
    ports = [{"port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    apply(scene.kubectl, scene.namespace, {**service, "spec": {"selector": {"part-of": "shop"}, "ports": ports}})
    behind(scene, "legacy", f"{scene.image}:old")
    behind(scene, "web", f"{scene.image}:new")
    until(lambda: endpoints(scene) == 2, "both Pods are behind the Service")
    told = why(scene, name="other-pods")
    said = "Service shop sends requests to 1 Pod of deployment/legacy too"
    cause = expect(told, "other-pods", said, "they run another image", first_broken="Pod")
    assert cause["evidence"][0]["source"] == "EndpointSlices of Service shop"
    assert f"kubectl edit service shop -n {scene.namespace}" in cause["fix"]
    own = {**service, "spec": {"selector": {"app": "web"}, "ports": ports}}
    apply(scene.kubectl, scene.namespace, own)
    until(lambda: endpoints(scene) == 1, "only one Pod is behind the Service")
    fine(scene)


# volumes over the code -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "volume"), [("emptyDir", {}), ("hostPath", {"path": "/tmp"})])
def test_a_volume_over_the_code(scene: Scene, kind: str, volume: dict[str, Any]) -> None:
    say(scene, "one")
    scene.dockerfile(f"FROM {scene.registry}/busybox:1", "WORKDIR /srv", "COPY . app", f"CMD {SLEEP}".replace("'", '"'))
    build_and_push(App(scene.folder / "web", ""), f"{scene.image}:dev")
    body = deployment("web", f"{scene.image}:dev", probe=False)
    spec = body["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "work", kind: volume}]
    spec["containers"][0].update(volumeMounts=[{"name": "work", "mountPath": "/srv/app"}], command=SLEEP)
    apply(scene.kubectl, scene.namespace, body)
    settle(scene)
    told = why(scene, name="shadowed" if kind == "emptyDir" else "")
    cause = expect(told, "shadowed", "volume work is mounted over /srv/app", first_broken="container")
    assert [each["text"] for each in cause["evidence"]] == [
        f"mounts work ({kind}) at /srv/app",
        "COPY or ADD wrote /srv/app",
    ]


# another architecture ------------------------------------------------------------------------------------------------


@pytest.mark.e2e  # a sandbox builds for one platform
def test_a_copy_that_is_for_another_architecture(scene: Scene) -> None:
    """A tag that had one platform's image only, and has become an index since: the node still has what it got."""
    node = nodes(scene)[0]
    own = scene.kubectl("get", "node", node, "-o", "jsonpath={.status.nodeInfo.architecture}")
    other = "arm64" if own != "arm64" else "amd64"
    foreign = build_for(scene, other, "dev")
    deploy(scene, **on(node))
    build_for(scene, own, "own")
    index(scene, "dev", "own", "dev")
    told = why(scene, name="other-architecture")
    said = (f"on {node}, a linux/{own} node, runs the linux/{other} image", f"although there is one for linux/{own}")
    cause = expect(told, "other-architecture", *said, first_broken="container")
    assert digests(cause, "Pod") == {foreign}
    mend(scene, cause)


# what cannot be told -------------------------------------------------------------------------------------------------


@contextmanager
def denies_everybody(host: str) -> Iterator[None]:
    """A registry there that wants credentials."""

    class Denies(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="nobody"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Said by the test's failure, if it matters."""

    address, _, port = host.partition(":")
    with http.server.ThreadingHTTPServer((address, int(port)), Denies) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.e2e  # only an engine knows what was built here
def test_a_registry_that_is_away_or_lets_nobody_in(scene: Scene, tmp_path: Path) -> None:
    """The node has the image all the same."""
    say(scene, "one")
    with registry_of_its_own(tmp_path / "own") as host:
        image = f"{host}/{scene.namespace}:dev"
        build_and_push(App(scene.folder / "web", ""), image)
        apply(scene.kubectl, scene.namespace, deployment("web", image, probe=False))
        settle(scene)
        fine(scene)
    told = why(scene)
    said = (f"whether container web runs the newest {image} cannot be told", host)
    cause = expect(told, "unknown", *said, exit_code=3)
    assert told.answer["first_broken"] is None
    local, container = (each["text"] for each in told.answer["chain"] if each["link"] in {"local image", "container"})
    (digest,) = digests(cause, "Pod")
    assert digest[7:19] in local, "what can be compared with what runs"
    assert digest[7:19] in container
    with denies_everybody(host):
        cause = expect(why(scene), "unknown", "credentials", host, exit_code=3)
        assert "docker login" in cause["fix"]


def test_a_workload_without_pods(scene: Scene) -> None:
    push(scene, "one")
    deploy(scene)
    scene.kubectl("-n", scene.namespace, "scale", "deployment/web", "--replicas=0")
    scene.kubectl("-n", scene.namespace, "wait", "--for=delete", "pod", "-l", "app=web", "--timeout=45s")
    cause = expect(why(scene), "unknown", "deployment/web is scaled to 0: no Pod runs any image", exit_code=3)
    mend(scene, cause)
