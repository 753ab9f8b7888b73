"""Services that come and go on the screen, and a configuration that cannot be used."""

from devloop.core import events as ev
from devloop.core.commands import Rebuild
from tests.tui.stage import Stage, on_stage
from tests.tui.states import STATES
from tests.tui.stories import Story


def _two() -> Story:
    return Story("web", "api").watching().whole("web").whole("api").log("web", "of web").log("api", "of api")


async def _tell(stage: Stage, *events: ev.Event) -> None:
    stage.story.wait(1).tell(*events)
    await stage.go_on()


def _has_row(stage: Stage, service: str) -> bool:
    return any(line.lstrip("> ").startswith(service) for line in stage.screen)


async def test_a_row_comes_and_goes() -> None:
    async with on_stage(_two(), (110, 30)) as stage:
        assert not _has_row(stage, "worker")
        await _tell(stage, ev.ConfigAccepted("devloop.toml"), ev.ServiceAdded("worker"))
        assert _has_row(stage, "worker")
        assert "devloop.toml is in force" in "\n".join(stage.screen)
        await _tell(stage, ev.ServiceRemoved("worker", ("deployment/worker",), "shop"))
        assert not _has_row(stage, "worker")
        said = "\n".join(stage.screen)
        assert "worker: left the session" in said
        assert "undo: devloop restore deployment/worker -n shop" in said


async def test_when_the_chosen_service_leaves_another_is_looked_at() -> None:
    """With nothing left of what was chosen of the first one: a filter, an answer, a search for its Pods."""
    async with on_stage(_two(), (110, 30)) as stage:
        assert stage.app.chosen == "web"
        stage.app.only_pod = "a Pod of web"
        stage.app.apply_filter()
        await stage.press("d")
        assert stage.app.pane == "why"
        await _tell(stage, ev.ServiceRemoved("web"))
        assert (stage.app.chosen, stage.app.only_pod, stage.app.pane) == ("api", "", "logs")
        assert "of api" in "\n".join(stage.screen)
        assert "of web" not in "\n".join(stage.screen)
        await stage.press("b")
        assert stage.session.sent == [Rebuild("api")]


async def test_what_is_wrong_can_be_opened_and_goes_when_it_is_mended() -> None:
    async with on_stage(STATES["refused"](), (110, 30)) as stage:
        said = "\n".join(stage.screen)
        assert "devloop.toml:14 services.web.wacth" in said
        assert "did you mean `watch`?" in said
        assert "(+1 more)" in said
        stage.session.editor_is = "no editor"
        await stage.press("e")
        assert stage.session.asked == ["editor  devloop.toml:14"]
        await _tell(stage, ev.ConfigAccepted("devloop.toml"))
        assert not any("refused" in line for line in stage.screen[:6])
        assert stage.app.band is None


async def test_what_a_service_wrote_last_does_not_come_back_with_one_of_its_name() -> None:
    async with on_stage(_two(), (110, 30)) as stage:
        await _tell(stage, ev.ServiceRemoved("web"))
        stage.story.log("web", "too late")
        await _tell(stage, ev.ServiceAdded("web"))
        stage.app.choose("web")
        await stage.settle()
        assert "of web" not in "\n".join(stage.screen)
        assert "too late" not in "\n".join(stage.screen)
