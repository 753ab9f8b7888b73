"""`devloop init` on a real cluster: two commands from other people's workloads to proved ones."""

import json
import os
import tomllib
from typing import Any

import pytest

from tests.e2e.harness import apply, deployment, registry_digest, run
from tests.e2e.scene import SERVE
from tests.e2e.shop import Shop, lines_of_json

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

RELEASE = "spring"


@pytest.fixture
def deployed(shop: Shop) -> Shop:
    """Three services, each deployed in another way; `api` is pulled under a name that is pushed to as another one."""
    for name in ("web", "api", "worker"):
        shop.source(name)
    shop.run("create", "deployment", "web", f"--image={shop.image('web')}:latest")
    pulled = deployment("api", f"{elsewhere(shop)}/api:v1", probe=False)
    apply(shop.kubectl, shop.namespace, pulled)
    shop.run("apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=json.dumps(_of_helm(shop)))
    return shop


def elsewhere(shop: Shop) -> str:
    """The folder of the images by another name of the same registry."""
    host, _, port = shop.registry.rpartition(":")
    if host not in {"127.0.0.1", "localhost"}:
        pytest.skip("needs a registry on this machine, which has two names")
    return f"{'localhost' if host == '127.0.0.1' else '127.0.0.1'}:{port}/{shop.namespace}"


def _of_helm(shop: Shop) -> dict[str, Any]:
    """What a release of a chart leaves behind: a container of another name, and a stand-in for its image."""
    body = deployment(f"{RELEASE}-worker", "", probe=False)
    sidecar = {"name": "log", "image": f"{shop.registry}/busybox:1", "command": ["sh", "-c", SERVE]}
    body["spec"]["template"]["spec"]["containers"] = [{**sidecar, "name": "worker"}, sidecar]
    labels = {"app.kubernetes.io/name": "worker", "app.kubernetes.io/instance": RELEASE}
    body["metadata"]["labels"] = {**labels, "app.kubernetes.io/managed-by": "Helm"}
    body["metadata"]["annotations"] = {
        "meta.helm.sh/release-name": RELEASE,
        "meta.helm.sh/release-namespace": shop.namespace,
    }
    return body


def test_init_and_up_are_all_it_takes(deployed: Shop) -> None:
    code, out, err = deployed.devloop("init", "--yes", *deployed.elsewhere())
    assert (code, err) == (0, ""), out + err
    assert f"web/Dockerfile -> deployment/web in {deployed.namespace}: the image {deployed.image('web')} ends" in out
    assert f"worker/Dockerfile -> deployment/{RELEASE}-worker in {deployed.namespace}: its container worker is" in out

    written = tomllib.loads((deployed.folder / "devloop.toml").read_text())["services"]
    own = tomllib.loads((deployed.folder / "devloop.local.toml").read_text())
    assert own["cluster"]["context"] == os.environ["DEVLOOP_E2E_CONTEXT"]
    assert written["web"]["tag"] == "dev", "`latest` is not moved"
    assert written["api"]["image"] == f"{elsewhere(deployed)}/api"
    assert own["services"] == {"api": {"push_image": deployed.image("api")}}
    assert written["worker"]["image"] == deployed.image("worker"), "nobody pushes over the stand-in"
    assert written["worker"]["container"] == "worker"

    code, out, err = deployed.devloop("plan", "--output", "json")
    assert code == 0, out + err
    planned = {one["service"]: one["workloads"] for one in lines_of_json(out)}
    assert {name: [each["workload"] for each in of] for name, of in planned.items()} == {
        "web": ["deployment/web"], "api": ["deployment/api"], "worker": [f"deployment/{RELEASE}-worker"],
    }  # fmt: skip

    done = run(deployed.folder, "up", "--headless", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("web", "api", "worker"):
        assert f"{name}: verified" in done.stdout + done.stderr, done.stdout + done.stderr
        digest = registry_digest(f"{deployed.image(name)}:dev")
        workload = f"{RELEASE}-worker" if name == "worker" else name
        specs = {c["name"]: c["image"] for c in deployed.spec(workload)["containers"]}
        assert f"{written[name]['image']}:dev" in specs.values()
        assert digest.startswith("sha256:")
    assert deployed.spec(f"{RELEASE}-worker")["containers"][1]["image"] == f"{deployed.registry}/busybox:1"

    code, out, err = deployed.devloop("init", "--yes", "-n", deployed.namespace)
    assert code == 0, out + err
    assert "devloop.toml stays as it is" in out, "what devloop changed is still the same project"


def test_print_is_what_is_written_and_doctor_finds_nothing_wrong(deployed: Shop) -> None:
    code, printed, err = deployed.devloop("init", "--print", *deployed.elsewhere())
    assert code == 0, err
    assert not (deployed.folder / "devloop.toml").exists()
    assert deployed.devloop("init", "--yes", *deployed.elsewhere())[0] == 0
    written = (deployed.folder / "devloop.toml").read_text()
    assert printed.startswith(written)
    assert tomllib.loads(printed) == tomllib.loads(written)
    code, out, err = deployed.devloop("doctor", "--output", "json")
    wrong = [check for check in json.loads(out)["checks"] if check["level"] == "failed"]
    assert (code, wrong) == (0, []), err


def test_nothing_in_the_cluster_is_changed(deployed: Shop) -> None:
    before = {name: deployed.get(name)["metadata"]["resourceVersion"] for name in ("web", "api")}
    generation = {name: deployed.get(name)["metadata"]["generation"] for name in before}
    assert deployed.devloop("init", "--yes", *deployed.elsewhere())[0] == 0
    assert {name: deployed.get(name)["metadata"]["generation"] for name in before} == generation
    assert "devloop" not in json.dumps([deployed.get(name)["metadata"].get("labels", {}) for name in before])


def test_who_may_only_read_gets_a_file_all_the_same(deployed: Shop) -> None:
    context = os.environ["DEVLOOP_E2E_CONTEXT"] + "-viewer"
    if context not in deployed.kubectl("config", "get-contexts", "-o", "name").split():
        pytest.skip(f"needs the context {context}, whose user may only read")
    code, out, err = deployed.devloop("init", "--yes", "--context", context, "-n", deployed.namespace)
    assert (code, err) == (0, ""), out + err
    assert tomllib.loads((deployed.folder / "devloop.local.toml").read_text())["cluster"]["context"] == context
