"""Which local cluster a context leads to, and which images may be removed from its nodes."""

from typing import Any

import pytest

from devloop.core.failure import Failure, FailureCode
from devloop.core.load import (
    Loaded,
    Target,
    build_tag,
    find_target,
    images_without_registry,
    load_command,
    proven_target,
    records_to_remove,
    unused,
)
from devloop.core.service import Load

CONFIG, MANIFEST = f"sha256:{'c' * 64}", f"sha256:{'a' * 64}"
WEB = Loaded("web:dev-cccccccccccc", (CONFIG, MANIFEST))


def node(name: str, provider: str = "", **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "spec": {"providerID": provider} if provider else {}}


KIND_NODE = node("dev-control-plane", "kind://docker/dev/dev-control-plane")
DESKTOP_KIND = node("desktop-control-plane", "kind://docker/desktop/desktop-control-plane")
MINIKUBE_NODE = node("shop", **{"minikube.k8s.io/name": "shop"})


@pytest.mark.parametrize(
    ("load", "context", "entry", "nodes", "tool", "name"),
    [
        (Load.AUTO, "kind-dev", "kind-dev", [], Load.KIND, "dev"),
        (Load.AUTO, "k3d-dev", "k3d-dev", [], Load.K3D, "dev"),
        (Load.AUTO, "minikube", "minikube", [], Load.MINIKUBE, "minikube"),
        (
            Load.AUTO,
            "docker-desktop",
            "docker-desktop",
            [node("docker-desktop")],
            Load.DOCKER_DESKTOP,
            "docker-desktop",
        ),
        (Load.AUTO, "docker-desktop", "docker-desktop", [DESKTOP_KIND], Load.KIND, "desktop"),
        (Load.DOCKER_DESKTOP, "docker-desktop", "docker-desktop", [DESKTOP_KIND], Load.KIND, "desktop"),
        (Load.AUTO, "mine", "kind-dev", [], Load.KIND, "dev"),
        (Load.AUTO, "mine", "mine", [KIND_NODE], Load.KIND, "dev"),
        (Load.AUTO, "mine", "mine", [node("k3d-a-b-agent-0")], Load.K3D, "a-b"),
        (Load.AUTO, "shop", "shop", [MINIKUBE_NODE], Load.MINIKUBE, "shop"),
        (Load.KIND, "mine", "mine", [KIND_NODE], Load.KIND, "dev"),
        (Load.KIND, "docker-desktop", "docker-desktop", [DESKTOP_KIND], Load.KIND, "desktop"),
        (Load.MINIKUBE, "shop", "shop", [], Load.MINIKUBE, "shop"),
        (Load.DOCKER_DESKTOP, "mine", "mine", [], Load.DOCKER_DESKTOP, "docker-desktop"),
    ],
)
def test_the_cluster_is_found(
    load: Load, context: str, entry: str, nodes: list[dict[str, Any]], tool: Load, name: str
) -> None:
    found = find_target(load, context, entry, nodes)
    assert isinstance(found, Target)
    assert (found.tool, found.name) == (tool, name)
    assert found.nodes == tuple(each["metadata"]["name"] for each in nodes)


@pytest.mark.parametrize(
    ("load", "message", "hint"),
    [
        (Load.AUTO, "neither the name of context team nor its nodes tell which local cluster it is", "name the tool"),
        (Load.KIND, "nor its nodes tell which kind cluster it is", "rename-context team kind-NAME"),
        (Load.K3D, "nor its nodes tell which k3d cluster it is", "rename-context team k3d-NAME"),
    ],
)
def test_what_nothing_tells_is_said(load: Load, message: str, hint: str) -> None:
    found = find_target(load, "team", "team", [node("worker-1", "aws:///eu-1/i-0")])
    assert isinstance(found, Failure)
    assert found.code is FailureCode.CONFIG_INVALID
    assert message in found.message
    assert hint in found.hint


def test_the_commands() -> None:
    assert load_command(Target(Load.KIND, "dev"), "f") == ("kind", "load", "image-archive", "f", "--name", "dev")
    assert load_command(Target(Load.K3D, "dev"), "f") == ("k3d", "image", "import", "f", "-c", "dev")
    assert load_command(Target(Load.MINIKUBE, "m"), "f") == ("minikube", "-p", "m", "image", "load", "f")
    assert load_command(Target(Load.DOCKER_DESKTOP, "docker-desktop"), "f") == ()


