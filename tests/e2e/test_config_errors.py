"""A wrong file or a wrong command line: exit code 2, every problem at once on stderr, and nothing on stdout."""

from pathlib import Path

import pytest

from tests.e2e.harness import Kubectl, get, run, write_toml

pytestmark = [pytest.mark.shared, pytest.mark.usefixtures("place"), pytest.mark.timeout(60)]


def refused(cwd: Path, *args: str) -> str:
    """What devloop says on stderr when it ends with 2; stdout stays empty, for whoever reads events there."""
    done = run(cwd, *args)
    assert (done.returncode, done.stdout) == (2, ""), f"{done.stdout}\n{done.stderr}"
    return done.stderr


def up(cwd: Path, *args: str) -> str:
    return refused(cwd, "up", "--once", "--output", "json", *args)


def test_every_problem_of_a_file_is_told_in_one_go(tmp_path: Path, namespace: str, registry: str) -> None:
    write_toml(
        tmp_path,
        namespace,
        f"""
[services.web]
image = "web"
build = "absent"
wrokload = "deployment/web"
[services.api]
image = "{registry}/{namespace}/api:v1"
tag = "dev"
build = "."
depends_on = ["wbe"]
""",
        loop=('rollout_timeout = "soon"', "parallel_builds = 0"),
    )
    said = up(tmp_path)
    lines = said.splitlines()
    told = {
        "the image without a registry": ("devloop.toml:11", "services.web.image", "docker.io/"),
        "the folder that is not there": ("devloop.toml:12", "services.web.build", "absent"),
        "the misspelt key": ("devloop.toml:13", "wrokload", "workload"),
        "two tags": ("services.api", "tag", "v1"),
        "the unknown service": ("depends_on", "wbe", "web"),
        "the time": ("rollout_timeout", "soon", "5m"),
        "the number of builds": ("parallel_builds", "0", "1"),
    }
    for what, words in told.items():
        assert any(all(word in line for word in words) for line in lines), f"{what} in:\n{said}"


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "devloop.toml").write_text('[services.web]\nimage = "localhost:5000/web\n')
    assert "devloop.toml:2" in up(tmp_path)


def test_a_file_that_was_named_and_is_not_there(tmp_path: Path) -> None:
    said = up(tmp_path, "-f", "elsewhere.toml")
    assert "elsewhere.toml" in said


def test_no_file_and_no_dockerfile(tmp_path: Path) -> None:
    said = up(tmp_path)
    assert "there is no Dockerfile in" in said
    assert "--build FOLDER" in said


def test_a_service_that_the_file_does_not_have(tmp_path: Path, namespace: str, registry: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {registry}/busybox:1\n")
    write_toml(tmp_path, namespace, f'[services.web]\nimage = "{registry}/{namespace}/web"\nbuild = "."')
    said = up(tmp_path, "wbe")
    assert "wbe" in said
    assert "web" in said.replace("wbe", "")


def test_an_unknown_context(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {registry}/busybox:1\n")
    write_toml(tmp_path, namespace, f'[services.web]\nimage = "{registry}/{namespace}/web"\nbuild = "."')
    said = up(tmp_path, "--context", "kind-e3e")
    assert "no context `kind-e3e`" in said
    for line in kubectl("config", "get-contexts", "-o", "name").splitlines():
        if line == "kind-e2e":
            assert "did you mean `kind-e2e`?" in said


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("up", "--onec"), ("--onec", "--once")),
        (("up", "--output", "xml"), ("xml", "plain", "json")),
        (("up", "--on-exit", "explode"), ("explode", "keep", "restore")),
        (("pu",), ("pu",)),
        (("up", "-f"), ("-f", "argument")),
        (("restore",), ("--all",)),
        (("up", "statefulset/db"), ("statefulset", "deployment")),
    ],
)
def test_wrong_usage(tmp_path: Path, args: tuple[str, ...], words: tuple[str, ...]) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    said = refused(tmp_path, *args)
    assert all(word in said for word in words), said


def test_the_same_file_is_judged_alike_by_validate_and_plan(tmp_path: Path, namespace: str, registry: str) -> None:
    write_toml(tmp_path, namespace, f'[services.web]\nimage = "{registry}/{namespace}/web"\nbuild = "absent"')
    told = [line for line in up(tmp_path).splitlines() if "absent" in line]
    assert told
    for command in ("validate", "plan"):
        assert told == [line for line in refused(tmp_path, command).splitlines() if "absent" in line]


def test_nothing_of_it_reached_the_cluster(tmp_path: Path, kubectl: Kubectl, namespace: str, registry: str) -> None:
    write_toml(tmp_path, namespace, f'[services.web]\nimage = "{registry}/{namespace}/web"\nbuild = "absent"')
    up(tmp_path)
    assert get(kubectl, namespace, "events")["items"] == []
