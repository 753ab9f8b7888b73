"""Which services a command works on, by the names that it was given."""

from pathlib import Path

import pytest

from devloop.core.failure import ExitCode
from devloop.session.project import Project, Refusal, open_project
from devloop.session.request import Request
from tests.adapters.fakeapi import pinned

TOML = """
[services.worker]
image = "localhost:5001/shop/worker"
build = "src"
workload = "deployment/backend"
container = "worker"
depends_on = ["web"]

[services.api]
image = "localhost:5001/shop/api"
build = "src"
workload = "deployment/backend"
container = "api"

[services.web]
image = "localhost:5001/shop/web"
build = "src"
"""

ELSEWHERE = """
[services.far]
image = "localhost:5001/shop/far"
build = "src"
workload = "deployment/backend"
namespace = "far"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with a file, and no Dockerfile of its own."""
    pinned(tmp_path, "https://127.0.0.1:1", {})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "devloop.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def opened(*names: str, verb: str = "plan") -> Project | Refusal:
    return await open_project(Request(names, writes=False, verb=verb))


async def services(*names: str) -> set[str]:
    project = await opened(*names)
    assert isinstance(project, Project), project.lines
    return {service.name for service in project.services}


async def refused(*names: str, verb: str = "plan") -> tuple[str, ...]:
    refusal = await opened(*names, verb=verb)
    assert isinstance(refusal, Refusal)
    assert refusal.exit_code is ExitCode.USAGE
    return refusal.lines


async def test_a_mistake_in_another_service_is_told_where_the_workload_may_be_its_own(folder: Path) -> None:
    (folder / "devloop.toml").write_text(TOML + ELSEWHERE.replace("/far", "/far-{branch}", 1))
    assert await services("deployment/web") == {"web"}
    (line,) = await refused("deployment/wbe")
    assert "services.far.image" in line


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (("deployment/backend",), {"api", "worker", "web"}),  # what worker depends on comes with it
        (("deploy/backend",), {"api", "worker", "web"}),
        (("deployment/web",), {"web"}),
        (("api", "deployment/web"), {"api", "web"}),
    ],
)
async def test_a_workload_stands_for_all_services_that_run_on_it(names: tuple[str, ...], meant: set[str]) -> None:
    assert await services(*names) == meant


async def test_of_workloads_that_are_called_the_same_those_of_the_namespace_at_hand_are_meant(folder: Path) -> None:
    (folder / "devloop.toml").write_text(TOML + ELSEWHERE)
    assert await services("deployment/backend") == {"api", "worker", "web"}
    (folder / "devloop.toml").write_text(ELSEWHERE)
    assert await services("deployment/backend") == {"far"}


async def test_a_workload_that_the_file_lacks_is_not_told_that_there_is_no_file(folder: Path) -> None:
    has = "it has deployment/web, deployment/backend"
    way = f"to work on a Deployment that the file lacks, go to a folder with its Dockerfile{{}}: none is in {folder}"
    build = way.format(" (or name that: --build FOLDER)")
    lacks = f"devloop.toml has no service for deployment/wbe; {has}"
    assert await refused("deployment/wbe") == (lacks, f"→ did you mean `deployment/web`? Else {build}")
    assert await refused("deployment/mail") == (f"devloop.toml has no service for deployment/mail; {has}", f"→ {build}")
    alone = (f"devloop.toml has no service for deployment/mail; {has}", "→ name it alone: devloop plan deployment/mail")
    assert await refused("deployment/web", "deployment/mail") == alone
    (folder / "Dockerfile").write_text("FROM scratch\n")
    assert await refused("deployment/mail", "web") == alone
    (folder / "Dockerfile").unlink()
    assert await refused("deployment/mail", verb="doctor") == (
        f"devloop.toml has no service for deployment/mail; {has}",
        f"→ {way.format('')}",
    )


@pytest.mark.parametrize("name", ["bogus/x", "statefulset/x"])
async def test_what_is_no_deployment_is_told_so_first(name: str) -> None:
    (said,) = await refused(name)
    assert said.startswith(f"`{name}`: devloop rolls out Deployments, not the kind ")


async def test_without_a_file_it_is_told_that_there_is_none(folder: Path) -> None:
    (folder / "devloop.toml").unlink()
    said, _ = await refused("deployment/mail")
    assert said == f"there is no Dockerfile in {folder}, and no devloop.toml here or above that names another"