def test_the_tag_of_a_build_is_the_content() -> None:
    assert build_tag("dev", f"sha256:{'4f2a9c' * 10}abcd") == "dev-4f2a9c4f2a9c"
    assert len(build_tag("x" * 128, CONFIG)) == 128


def pod(image: str, image_id: str = "", *, init: bool = False) -> dict[str, Any]:
    kind = "initContainers" if init else "containers"
    statuses = "initContainerStatuses" if init else "containerStatuses"
    return {"spec": {kind: [{"name": "c", "image": image}]}, "status": {statuses: [{"imageID": image_id}]}}


@pytest.mark.parametrize(
    "user",
    [
        pod("docker.io/library/web:dev-cccccccccccc"),
        pod("web:dev-cccccccccccc", init=True),
        pod("web:v1", CONFIG),
        pod("web:v1", f"docker.io/library/import-2026-11-28@{MANIFEST}", init=True),
    ],
)
def test_what_a_pod_uses_is_kept(user: dict[str, Any]) -> None:
    assert unused([WEB], [pod("other:1", f"sha256:{'b' * 64}"), user]) == ()


def test_what_no_pod_uses_is_over() -> None:
    assert unused([WEB], [pod("web:dev-dddddddddddd", f"sha256:{'d' * 64}"), {}]) == (WEB,)


def listed(*names: str, target: str = MANIFEST) -> str:
    head = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
    others = f"docker.io/library/busybox:1 application/x sha256:{'b' * 64} 2.0 MiB linux/amd64 -\n"
    return head + others + "".join(f"{name} application/x {target} 2.0 MiB linux/amd64 -\n" for name in names)


def test_the_content_goes_with_its_last_name() -> None:
    imported = f"import-2026-11-28@{MANIFEST}"
    rows = listed("docker.io/library/web:dev-cccccccccccc", CONFIG, imported)
    assert records_to_remove(rows, WEB) == ("docker.io/library/web:dev-cccccccccccc", CONFIG, imported)


def test_what_somebody_else_calls_the_same_content_keeps_it() -> None:
    rows = listed("docker.io/library/web:dev-cccccccccccc", CONFIG, "docker.io/library/web:mine")
    assert records_to_remove(rows, WEB) == ("docker.io/library/web:dev-cccccccccccc",)


def test_a_manifest_that_the_import_made_counts_by_what_the_name_means() -> None:
    """Engines before 25 save no manifest: containerd makes one, whose digest nobody knew."""
    other = f"sha256:{'e' * 64}"
    names = ("docker.io/library/web:dev-cccccccccccc", CONFIG, f"import-2026-11-28@{other}")
    assert records_to_remove(listed(*names, target=other), WEB) == names


def test_what_is_gone_already_needs_nothing() -> None:
    assert records_to_remove(listed(), WEB) == ()


@pytest.mark.parametrize(
    ("context", "local", "nodes", "shown"),
    [
        ("kind-dev", True, [], "the kind cluster `dev`"),
        ("kind-prod", False, [], None),
        ("mine", False, [KIND_NODE], "the kind cluster `dev`"),
        ("mine", True, [], None),
        ("colima", True, [], None),
    ],
)
def test_what_is_loaded_into_without_being_told(
    context: str, local: bool, nodes: list[dict[str, Any]], shown: str | None
) -> None:
    found = proven_target(context, context, local, nodes)
    assert (str(found) if found else None) == shown


def test_the_images_that_no_registry_gave() -> None:
    pulled = ["docker.io/library/nginx@" + CONFIG, "docker.io/library/nginx:1"]
    imported = ["docker.io/library/import-2026-11-28@" + MANIFEST, "docker.io/library/web:dev"]
    both = [["web:1", "registry:5000/shop/api:1"], ["registry:5000/shop/api@" + CONFIG, "no image"]]
    nodes = [{"status": {"images": [{"names": names} for names in (pulled, imported)]}}]
    nodes += [{"status": {"images": [{"names": names} for names in both]}}, {"status": {}}, {}]
    assert images_without_registry(nodes) == {"docker.io/library/web"}
