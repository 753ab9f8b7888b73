"""Suggested commands hold what was typed: without a devloop.toml nothing else says the workload and its place."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from devloop.cli import main
from devloop.core.failure import ExitCode
from devloop.sandbox.folder import KUBECONFIG
from devloop.session.demo.place import DemoFolder
from devloop.session.project import Project, Refusal, find_place, open_project
from devloop.session.request import Asked, Request
from devloop.session.restoring import restore_targets
from devloop.session.talking import status, trigger, wait
from tests.adapters.fakeapi import pinned


@pytest.mark.parametrize(
    ("request_", "command"),
    [
        (Request(), "devloop up"),
        (Request(("deployment/hello",), namespace="stranger"), "devloop up deployment/hello -n stranger"),
        (
            Request(("web",), Path("my app/devloop.toml"), "kind-dev", build="src"),
            "devloop up web -f 'my app/devloop.toml' --context kind-dev --build src",
        ),
        (Request(namespace="stranger", verb="plan"), "devloop plan -n stranger"),
    ],
)
def test_the_command_line_once_more(request_: Request, command: str) -> None:
    assert request_.typed() == command


def test_the_command_line_with_a_workload_named() -> None:
    asked = Request(namespace="stranger", verb="plan")
    assert asked.typed("deployment/hello") == "devloop plan deployment/hello -n stranger"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which no session runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVLOOP_STATE_DIR", str(tmp_path / "state"))
    pinned(tmp_path, "https://127.0.0.1:1", {})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return tmp_path


@pytest.mark.parametrize(
    ("services", "file", "command"),
    [
        ((), False, "devloop up deployment/NAME -n NAMESPACE"),
        (("hello",), False, "devloop up deployment/hello -n NAMESPACE"),
        ((), True, "devloop up"),
        (("web",), True, "devloop up web"),
    ],
)
async def test_what_starts_a_session(
    folder: Path, services: tuple[str, ...], file: bool, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if file:
        (folder / "devloop.toml").write_text("")
    asked = Asked(services)
    for code in (await status(asked), await trigger(asked, restart=False), await wait(asked, seconds=None)):
        assert code is ExitCode.UNREACHABLE
    hints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("→")]
    assert hints == [f"→ start one: {command}"] * 3


@pytest.mark.parametrize(
    ("sandbox", "kubeconfig", "hint"),
    [
        (".sandbox", True, "the demo begins one by itself; before its screen it waits for Enter in its terminal"),
        (".sandbox", False, "the demo is over; start it again: devloop demo --folder {folder}"),
        ("elsewhere/.sandbox", True, "start one: devloop up"),
    ],
)
async def test_in_the_demos_folder_nobody_is_told_to_start_a_session_beside_the_demos(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sandbox: str,
    kubeconfig: bool,
    hint: str,
) -> None:
    (folder / "devloop.toml").write_text("")
    own = DemoFolder((folder / sandbox).parent)
    own.own.mkdir(parents=True)
    for name, value in own.put_environment(str(own.own / KUBECONFIG), "docker").items():
        monkeypatch.setenv(name, value)
    if kubeconfig:
        (own.own / KUBECONFIG).write_text("")
    assert await wait(Asked(()), seconds=None) is ExitCode.UNREACHABLE
    assert capsys.readouterr().err.splitlines() == [
        "no session runs for this folder",
        f"→ {hint.format(folder=folder)}",
    ]


async def test_where_the_demos_cluster_is_gone_that_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = DemoFolder(folder)
    own.own.mkdir()
    for name, value in own.put_environment(str(own.own / KUBECONFIG), "docker").items():
        monkeypatch.setenv(name, value)
    refused = await find_place(Request(("deployment/web",), writes=False))
    assert isinstance(refused, Refusal)
    assert refused.lines[-1] == f"→ the demo is over; start it again: devloop demo --folder {folder}"


@pytest.mark.usefixtures("folder")
async def test_what_restores_a_workload(capsys: pytest.CaptureFixture[str]) -> None:
    request = Request(("hello",), namespace="stranger", verb="restore")
    await restore_targets(request, everything=False, as_json=False, take_over=False)
    assert capsys.readouterr().err.splitlines()[-1] == (
        "→ name the workload: devloop restore deployment/hello -n stranger"
    )


async def test_a_session_is_told_what_started_it(folder: Path) -> None:
    (folder / "devloop.toml").write_text('[services.web]\nimage = "localhost:5001/shop/web"\n')
    (folder / "Dockerfile").write_text("FROM scratch\n")
    project = await open_project(Request(("web",), namespace="stranger", writes=False))
    assert isinstance(project, Project)
    assert project.command == "devloop up web -n stranger"


@pytest.mark.usefixtures("folder")
def test_the_command_that_was_typed_is_the_one_that_is_suggested() -> None:
    done = CliRunner().invoke(main, ["restore", "hello", "-n", "stranger"])
    assert "→ name the workload: devloop restore deployment/hello -n stranger" in done.output
