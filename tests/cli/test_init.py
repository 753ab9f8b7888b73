"""`devloop init` from the command line and on a terminal, beside an API server that only lists."""

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.onterminal import OnTerminal

DEVLOOP = [sys.executable, "-m", "devloop"]
HELPERS = "registry.k8s.io/pause:3"


class Cluster:
    """Answers lists of workloads, the local registry's ConfigMap, and nothing else."""

    def __init__(self) -> None:
        self.workloads: list[tuple[str, str, str, list[str]]] = []
        """Kind, namespace, name, images."""
        self.hosting: Mapping[str, str] | None = None
        self.forbidden: set[str] = set()
        """Paths that are denied."""
        self.written: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.answer(self.path.partition("?")[0])
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_PATCH(self) -> None:
                outer.written.append(self.path)
                self.send_error(405)

            do_POST = do_PUT = do_DELETE = do_PATCH  # noqa: N815 - the names that the server calls

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def deploy(self, name: str, *images: str, namespace: str = "shop", kind: str = "deployments") -> None:
        self.workloads.append((kind, namespace, name, list(images)))

    def answer(self, path: str) -> tuple[int, Any]:
        if path in self.forbidden:
            return 403, {"message": f"may not list {path}"}
        parts = path.strip("/").split("/")
        if path.endswith("/configmaps/local-registry-hosting") and self.hosting is not None:
            return 200, {"data": {"localRegistryHosting.v1": yaml.safe_dump(dict(self.hosting))}}
        if path == "/api/v1/namespaces":
            names = sorted({namespace for _, namespace, _, _ in self.workloads})
            return 200, {"items": [{"metadata": {"name": name}} for name in names]}
        if path.startswith("/apis/apps/v1/"):
            within = parts[4] if "namespaces" in parts else None
            found = [w for w in self.workloads if w[0] == parts[-1] and within in {None, w[1]}]
            return 200, {"items": [_workload(*each) for each in found]}
        return 404, {"message": "not found"}


def _workload(kind: str, namespace: str, name: str, images: list[str]) -> dict[str, Any]:
    containers = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"metadata": {}, "spec": {"containers": containers}}},
    }


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    thread = threading.Thread(target=cluster.server.serve_forever, daemon=True)
    thread.start()
    yield cluster
    cluster.server.shutdown()
    cluster.server.server_close()
    thread.join()
    # The one thing that `doctor` asks by a POST says who is asking.
    assert [path for path in cluster.written if not path.endswith("reviews")] == [], "it only reads"


