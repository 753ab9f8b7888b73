"""Where one looks: services, panes, what is searched for and filtered, and that resizing loses none of it."""

import pytest

from devloop.core.events import Log, LogSource
from devloop.tui.ring import KEPT
from devloop.views.loglines import Level
from tests.tui.stage import Stage, on_stage
from tests.tui.states import STATES
from tests.tui.stories import Story


def _chatty(lines: int = 100) -> Story:
    story = Story("web", "api").watching().whole("web", pods=2).whole("api")
    for at in range(lines):
        story.log("web", f"{'ERROR' if at % 10 == 0 else 'INFO'} line {at}", pod=at % 2)
    return story


async def _in_log(stage: Stage) -> list[str]:
    view = stage.app.log_view
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)] or [""]


async def test_the_first_service_is_looked_at_from_the_first_event_on() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        assert any("new code: server.py +2" in row for row in await _in_log(stage))


async def test_another_service_has_another_log_and_no_filter() -> None:
    async with on_stage(_chatty()) as stage:
        await stage.press("P")
        assert stage.app.only_pod
        await stage.press("j")
        assert (stage.app.chosen, stage.app.only_pod) == ("api", "")
        assert not any("line" in row for row in await _in_log(stage))


async def test_lines_that_come_meanwhile_are_shown() -> None:
    story = _chatty(3)
    async with on_stage(story) as stage:
        story.log("web", "late").log("api", "elsewhere")
        await stage.go_on()
        rows = await _in_log(stage)
        assert any(row.endswith("late") for row in rows)
        assert not any("elsewhere" in row for row in rows)


async def test_pods_one_after_the_other_and_all_again() -> None:
    async with on_stage(_chatty()) as stage:
        names: list[str] = []
        for _ in range(3):
            await stage.press("P")
            names.append(stage.app.only_pod)
            pods = {line.pod for line in stage.app.log_view.lines if line.pod}
            assert pods == {stage.app.only_pod} or not stage.app.only_pod
        assert names[2] == ""
        assert len({*names}) == 3


async def test_containers_one_after_the_other() -> None:
    story = _chatty(4)
    story.tell(Log("web", LogSource.POD, "proxy ready", pod=story.pod("web"), container="proxy"))
    async with on_stage(story) as stage:
        await stage.press("c", "c")
        assert stage.app.only_container == "proxy"
        assert [line.text for line in stage.app.log_view.lines if line.pod] == ["proxy ready"]
        assert "proxy" in stage.said("tabs")


async def test_pods_that_run_come_before_those_that_are_gone_and_the_newest_first() -> None:
    story = Story("web")
    pods = []
    for file in ("a.py", "b.py", "c.py"):
        story.whole("web", file, pods=2).log("web", "hello").log("web", "hello", pod=1)
        pods.append([story.pod("web"), story.pod("web", 1)])
    story.begin("web", "d.py").built("web").patched("web").pods("web", 1, 2, old=1).log("web", "hello")
    expected = [story.pod("web"), pods[2][0], pods[2][1], pods[1][1], pods[1][0], pods[0][1], pods[0][0], ""]
    async with on_stage(story) as stage:
        found = []
        for _ in expected:
            await stage.press("P")
            found.append(stage.app.only_pod)
    assert found == expected


async def test_levels_and_worse() -> None:
    async with on_stage(_chatty(20)) as stage:
        for level in (Level.INFO, Level.WARN, Level.ERROR):
            await stage.press("v")
            assert stage.app.level is level
            assert f"{level} and worse" in stage.said("tabs")
        assert [line.text for line in stage.app.log_view.lines if line.pod] == ["ERROR line 0", "ERROR line 10"]
        await stage.press("v")
        assert stage.app.level is None


async def test_lines_without_a_level_are_not_hidden_by_the_first_one() -> None:
    story = Story("web").whole("web").log("web", "web: listening", "DEBUG not this")
    async with on_stage(story) as stage:
        await stage.press("v")
        assert [line.text for line in stage.app.log_view.lines if line.pod] == ["web: listening"]


async def test_how_many_lines_are_hidden_is_told_with_the_key_that_shows_them() -> None:
    story = _chatty(20)
    async with on_stage(story) as stage:
        assert "hidden" not in stage.said("tabs")
        await stage.press("v", "v")
        assert "18 hidden, Esc shows all" in stage.said("tabs")
        story.log("web", "INFO one more", "ERROR and this")
        await stage.go_on()
        assert "19 hidden, Esc shows all" in stage.said("tabs")
        await stage.press("escape")
        assert "hidden" not in stage.said("tabs")
        assert len([line for line in stage.app.log_view.lines if line.pod]) == 22


