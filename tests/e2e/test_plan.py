"""`devloop plan`: it shows what `up` would do, and writes nothing."""

import urllib.error
from typing import Any

import pytest

from tests.e2e.harness import registry_digest
from tests.e2e.shop import Shop, lines_of_json, written

pytestmark = [pytest.mark.shared, pytest.mark.timeout(60)]


@pytest.fixture
def planned(shop: Shop) -> Shop:
    """The service `web` with an init container of the same image beside it, and files that are not watched."""
    folder = shop.source("web")
    (folder / ".dockerignore").write_text("node_modules\n")
    (folder / "notes.md").write_text("")
    for number in range(3):
        (folder / "node_modules" / str(number)).mkdir(parents=True)
    migrate = {"name": "migrate", "image": f"{shop.image('web')}:none", "command": ["true"]}
    sidecar = shop.container("sidecar", f"{shop.registry}/busybox:1")
    shop.deploy("web", sidecar, shop.container("web"), initContainers=[migrate], replicas=0)
    shop.configure(shop.service("web", 'ignore = ["**/*.md"]', build='{ context = "web", args = { MODE = "dev" } }'))
    return shop


def _state(shop: Shop) -> tuple[Any, ...]:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        registry_digest(f"{shop.image('web')}:dev")
    metadata = shop.get("web")["metadata"]
    return metadata["generation"], written(metadata), metadata.get("labels"), shop.replica_sets("web")


def test_plan_shows_everything_and_writes_nothing(planned: Shop) -> None:
    before = _state(planned)
    code, out, err = planned.devloop("plan")
    assert code == 0, out + err
    assert _state(planned) == before
    image = planned.image("web")
    for phrase in (
        "docker buildx build --push",
        f"--tag {image}:dev",
        "--build-arg MODE",
        "3 files",
        "not node_modules (1 path)",
        "not **/*.md (1 path)",
        f"deployment/web in {planned.namespace}, container migrate, web",
        f"- spec.template.spec.containers[web].image: {image}:none",
        f"+ spec.template.spec.containers[web].image: {image}:dev",
        "+ spec.template.spec.initContainers[migrate].imagePullPolicy: Always",
        f"web: image {image}:none → {image}:dev, imagePullPolicy IfNotPresent → Always",
    ):
        assert phrase in out, out
    assert '{"' not in out, "annotations are told in words"
    assert "unless" not in out, "another image and policy make a new revision whatever the Pods run"
    assert "containers[sidecar]" not in out


def test_plan_as_json(planned: Shop) -> None:
    before = _state(planned)
    code, out, err = planned.devloop("plan", "--output", "json")
    assert code == 0, out + err
    assert _state(planned) == before
    (one,) = lines_of_json(out)
    assert (one["service"], one["builder"]) == ("web", "buildx")
    assert one["watched"]["files"] == 3
    assert {"pattern": "node_modules", "paths": 1} in one["watched"]["ignored"]
    (workload,) = one["workloads"]
    assert (workload["workload"], workload["containers"]) == ("deployment/web", ["migrate", "web"])
    changes = {change["path"]: (change["from"], change["to"]) for change in workload["changes"]}
    image = planned.image("web")
    assert changes["spec.template.spec.containers[web].image"] == (f"{image}:none", f"{image}:dev")
    assert changes["spec.template.spec.initContainers[migrate].imagePullPolicy"][1] == "Always"
    assert "what is built" in changes["spec.template.metadata.annotations[devloop/build]"][1]


def test_the_patch_is_the_one_that_up_sends(planned: Shop) -> None:
    """What plan announced for the containers is what the API server has afterwards."""
    _, out, _ = planned.devloop("plan", "--output", "json")
    announced = {
        change["path"]: change["to"]
        for change in lines_of_json(out)[0]["workloads"][0]["changes"]
        if change["path"].startswith("spec.template.spec.")
    }
    code, devloop = planned.once()
    assert (code, devloop.outcomes("web")) == (0, ["applied"]), devloop.said()
    (patched,) = devloop.of("workload_patched")
    sent = {c["path"]: c["to"] for c in patched["changes"] if c["path"].startswith("spec.template.spec.")}
    assert sent == announced
    spec = planned.spec("web")
    there = {
        f"spec.template.spec.{kind}[{container['name']}].{field}": container[field]
        for kind in ("containers", "initContainers")
        for container in spec[kind]
        for field in ("image", "imagePullPolicy")
    }
    assert announced.items() <= there.items()

    code, out, err = planned.devloop("plan")
    assert code == 0, out + err
    assert "spec.template.spec." not in out, "nothing of the containers is left to change"


def test_a_workload_that_is_not_there(shop: Shop) -> None:
    shop.source("web")
    shop.configure(shop.service("web"))
    code, out, err = shop.devloop("plan")
    assert code == 3, out + err
    assert "deployment/web does not exist" in out
    assert "docker buildx build" in out
