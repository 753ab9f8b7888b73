"""What `devloop restore` takes its targets for, where devloop.toml has mistakes; what it advises when it fails."""

from pathlib import Path

import pytest

from devloop.core.failure import ExitCode, FailureCode
from devloop.core.service import WorkloadKey
from devloop.core.workload import Waiting
from devloop.engine.observations import Observations
from devloop.session.project import Refusal
from devloop.session.request import Request
from devloop.session.restoring import Restored, _open, rolled_out
from tests.adapters.fakeapi import pinned
from tests.core.workloads import KEY, pod, snapshot

SYNTAX = "[services.web\n"
MISSPELT = """
[cluster]
namespace = "shop"
[services.web]
imago = "localhost:5001/shop/web"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pinned(tmp_path, "https://127.0.0.1:1", {})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def opened(request: Request, *, everything: bool = False) -> tuple[WorkloadKey, ...] | ExitCode:
    found = await _open(request, everything=everything)
    return found.exit_code if isinstance(found, Refusal) else found.keys


def asked(*names: str, **more: str) -> Request:
    return Request(names, confirm=lambda context, failure: True, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [SYNTAX, MISSPELT])
async def test_a_workload_is_found_without_the_file(
    text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "devloop.toml").write_text(text)
    assert await opened(asked("deployment/hello", namespace="stranger")) == (
        WorkloadKey("stranger", "deployment", "hello"),
    )
    assert capsys.readouterr().err == (
        "devloop.toml has mistakes (`devloop validate` tells them); restoring without it: "
        "context fake, namespace stranger\n"
    )


async def test_it_is_looked_for_where_the_file_says(folder: Path) -> None:
    """As far as it can be read: nothing is put back in another cluster because of a misspelt key."""
    (folder / "devloop.toml").write_text(MISSPELT)
    assert await opened(asked("deployment/hello")) == (WorkloadKey("shop", "deployment", "hello"),)
    (folder / "devloop.local.toml").write_text('[cluster]\ncontext = "away"\n')
    assert isinstance(await opened(asked("deployment/hello")), ExitCode), "there is no context of that name"


async def test_what_needs_the_file_is_refused(folder: Path) -> None:
    (folder / "devloop.toml").write_text(MISSPELT)
    assert await opened(asked("web")) is ExitCode.USAGE
    assert await opened(asked("deployment/hello", "web")) is ExitCode.USAGE
    assert await opened(asked(), everything=True) is ExitCode.USAGE, "only the file would say which namespace"
    assert await opened(asked("deployment/hello", file=Path("devloop.toml"))) is ExitCode.USAGE  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [SYNTAX, MISSPELT])
async def test_all_of_a_namespace_that_is_named_needs_no_file(text: str, folder: Path) -> None:
    (folder / "devloop.toml").write_text(text)
    found = await _open(asked(namespace="stranger"), everything=True)
    assert not isinstance(found, Refusal)
    assert (found.pinned.name, found.namespace) == ("fake", "stranger")


async def test_the_way_without_the_file_is_told(folder: Path) -> None:
    (folder / "devloop.toml").write_text(SYNTAX)
    found = await _open(asked(), everything=True)
    assert isinstance(found, Refusal)
    assert found.lines[-1].endswith("devloop restore --all -n NAMESPACE")


async def refusal(*, everything: bool = False) -> str:
    """The advice where nobody can be asked; empty where it is allowed."""
    names = () if everything else ("deployment/hello",)
    found = await _open(Request(names, namespace="stranger"), everything=everything)
    return found.lines[-1] if isinstance(found, Refusal) else ""


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(
    "own", ['context = "fake"', 'allow = ["fake"]', 'allow = [{ context = "fake", namespace = "stranger" }]']
)
async def test_an_overlay_without_mistakes_still_allows(own: str, everything: bool, folder: Path) -> None:
    for text in (SYNTAX, MISSPELT):
        (folder / "devloop.toml").write_text(text)
        (folder / "devloop.local.toml").write_text(f"[cluster]\n{own}\n")
        assert await refusal(everything=everything) == ""


async def test_what_is_told_to_write_there_is_enough(folder: Path) -> None:
    (folder / "devloop.toml").write_text(SYNTAX)
    advice = await refusal()
    assert advice.endswith('set `context = "fake"` under `[cluster]` in devloop.local.toml')
    (folder / "devloop.local.toml").write_text('[cluster]\ncontext = "fake"\n')
    assert await refusal() == ""


@pytest.mark.parametrize(
    ("below", "own"),
    [
        (SYNTAX, '[cluster]\ncontext = "fake"\nallow = 3\n'),
        (SYNTAX, '[cluster\ncontext = "fake"\n'),
        (SYNTAX, '[cluster]\ncontext = "fake"\nnamespace = "${NOT_SET_ANYWHERE}"\n'),
        (MISSPELT, '[cluster]\ncontext = "fake"\n[services.web]\ntagg = "x"\n'),
        ('[services.web]\nimage = "h:1/web"\n', '[cluster]\ncontext = "fake"\nallow = 3\n'),
    ],
)
async def test_an_overlay_with_mistakes_allows_nothing_and_has_to_be_mended(
    below: str, own: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "devloop.toml").write_text(below)
    (folder / "devloop.local.toml").write_text(own)
    advice = await refusal()
    assert advice.endswith(", or correct the mistakes in devloop.local.toml: what that allows does not count before")
    assert "mistakes (`devloop validate` tells them); restoring without" in capsys.readouterr().err


async def test_a_file_with_mistakes_allows_nothing(folder: Path) -> None:
    (folder / "devloop.toml").write_text(MISSPELT.replace("namespace", 'context = "fake"\nnamespace'))
    assert "devloop.local.toml" in await refusal()


async def test_the_advice_for_an_image_that_is_gone_is_not_about_devloop_toml() -> None:
    """It is the one from before devloop, which the file never named."""
    stuck = pod(ready=False, image="", state=Waiting("ErrImagePull", "localhost:5001/shop/web:dev: not found"))
    observations = Observations()
    observations.observe(snapshot(stuck))
    failure = await rolled_out(observations, Restored(KEY, "uid-web", 1, ("its image",)), 20)
    assert failure is not None
    assert failure.code is FailureCode.IMAGE_PULL
    assert failure.hint.endswith("`kubectl set image deployment/web CONTAINER=IMAGE -n shop`")
    assert "push_image" not in failure.hint