async def test_only_lines_that_are_still_there_are_told_as_hidden() -> None:
    story = Story("web").watching().whole("web", pods=1)
    async with on_stage(story) as stage:
        await stage.press("v", "v", "v")
        for _ in range(3):
            for at in range(KEPT // 2):
                story.log("web", f"{'ERROR' if at % 100 == 0 else 'INFO'} line {at}")
            await stage.go_on()
        view = stage.app.log_view
        still = len([line for line in stage.app.ring("web") if line.text.startswith("INFO")])
        assert still < 3 * KEPT // 2 - 100
        assert f"{still:,} hidden, Esc shows all" in stage.said("tabs")
        await stage.press("w")
        assert view.hidden == still
        story.log("web", "INFO one more")
        await stage.go_on()
        assert view.hidden == still + 1
        await stage.press("escape")
        assert view.hidden == 0


async def test_a_filter_passes_the_same_lines_when_all_are_shown_anew() -> None:
    story = Story("web").whole("web", pods=1).log("web", "  banner", "listening", "ERROR boom", "  at boom")
    async with on_stage(story) as stage:
        await stage.press("v", "v", "v")
        for key in ("w", "w"):
            assert [line.text for line in stage.app.log_view.lines if line.pod] == ["ERROR boom", "  at boom"]
            await stage.press(key)
        story.log("web", "  more of it")
        await stage.go_on()
        assert [line.text for line in stage.app.log_view.lines if line.pod][-1] == "  more of it"


async def test_a_low_terminal_has_room_for_that() -> None:
    async with on_stage(_chatty(20), (80, 14)) as stage:
        await stage.press("v", "v")
        assert stage.said("keys").endswith("  warn and worse · 18 hidden, Esc shows all ")
        await stage.press("escape", "P")
        assert stage.said("keys").endswith(f"  {stage.app.only_pod} · 10 hidden, Esc shows all ")


async def test_the_last_lines_of_a_container_that_ended_are_at_no_level_hidden() -> None:
    story = Story("web").whole("web", pods=1).log("web", "GET /").begin("web", "a.py").built("web").patched("web")
    story.pods("web", 0, 1).log("web", "no config")
    async with on_stage(story) as stage:
        await stage.press("v", "v", "v")
        assert not [line for line in stage.app.log_view.lines if line.pod]
        story.log("web", "no config", cycle=2)
        await stage.go_on()
        assert [line.text for line in stage.app.log_view.lines if line.pod] == ["no config"]
        story.pods("web", 0, 1, reason="Error", restarts=1).log("web", "no config, again", cycle=2)
        await stage.go_on()
        assert [line.text for line in stage.app.log_view.lines if line.pod] == ["no config", "no config, again"]


@pytest.mark.parametrize("key", ["v", "w"])
async def test_lines_that_came_just_before_a_key_are_there_once(key: str) -> None:
    story = _chatty(3)
    async with on_stage(story) as stage:
        story.log("web", "INFO late")
        stage.app.feed(story.records[stage.app.fed :])
        stage.app.fed = len(story.records)
        await stage.press(key)
        assert [line.text for line in stage.app.log_view.lines].count("INFO late") == 1


async def test_find_and_both_ways() -> None:
    async with on_stage(_chatty()) as stage:
        await stage.press("slash", *"error", "enter")
        assert "match 10 of 10" in stage.said("tabs")
        await stage.press("n", "n")
        assert "match 8 of 10" in stage.said("tabs")
        await stage.press("N")
        assert "match 9 of 10" in stage.said("tabs")
        assert any(row.endswith("ERROR line 80") for row in await _in_log(stage))


async def test_find_nothing_says_so() -> None:
    async with on_stage(_chatty()) as stage:
        await stage.press("slash", *"xyz", "enter")
        assert stage.app.told == ["no line has 'xyz'"]


async def test_find_can_be_given_up() -> None:
    async with on_stage(_chatty()) as stage:
        await stage.press("slash", *"xyz", "escape")
        assert (stage.app.log_view.finder.needle, stage.app.told) == ("", [])


async def test_follow_and_stay() -> None:
    async with on_stage(_chatty()) as stage:
        assert "following" in stage.said("tabs")
        await stage.press("ctrl+b")
        assert "below" in stage.said("tabs")
        assert " f follow" in stage.said("keys")
        await stage.press("f")
        assert "following" in stage.said("tabs")
        await stage.press("g")
        assert (await _in_log(stage))[0].startswith("────")
        await stage.press("G")
        assert (await _in_log(stage))[-1].endswith("line 99")


async def test_one_service_scrolls_by_lines() -> None:
    story = STATES["verified"]()
    story.log("web", *(f"line {at}" for at in range(100)))
    async with on_stage(story) as stage:
        await stage.press("k", "k", "up", "j")
        assert stage.app.log_view.below == 2


async def test_wrap() -> None:
    story = _chatty(1).log("web", "x" * 300)
    async with on_stage(story) as stage:
        await stage.press("w")
        assert sum("xxx" in row for row in await _in_log(stage)) == 4


async def test_copying_what_broke_and_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    for state, text in (("broken_build", "web build: [3/3] RUN"), ("verified", "INFO  order read")):
        async with on_stage(STATES[state]()) as stage:
            monkeypatch.setattr(stage.app, "copy_to_clipboard", copied.append)
            await stage.press("y")
        assert copied.pop().startswith(text)


async def test_copying_the_line_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    async with on_stage(STATES["broken_build"]()) as stage:
        monkeypatch.setattr(stage.app, "copy_to_clipboard", copied.append)
        await stage.press("slash", *"/1", "enter", "y")
    assert copied == ["GET /orders/1 200"]


async def test_copying_the_answer_of_why(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    async with on_stage(STATES["broken_build"]()) as stage:
        monkeypatch.setattr(stage.app, "copy_to_clipboard", copied.append)
        await stage.press("d", "y")
    assert copied == ["the newest image of web runs"]


SIZES = [(60, 10), (250, 80), (80, 24), (110, 30)]


@pytest.mark.parametrize(
    "keys", ["", "ctrl+b ctrl+b", "slash e r r o r enter n n", "w ctrl+b", "w slash e r r o r enter n", "i", "P"]
)
async def test_resizing_loses_no_place(keys: str) -> None:
    async with on_stage(_chatty(300), (110, 30)) as stage:
        await stage.press(*keys.split())
        view = stage.app.log_view
        before = (stage.app.pane, stage.app.only_pod, view.following, view.finder.told, view.wrap)
        top = (await _in_log(stage))[0][:40]
        for size in SIZES:
            await stage.resize(*size)
            assert (stage.app.pane, stage.app.only_pod, view.following, view.finder.told, view.wrap) == before
            assert view.following or any(row.startswith(top) for row in await _in_log(stage)), size
        assert (await _in_log(stage))[0].startswith(top)
