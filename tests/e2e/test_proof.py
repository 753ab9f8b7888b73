"""What counts as proof on a real cluster, and what does not, when a Pod runs something else than was pushed."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.admission import admission
from tests.e2e.asking import why
from tests.e2e.harness import PATIENCE, App, Devloop, build_and_push, get, registry_digest
from tests.e2e.scene import SERVE, Scene, failed

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]

OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker"


def built(scene: Scene, ref: str) -> str:
    """Build the scene's source and push it without devloop; its digest."""
    return build_and_push(App(scene.folder / "web", ""), ref)


def reported(pod: dict[str, object]) -> str:
    status = json.loads(json.dumps(pod))["status"]["containerStatuses"][0]
    return str(status["imageID"]).rpartition("@")[2]


def settled(scene: Scene) -> None:
    scene.kubectl("-n", scene.namespace, "rollout", "status", "deployment/web", "--timeout=60s")


# two manifests of one image ------------------------------------------------------------------------------------------


def ask(url: str, body: bytes | None = None, kind: str = "") -> bytes:
    headers = (
        {"Content-Type": kind}
        if body
        else {"Accept": f"{OCI}.manifest.v1+json, {DOCKER}.distribution.manifest.v2+json"}
    )
    request = urllib.request.Request(url, body, headers, method="PUT" if body else "GET")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def mount(image: str, digest: str, other: str) -> None:
    """Let the repository `other` of the registry have a blob of the image's repository too."""
    host, _, repository = image.partition("/")
    there = other.partition("/")[2]
    url = f"http://{host}/v2/{there}/blobs/uploads/?mount={digest}&from={repository}"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10) as answer:
        assert answer.status == 201, "mounted, no upload begun"


def push_in_the_other_form(image: str, tag: str, other: str) -> str:
    """Push the image behind `tag` once more as the reference `other` of the same registry, as OCI manifest instead of
    Docker's or vice versa."""
    host, _, repository = image.partition("/")
    manifest = json.loads(ask(f"http://{host}/v2/{repository}/manifests/{tag}"))
    oci = manifest["mediaType"].startswith(OCI)
    kinds = (
        (f"{OCI}.manifest.v1+json", f"{OCI}.config.v1+json", f"{OCI}.layer.v1.tar+gzip"),
        (
            f"{DOCKER}.distribution.manifest.v2+json",
            f"{DOCKER}.container.image.v1+json",
            f"{DOCKER}.image.rootfs.diff.tar.gzip",
        ),
    )
    own, config, layer = kinds[1 if oci else 0]
    manifest["mediaType"] = own
    manifest["config"]["mediaType"] = config
    for each in manifest["layers"]:
        each["mediaType"] = layer
    name, _, new_tag = other.rpartition(":")
    if name != image:
        for blob in (manifest["config"], *manifest["layers"]):
            mount(image, blob["digest"], name)
    ask(f"http://{host}/v2/{name.partition('/')[2]}/manifests/{new_tag}", json.dumps(manifest).encode(), own)
    return registry_digest(other)


@pytest.mark.parametrize("repository", ["web", "another"])
def test_another_manifest_of_the_same_image_is_a_match(scene: Scene, repository: str) -> None:
    """containerd knows images by their config, and reports a manifest of it that it met, of any repository."""
    scene.program(SERVE)
    digest = built(scene, f"{scene.image}:dev")
    same = f"{scene.registry}/{scene.namespace}/{repository}:other"
    other = push_in_the_other_form(scene.image, "dev", same)
    assert other != digest
    scene.deploy(nodeSelector=scene.a_node())
    scene.kubectl("-n", scene.namespace, "set", "image", "deployment/web", f"web={same}")
    settled(scene)
    scene.configure()
    code, devloop = scene.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), devloop.said()
    assert registry_digest(f"{scene.image}:dev") == digest, "the same source gives the same image"
    (pod,) = scene.new_pods()
    (verdict,) = devloop.of("pod_verified")
    assert verdict["verdict"] == "match"
    assert verdict["image_id"].endswith(reported(pod))
    assert reported(pod) in {digest, other}
    if reported(pod) == other:
        assert "another manifest of the same image" in verdict["text"]
    told = why(scene)
    assert told.code == 0, told.answer


# admission that rewrites Pods ----------------------------------------------------------------------------------------


@contextmanager
def never_always(scene: Scene) -> Iterator[None]:
    """Admission that turns `Always` into `IfNotPresent` in every Pod."""
    container = {"name": "x", "image": "x:1", "imagePullPolicy": "Always"}
    example = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}

    def in_force() -> bool:
        made = scene.kubectl(
            "-n", scene.namespace, "apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(example)
        )
        return bool(json.loads(made)["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent")

    patch = '[JSONPatch{op: "add", path: "/spec/containers/0/imagePullPolicy", value: "IfNotPresent"}]'
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}
    policy = {"mutations": [mutation], "reinvocationPolicy": "IfNeeded"}
    with admission(scene.kubectl, scene.namespace, "Mutating", "pods", policy, in_force):
        yield


