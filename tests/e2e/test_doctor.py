"""`devloop doctor` on a real cluster: it tells what is there and what is wrong, and changes nothing."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.adapters.own_registry import PASSWORD, USER, free_port, own_registry
from tests.e2e.harness import get, run
from tests.e2e.shop import Shop, lines_of_json

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

REMOTE, VIEWER = "remote-e2e", "kind-e2e-viewer"


@dataclass(frozen=True)
class Told:
    """What one run told."""

    code: int
    checks: Sequence[Mapping[str, str]]

    def about(self, group: str, name: str) -> list[Mapping[str, str]]:
        return [check for check in self.checks if (check["group"], check["check"]) == (group, name)]

    def message(self, group: str, name: str) -> str:
        (check,) = self.about(group, name)
        return check["message"]

    @property
    def failed(self) -> list[tuple[str, str]]:
        return [(check["group"], check["check"]) for check in self.checks if check["level"] == "failed"]

    @property
    def said(self) -> str:
        return "\n".join(f"{c['level']} {c['group']}/{c['check']}: {c['message']} -> {c['fix']}" for c in self.checks)


def doctor(folder: Path, *args: str, env: Mapping[str, str] | None = None) -> Told:
    done = run(folder, "doctor", "-o", "json", *args, env=env)
    assert done.stderr == ""
    (report,) = lines_of_json(done.stdout)
    return Told(done.returncode, report["checks"])


@pytest.fixture
def web(shop: Shop) -> Shop:
    """A service that `up` would roll out."""
    shop.source("web")
    shop.deploy("web", replicas=0)
    shop.configure(shop.service("web"))
    return shop


def state(shop: Shop) -> Any:
    """Everything of the namespace that a write would change."""
    listed = get(shop.kubectl, shop.namespace, "deployments,replicasets,leases,configmaps")["items"]
    return {(each["kind"], each["metadata"]["name"]): each["metadata"]["resourceVersion"] for each in listed}


def test_a_project_that_is_well(web: Shop) -> None:
    code, out, err = web.devloop("doctor")
    assert (code, err) == (0, ""), out
    head, *_, last = out.splitlines()
    assert head.startswith("devloop ")
    assert " doctor · " in head
    assert " checks, " in last
    assert "✘" not in out
    assert "failed" not in last

    told = doctor(web.folder)
    assert told.code == 0, told.said
    version = json.loads(web.kubectl("get", "--raw", "/version"))["gitVersion"]
    assert told.message("cluster", "API server").startswith(f"{version} at https://")
    assert told.message("cluster", "rights") == f"all that devloop needs in namespace {web.namespace}"
    assert told.message("cluster", "workload").startswith(f"web: deployment/web in namespace {web.namespace}")
    assert told.message("cluster", "platform").startswith("web is built for linux/")
    assert told.message("engine", "engine").startswith("Docker Engine ")
    assert told.message("registry", "registry") == f"{web.registry} answers"
    assert told.message("registry", "credentials") == f"{web.registry} asks for none"
    assert told.message("registry", "reach") == f"the builder reaches {web.registry}"
    assert told.message("registry", "base image") == f"{web.registry}/busybox:1 can be read"
    assert told.message("source", "build context").startswith("web: 2 files, ")
    clocks = [told.message(group, "clock") for group in ("engine", "registry", "cluster")]
    assert all("differs from this machine's by" in clock for clock in clocks)


def test_nothing_is_written(web: Shop) -> None:
    before = state(web)
    assert doctor(web.folder).code == 0
    assert state(web) == before


def test_a_registry_that_is_away(web: Shop) -> None:
    port = free_port()
    web.configure(web.service("web", f'push_image = "127.0.0.1:{port}/web"'))
    told = doctor(web.folder)
    assert (told.code, told.failed) == (3, [("registry", "registry")]), told.said
    (check,) = told.about("registry", "registry")
    assert f"127.0.0.1:{port} cannot be reached" in check["message"]
    assert check["fix"]
    assert told.about("registry", "reach") == told.about("registry", "clock") == [], "nothing was seen of it"


def test_a_viewer_lacks_rights_and_nothing_is_written(web: Shop) -> None:
    if VIEWER not in web.kubectl("config", "get-contexts", "-o", "name").split():
        pytest.skip(f"this kubeconfig has no context {VIEWER}")
    before = state(web)
    told = doctor(web.folder, "--context", VIEWER)
    assert (told.code, told.failed) == (3, [("cluster", "rights")]), told.said
    check, leases = told.about("cluster", "rights")
    assert check["message"] == f"you may not patch deployments in namespace {web.namespace}"
    assert leases["level"] == "note"
    assert f"leases in namespace {web.namespace}, so nobody hears who else works" in leases["message"]
    assert f"kubectl --context {VIEWER} auth can-i --list -n {web.namespace}" in check["fix"]
    assert state(web) == before


def test_a_context_that_nothing_allows_is_a_note(web: Shop) -> None:
    if REMOTE not in web.kubectl("config", "get-contexts", "-o", "name").split():
        pytest.skip(f"this kubeconfig has no context {REMOTE}")
    told = doctor(web.folder, "--context", REMOTE)
    assert told.code == 0, told.said
    (check,) = told.about("cluster", "kube context")
    assert check["level"] == "note"
    line = f'allow = [{{ context = "{REMOTE}", namespace = "{web.namespace}" }}]'
    assert f"set `{line}` under `[cluster]` in devloop.local.toml" in check["fix"]


def test_an_engine_that_is_away(web: Shop) -> None:
    told = doctor(web.folder, env={"DOCKER_HOST": f"unix://{web.folder}/none.sock"})
    assert (told.code, told.failed) == (3, [("engine", "engine")]), told.said
    assert "no such file" in told.message("engine", "engine")
    assert told.message("registry", "registry") == f"{web.registry} answers"
    assert told.message("cluster", "API server")
    assert told.about("engine", "builder") == told.about("registry", "reach") == []


def test_an_api_server_that_is_away(web: Shop, tmp_path: Path) -> None:
    config = yaml.safe_load(web.kubectl("config", "view", "--raw"))
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    told = doctor(web.folder, env={"KUBECONFIG": str(tmp_path / "kubeconfig")})
    assert (told.code, told.failed) == (3, [("cluster", "API server")]), told.said
    assert "connection refused" in told.message("cluster", "API server")
    assert told.message("engine", "engine")
    assert {check["check"] for check in told.checks if check["group"] == "cluster"} == {"kube context", "API server"}


def test_what_would_make_up_fail_in_the_cluster(web: Shop) -> None:
    missing, wrong = web.service("api"), web.service("web", build='{ context = "web", platform = "linux/s390x" }')
    web.source("api")
    web.configure(missing, wrong)
    told = doctor(web.folder)
    assert told.code == 3
    assert sorted(told.failed) == [("cluster", "platform"), ("cluster", "workload")], told.said
    assert "deployment/api does not exist" in told.said
    assert "web is built for linux/s390x, but the nodes are linux/" in told.said
    assert doctor(web.folder, "api").failed == [("cluster", "workload")], "only what was named"


def test_a_namespace_that_is_not_there(web: Shop) -> None:
    told = doctor(web.folder, "-n", f"{web.namespace}-gone")
    assert ("cluster", "namespace") in told.failed
    assert told.about("cluster", "rights") == [], "what one may do in what is not there says nothing"


def test_without_a_file(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told = doctor(tmp_path / "empty", *shop.elsewhere())
    assert told.code == 0, told.said
    groups = {check["group"] for check in told.checks}
    assert groups == {"machine", "engine", "cluster"}, "neither source nor registry"
    assert told.message("cluster", "rights").endswith(f"in namespace {shop.namespace}")
    beside = doctor(shop.source("web"), *shop.elsewhere())
    assert beside.code == 0, beside.said
    assert beside.message("source", "build context").startswith("this folder: 2 files, ")


def test_a_workload_stands_for_a_service_where_there_is_no_file(web: Shop) -> None:
    (web.folder / "devloop.toml").unlink()
    told = doctor(web.folder / "web", *web.elsewhere(), "deployment/web")
    assert told.code == 0, told.said
    assert told.message("cluster", "workload").startswith("web: deployment/web")
    assert told.message("registry", "registry") == f"{web.registry} answers"
    absent = doctor(web.folder / "web", *web.elsewhere(), "deployment/gone")
    assert (absent.code, absent.failed) == (3, [("cluster", "workload")]), absent.said


@pytest.fixture
def left(web: Shop) -> Shop:
    """The service, rolled out and left so."""
    code, devloop = web.once()
    assert code == 0, devloop.said()
    return web


def test_what_was_left_behind_is_listed_with_what_undoes_it(left: Shop, tmp_path: Path) -> None:
    told = doctor(left.folder)
    assert told.code == 0, told.said
    mine = [
        check for check in told.about("cluster", "left behind") if f"namespace {left.namespace} " in check["message"]
    ]
    assert [check["level"] for check in mine] == ["note"]
    assert (
        f"deployment/web in namespace {left.namespace} is on {left.image('web')}:dev under Always" in mine[0]["message"]
    )
    assert "in all namespaces" in mine[0]["message"]
    assert mine[0]["fix"] == f"devloop restore deployment/web -n {left.namespace}"
    code, out, err = left.devloop(*mine[0]["fix"].split()[1:])
    assert code == 0, out + err
    assert f"namespace {left.namespace} is on" not in doctor(left.folder).said


def test_who_may_only_what_is_needed_is_told_of_here_alone(left: Shop, tmp_path: Path) -> None:
    """Rights in one namespace, and none in the cluster: nodes are not mentioned."""
    left.run("create", "serviceaccount", "dev")
    needed = ("--verb=get,list,watch,patch", "--resource=deployments.apps,replicasets.apps,pods")
    left.run("create", "role", "dev", *needed)
    left.run("create", "rolebinding", "dev", "--role=dev", f"--serviceaccount={left.namespace}:dev")
    config = yaml.safe_load(left.kubectl("config", "view", "--raw"))
    token = left.run("create", "token", "dev").strip()
    user = next(c for c in config["contexts"] if c["name"] == os.environ["DEVLOOP_E2E_CONTEXT"])["context"]["user"]
    next(u for u in config["users"] if u["name"] == user)["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    told = doctor(left.folder, env={"KUBECONFIG": str(tmp_path / "kubeconfig")})
    assert told.code == 0, told.said
    fine, logs, events, leases = told.about("cluster", "rights")
    assert (fine["level"], logs["level"], events["level"], leases["level"]) == ("ok", "note", "note", "note")
    assert "you may not get pods/log" in logs["message"]
    assert "you may not watch events" in events["message"]
    assert "you may not get, create, patch, delete leases" in leases["message"]
    (check,) = told.about("cluster", "left behind")
    assert f"looked in namespace {left.namespace}, as you may not list others" in check["message"]
    assert told.about("cluster", "nodes") == told.about("cluster", "platform") == []
    assert token not in told.said


async def test_credentials_are_checked_and_never_told(web: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    folder.mkdir()
    async with own_registry(folder) as own:
        web.configure(web.service("web", f'push_image = "{own.host}/web"'))

        async def told(password: str | None) -> Told:
            env = {"DOCKER_CONFIG": str(own.docker_config(password))}
            return await asyncio.to_thread(doctor, web.folder, env=env)

        right = await told(PASSWORD)
        assert right.code == 0, right.said
        assert right.message("registry", "credentials") == f"{own.host} takes those of `{USER}`"
        for password in ("wrong-password-1", None):
            wrong = await told(password)
            assert (wrong.code, wrong.failed) == (3, [("registry", "credentials")]), wrong.said
            assert f"docker login {own.host}" in wrong.about("registry", "credentials")[0]["fix"]
            assert "wrong-password-1" not in wrong.said
        assert PASSWORD not in right.said