class Project:
    """A folder with Dockerfiles, beside a kubeconfig of that cluster."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.root = folder / "shop"
        self.root.mkdir()
        self.env = {
            **os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "DOCKER_HOST": "unix:///none/docker.sock",
            "DOCKER_CONFIG": str(folder / "docker"), "NO_COLOR": "1",
        }  # fmt: skip
        (folder / "docker").mkdir()
        (folder / "docker" / "config.json").write_text('{"auths": {"127.0.0.1:1": {}}}')
        self._folder, self._url = folder, cluster.url
        self.context("kind-dev")

    def context(self, name: str) -> None:
        content = {
            "current-context": name,
            "clusters": [{"name": "c", "cluster": {"server": self._url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": name, "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        }
        (self._folder / "kubeconfig").write_text(yaml.safe_dump(content))

    def source(self, *folders: str) -> None:
        for folder in folders:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            (self.root / folder / "Dockerfile").write_text("FROM scratch\n")

    def run(self, *args: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*DEVLOOP, *args], cwd=self.root, env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    def terminal(self, *args: str) -> OnTerminal:
        return OnTerminal([*DEVLOOP, *args], self.root, env=self.env)

    def read(self, name: str = "devloop.toml") -> dict[str, Any]:
        return tomllib.loads((self.root / name).read_text())

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.root.iterdir() if path.is_file()}


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Project:
    """web/ and api/, of which deployment/web runs an image of its own."""
    project = Project(tmp_path, cluster)
    project.source("web", "api")
    cluster.deploy("web", "127.0.0.1:1/shop/web:1")
    cluster.deploy("api", "127.0.0.1:1/shop/api:1")
    return project


WRITTEN = {"devloop.toml", "devloop.local.toml", ".gitignore"}


def test_yes_writes_what_validates_and_says_why(project: Project) -> None:
    (project.root / ".git").mkdir()
    code, out, err = project.run("init", "--yes")
    assert (code, err) == (0, ""), err
    assert out.startswith("2 Dockerfiles, 2 workloads in namespace shop of context kind-dev\n")
    why = "web/Dockerfile -> deployment/web in shop: the image 127.0.0.1:1/shop/web ends in the folder's name, web"
    assert f"✔ {why}\n" in out
    assert f"# {why}.\n" in (project.root / "devloop.toml").read_text()
    assert out.endswith("→ devloop up       builds, pushes and proves\n")
    assert project.files == WRITTEN
    assert project.read()["services"]["web"] == {
        "image": "127.0.0.1:1/shop/web", "build": "web", "workload": "deployment/web",
    }  # fmt: skip
    assert project.read("devloop.local.toml") == {"cluster": {"context": "kind-dev", "namespace": "shop"}}
    assert (project.root / ".gitignore").read_text() == "devloop.local.toml\n"
    assert project.run("validate")[:2] == (0, "devloop.toml is valid: api, web\n")


def test_a_second_time_nothing_has_to_be_written(project: Project) -> None:
    assert project.run("init", "--yes")[0] == 0
    mine = (project.root / "devloop.toml").read_text() + "\n[loop]\nparallel_builds = 2\n"
    (project.root / "devloop.toml").write_text(mine)
    before = {name: (project.root / name).read_text() for name in WRITTEN}
    code, out, err = project.run("init", "--yes")
    assert code == 0, err
    assert "devloop.toml says so already" in out
    assert "devloop.local.toml says so already" in out
    assert {name: (project.root / name).read_text() for name in WRITTEN} == before
    code, out, err = project.run("init", "--diff")
    assert (code, out) == (0, "")
    assert "devloop.toml says so already" in err


def test_a_file_that_says_something_else_stays(project: Project) -> None:
    own = '[services.mine]\nimage = "localhost:1/mine"\nbuild = "web"\n'
    (project.root / "devloop.toml").write_text(own)
    code, _, err = project.run("init", "--yes")
    assert code == 2
    first, way = err.splitlines()
    assert first == "devloop.toml is there and says something else: nothing was written"
    assert "`devloop init --diff` shows the difference" in way
    assert (project.root / "devloop.toml").read_text() == own
    assert project.files == {"devloop.toml"}
    code, out, _ = project.run("init", "--diff")
    assert code == 0
    assert "--- devloop.toml\n+++ devloop.toml\n" in out
    assert "-[services.mine]\n" in out
    assert "+[services.web]\n" in out
    assert "--- /dev/null\n+++ devloop.local.toml\n" in out
    assert project.files == {"devloop.toml"}


def test_print_writes_nothing_and_its_stdout_is_a_valid_file(project: Project) -> None:
    code, out, err = project.run("init", "--print")
    assert code == 0
    assert set(tomllib.loads(out)["services"]) == {"web", "api"}
    assert '# context = "kind-dev"' in out
    assert "web/Dockerfile -> deployment/web in shop: the image" in err
    assert project.files == set()


def test_without_a_terminal_it_says_what_to_add(project: Project) -> None:
    code, out, err = project.run("init")
    assert (code, out) == (2, "")
    assert err.endswith(
        "Error: there is no terminal to ask on: add --yes to write what is found, or --print to see it\n"
    )
    assert project.files == set()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--print", "--diff"), "--print and --diff show the same in two ways"),
        (("--yes", "-n", "x", "--all-namespaces"), "--all-namespaces already means all of them"),
    ],
)
def test_options_that_contradict_each_other(project: Project, args: tuple[str, ...], words: str) -> None:
    code, _, err = project.run("init", *args)
    assert code == 2
    assert words in err


def test_a_project_without_a_dockerfile(project: Project) -> None:
    for folder in ("web", "api"):
        (project.root / folder / "Dockerfile").unlink()
    code, _, err = project.run("init", "--yes")
    assert code == 2
    assert f"there is no Dockerfile in {project.root} or below it" in err


def test_a_cluster_that_runs_nothing_of_it(project: Project, cluster: Cluster) -> None:
    cluster.workloads = [("statefulsets", "shop", "web", ["127.0.0.1:1/shop/web"])]
    code, out, err = project.run("init", "--yes")
    assert code == 3
    assert "✘ web/Dockerfile: statefulset/web in shop runs it, and devloop rolls out Deployments alone; left out" in out
    assert "no workload in namespace shop runs what is built here" in err
    assert project.files == set()


def test_a_cluster_without_a_registry(project: Project, cluster: Cluster) -> None:
    (project.root.parent / "docker" / "config.json").write_text("{}")
    cluster.workloads = []
    cluster.deploy("web", "web:dev")
    code, out, err = project.run("init", "--yes")
    assert code == 3
    assert "deployment/web in shop runs web:dev, which cannot be pushed to, and no other registry was found" in out
    assert err.startswith("no registry was found to push images to")


def test_a_cluster_that_is_away(project: Project, cluster: Cluster) -> None:
    project._url = "http://127.0.0.1:1"
    project.context("kind-dev")
    code, out, err = project.run("init", "--yes")
    assert (code, out) == (3, "")
    assert "127.0.0.1:1" in err
    assert len(err.splitlines()) == 2


def test_where_nothing_in_the_namespace_fits_all_others_are_looked_at(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("web", "127.0.0.1:1/shop/web", namespace="team")
    cluster.deploy("web", "127.0.0.1:1/shop/web", namespace="kube-system")
    code, out, _ = project.run("init", "--yes")
    assert code == 0
    assert "1 workload in all namespaces" in out
    assert "web/Dockerfile -> deployment/web in team" in out
    assert project.read()["cluster"] == {"namespace": "team"}
    code, _, err = project.run("init", "--yes", "-n", "empty")
    assert code == 3, "who names a namespace means it"
    assert "no workload in namespace empty runs" in err


def test_all_namespaces_that_one_may_list(project: Project, cluster: Cluster) -> None:
    cluster.deploy("api", "127.0.0.1:1/shop/api", namespace="other")
    cluster.deploy("web", "127.0.0.1:1/shop/web", namespace="secret")
    cluster.forbidden = {"/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/secret/deployments"}
    code, out, _ = project.run("init", "--yes", "--all-namespaces")
    assert code == 0
    assert "in the 2 namespaces that you may list" in out
    assert "! api/Dockerfile: it may be `deployment/api in other` or `deployment/api in shop`" in out
    assert set(project.read()["services"]) == {"web"}
    assert "# [services.api]" in (project.root / "devloop.toml").read_text()


def test_the_config_map_names_the_registry(project: Project, cluster: Cluster) -> None:
    cluster.hosting = {"host": "localhost:5001", "hostFromContainerRuntime": "registry:5000"}
    cluster.workloads = []
    cluster.deploy("web", "registry:5000/shop/web:latest")
    cluster.deploy("api", "nginx", HELPERS)
    code, out, _ = project.run("init", "--yes")
    assert code == 0, out
    assert project.read("devloop.local.toml")["services"] == {"web": {"push_image": "localhost:5001/shop/web"}}
    assert project.read()["services"]["web"]["tag"] == "dev"
    assert "! api/Dockerfile: it may be" in out, "which of two containers it is, nobody can tell"


def test_only_a_local_cluster_is_permitted_without_a_word(project: Project) -> None:
    project.context("prod")
    code, out, _ = project.run("init", "--yes")
    assert code == 0
    assert "context prod is no known local cluster" in out
    assert "context" not in project.read("devloop.local.toml").get("cluster", {})
    assert '# context = "prod"' in (project.root / "devloop.local.toml").read_text()


def test_the_next_time_the_context_of_the_file_is_looked_at(project: Project) -> None:
    assert project.run("init", "--yes")[0] == 0
    project.context("other")
    code, _, err = project.run("init", "--yes")
    assert code == 2
    assert "has no context `kind-dev`" in err


def test_a_file_further_up_is_mentioned(project: Project, cluster: Cluster) -> None:
    cluster.deploy("x", "127.0.0.1:1/shop/x")
    project.source("deep/x")
    (project.root / "devloop.toml").write_text('[services.x]\nimage = "127.0.0.1:1/shop/x"\nbuild = "deep/x"\n')
    project.root = project.root / "deep"
    code, out, _ = project.run("init", "--yes")
    assert code == 0
    assert "! ../devloop.toml is there as well" in out


def test_on_a_terminal_enter_all_the_way_gives_a_good_file(project: Project) -> None:
    with project.terminal("init") as terminal:
        terminal.until(
            "Write devloop.toml and devloop.local.toml, and a line in .gitignore for devloop.local.toml? [Y/n]"
        )
        assert "web/Dockerfile -> deployment/web in shop" in terminal.said
        assert project.files == set()
        terminal.press(b"\n")
        terminal.until("Check everything with `devloop doctor` now? [Y/n]")
        terminal.press(b"\n")
        terminal.until("→ mend what failed, then: devloop up")
        assert terminal.finish() == 0
        assert "✘ engine" in terminal.said
    assert project.files == WRITTEN
    assert project.run("validate")[0] == 0


def test_no_writes_nothing(project: Project) -> None:
    with project.terminal("init") as terminal:
        terminal.until("? [Y/n]")
        terminal.press(b"n\n")
        terminal.until("nothing was written")
        assert terminal.finish() == 2
    assert project.files == set()


def test_ctrl_c_writes_nothing(project: Project) -> None:
    with project.terminal("init") as terminal:
        terminal.until("? [Y/n]")
        # Between what is drawn and the read that a signal interrupts lies a moment in which it is only noted.
        while terminal.process.poll() is None:
            terminal.press(b"\x03")
            with suppress(subprocess.TimeoutExpired):
                terminal.process.wait(1)
        assert terminal.finish() == 130
    assert project.files == set()


def test_replacing_a_file_takes_a_yes(project: Project) -> None:
    own = '[services.mine]\nimage = "localhost:1/mine"\nbuild = "web"\n'
    (project.root / "devloop.toml").write_text(own)
    with project.terminal("init") as terminal:
        terminal.until("devloop.toml is there and says something else. Replace it? [y/N]")
        terminal.press(b"\n")
        assert terminal.finish() == 2
    assert (project.root / "devloop.toml").read_text() == own
    with project.terminal("init") as terminal:
        terminal.until("Replace it? [y/N]")
        terminal.press(b"y\n")
        terminal.until("Write devloop.local.toml")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        terminal.until("→ devloop doctor, then devloop up")
        assert terminal.finish() == 0
    assert set(project.read()["services"]) == {"web", "api"}


def test_what_is_not_clear_is_asked(project: Project, cluster: Cluster) -> None:
    cluster.workloads = []
    cluster.deploy("web", "127.0.0.1:1/a/web", namespace="one")
    cluster.deploy("web", "127.0.0.1:1/a/web", namespace="two")
    cluster.deploy("backend", "127.0.0.1:1/a/server", namespace="two")
    with project.terminal("init", "--all-namespaces") as terminal:
        terminal.until("api/Dockerfile: no Deployment has a name, an image or a label like `api`")
        terminal.until("3) deployment/backend in two (127.0.0.1:1/a/server)")
        terminal.until("What runs api/Dockerfile? [0]")
        terminal.press(b"3\n")
        terminal.until("2) deployment/web in two (127.0.0.1:1/a/web)")
        terminal.until("What runs web/Dockerfile? [0]")
        terminal.press(b"2\n")
        terminal.until("Write devloop.toml")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    services = project.read()["services"]
    assert services["api"]["workload"] == "deployment/backend"
    assert services["web"]["workload"] == "deployment/web"
    assert project.read()["cluster"] == {"namespace": "two"}


def test_a_registry_is_asked_for_where_the_image_is_nobodys_to_push(project: Project, cluster: Cluster) -> None:
    cluster.hosting = {"host": "localhost:5001"}
    cluster.workloads = []
    cluster.deploy("web", "nginx")
    with project.terminal("init") as terminal:
        terminal.until("[localhost:5001]: ")
        terminal.press(b"no host\n")
        terminal.until("write a registry's host")
        terminal.press(b"\n")
        terminal.until("Write devloop.toml")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    assert project.read()["services"]["web"]["image"] == "localhost:5001/shop/web"


def test_another_cluster_is_permitted_by_typing_its_name(project: Project) -> None:
    project.context("prod")
    with project.terminal("init") as terminal:
        terminal.until("Type `prod` to permit it in devloop.local.toml, or press Enter")
        terminal.press(b"prod\n")
        terminal.until("Write devloop.toml")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    assert project.read("devloop.local.toml")["cluster"]["context"] == "prod"