@pytest.mark.e2e  # a sandbox has no admission policies
def test_admission_that_changes_the_pull_policy_is_found_out(scene: Scene) -> None:
    if "mutatingadmissionpolicies" not in scene.kubectl(
        "api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name"
    ):
        pytest.skip("this cluster has no MutatingAdmissionPolicy")
    scene.program(f"echo old; {SERVE}")
    old = built(scene, f"{scene.image}:dev")
    scene.deploy(nodeSelector=scene.a_node())
    scene.kubectl("-n", scene.namespace, "set", "image", "deployment/web", f"web={scene.image}:dev")
    settled(scene)
    scene.program(f"echo new; {SERVE}")
    scene.configure()
    with never_always(scene):
        code, devloop = scene.once()
        assert code == 6, devloop.said()
        failure = failed(devloop, "mismatch")
        (pod,) = scene.new_pods()
        assert pod["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
        assert reported(pod) == old
        assert (
            "admission set its pull policy to IfNotPresent, although the workload asks for Always" in failure["message"]
        )
        assert "mutatingadmissionpolicies" in failure["hint"]
        assert [e["verdict"] for e in devloop.of("pod_verified")] == ["mismatch"]
    code, devloop = scene.once()
    assert (code, devloop.outcomes("web")) == (0, ["verified"]), "without it, the next cycle mends it"


# a mirror that is behind ---------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def registry_of_its_own(folder: Path) -> Iterator[str]:
    """Another registry on this machine, `host:port`."""
    host = f"127.0.0.1:{free_port()}"
    folder.mkdir()
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f'storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: "{host}"}}\n'
    )
    command = ["docker-registry", "serve", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _answers(host)
            yield host
        finally:
            process.terminate()


def _answers(host: str) -> None:
    address, _, port = host.partition(":")
    deadline = time.monotonic() + PATIENCE / 2
    while True:
        try:
            socket.create_connection((address, int(port)), 1).close()
        except OSError:
            assert time.monotonic() < deadline, f"no registry at {host}"
            time.sleep(0.05)
        else:
            return


@contextmanager
def mirrored(node: int, registry: str, mirror: str) -> Iterator[None]:
    """Node NUMBER asks `mirror` for what is named after `registry`."""
    folder = Path(os.environ["KUBECONFIG"]).parent / f"node{node}" / "certs.d" / registry
    folder.mkdir()
    hosts = folder / "hosts.toml"
    hosts.write_text(f'server = "http://{registry}"\n[host."http://{mirror}"]\ncapabilities = ["pull", "resolve"]\n')
    try:
        yield
    finally:
        hosts.unlink()
        folder.rmdir()


def spread_over_nodes() -> dict[str, object]:
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
        "matchLabelKeys": ["pod-template-hash"],
    }
    return {"topologySpreadConstraints": [constraint]}


@pytest.mark.e2e  # nodes of a sandbox have no mirrors
@pytest.mark.breaks
def test_a_node_whose_mirror_is_behind_is_named(scene: Scene, tmp_path: Path) -> None:
    """Under `Always` every node asks for the image; one of two is given an old one."""
    nodes = get(scene.kubectl, scene.namespace, "nodes")["items"]
    if len(nodes) < 2 or not shutil.which("docker-registry"):
        pytest.skip("needs a cluster of two nodes, and docker-registry on PATH")
    with (
        registry_of_its_own(tmp_path / "fresh") as fresh,
        registry_of_its_own(tmp_path / "stale") as stale,
        mirrored(1, fresh, fresh),
        mirrored(2, fresh, stale),
    ):
        image = f"{fresh}/web"
        scene.program(f"echo old; {SERVE}")
        old = built(scene, f"{image}:dev")
        assert built(scene, f"{stale}/web:dev") == old
        scene.program(f"echo new; {SERVE}")
        scene.deploy(replicas=2, **spread_over_nodes())
        scene.configure('container = "web"', image=image)
        code, devloop = scene.once()
        _names_the_stale_node(scene, devloop, code, old, registry_digest(f"{image}:dev"))
        scene.configure('container = "web"', 'pin = "digest"', image=image)
        code, devloop = scene.once()
        assert (code, devloop.outcomes("web")) == (0, ["verified"]), "a mirror that lacks a digest is passed over"
        assert {pod["spec"]["nodeName"]: reported(pod) for pod in scene.new_pods()} == dict.fromkeys(
            ("node1", "node2"), registry_digest(f"{image}:dev")
        )


def _names_the_stale_node(scene: Scene, devloop: Devloop, code: int, old: str, new: str) -> None:
    assert code == 6, devloop.said()
    failure = failed(devloop, "mismatch")
    runs = {pod["spec"]["nodeName"]: reported(pod) for pod in scene.new_pods()}
    assert runs == {"node1": new, "node2": old}
    verdicts = {event["node"]: event["verdict"] for event in devloop.of("pod_verified")}
    assert verdicts == {"node1": "match", "node2": "mismatch"}
    assert "node2" in failure["message"]
    assert old.removeprefix("sha256:")[:12] in failure["message"]
    assert "mirror" in failure["message"]
    assert 'pin = "digest"' in failure["hint"]
