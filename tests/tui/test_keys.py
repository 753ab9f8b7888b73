"""What each key asks of the session, and what the line at the foot, `?` and the command palette say of it."""

import pytest
from textual.containers import VerticalScroll

from devloop.core.commands import Command, Pause, Rebuild, Restart, Stop, TakeOver
from devloop.tui.keys import KEYS, Where, bindings, foot, meaning
from devloop.views.times import clock
from tests.tui.stage import on_stage
from tests.tui.states import STATES

SENT: list[tuple[str, str, list[Command]]] = [
    ("verified", "b", [Rebuild("web")]),
    ("verified", "space", [Pause("web", True)]),
    ("paused", "space", [Pause("web", False)]),
    ("building", "s", [Stop("web")]),
    ("verified", "s", []),
    ("verified", "r y", [Restart("web")]),
    ("verified", "r n", []),
    ("verified", "r y r", [Restart("web"), Restart("web")]),
    ("five_verified", "j b", [Rebuild("api")]),
    ("five_verified", "tab tab b", [Rebuild("worker")]),
    ("five_verified", "k b", [Rebuild("db")]),
    ("five_verified", "A", [Pause(name, True) for name in ("web", "api", "worker", "cron", "db")]),
    ("mixed", "j b", [Rebuild("api")]),
    ("mixed", "k b", [Rebuild("worker")]),
    ("mixed", "x b", [Rebuild("worker")]),
    ("broken_build", "x", []),
    ("looking_on", "t y", [TakeOver("web")]),
    ("looking_on", "t n", []),
    ("verified", "t", []),
]
"""State, keys, and the commands that are sent."""


@pytest.mark.parametrize(("state", "keys", "sent"), SENT, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_key_sends(state: str, keys: str, sent: list[Command]) -> None:
    async with on_stage(STATES[state]()) as stage:
        await stage.press(*keys.split())
        assert stage.session.sent == sent


ASKED = [
    ("verified", "d", "why web"),
    ("five_verified", "j d", "why api"),
    ("verified", "S", "shell web"),
    ("broken_build", "e", "editor web ./jobs.py:41"),
    ("crash_loop", "e", "editor web /app/server.py:3"),
    ("verified", "R y", "restore web"),
    ("verified", "q y", "quit None"),
    ("verified", "ctrl+c", "quit 130"),
]
"""State, keys, and what else is asked of the session."""


@pytest.mark.parametrize(("state", "keys", "asked"), ASKED)
async def test_a_key_asks(state: str, keys: str, asked: str) -> None:
    async with on_stage(STATES[state]()) as stage:
        await stage.press(*keys.split())
        assert stage.session.asked == [asked]


async def test_what_came_of_a_restore_says_when_that_was() -> None:
    """It stays until it is closed, and the next save takes over again."""
    async with on_stage(STATES["verified"]()) as stage:
        stamp = clock(stage.story.now)
        await stage.press("R", "y")
        stage.story.wait(60).whole("web", "server.py")
        await stage.go_on()
        said = "\n".join(stage.screen)
        assert f"restore web: how it was at {stamp}" in said
        assert "deployment/web is as it was" in said


SHOWN = [
    ("l", "logs"),
    ("i", "build"),
    ("p", "pods"),
    ("o", "pods"),
    ("enter", "pods"),
    ("h", "history"),
    ("d", "why"),
    ("i l", "logs"),
    ("i q", "logs"),
    ("h escape", "logs"),
]
"""Keys, and the pane that they lead to."""


async def test_a_key_shows_a_pane() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        for keys, pane in SHOWN:
            await stage.press(*keys.split())
            assert stage.app.pane == pane, keys
            assert stage.app.query_one(f"#{pane}").display
            assert f"[{pane}]" in stage.said("tabs")


@pytest.mark.parametrize(("state", "keys", "pane"), [("mixed", "x", "build"), ("crash_loop", "x", "logs")])
async def test_going_to_what_failed(state: str, keys: str, pane: str) -> None:
    """Where the chosen service is the one that failed, the keys for its panes are named instead."""
    async with on_stage(STATES[state]()) as stage:
        is_elsewhere = state == "mixed"
        assert (" x show" in stage.said("band")) is is_elsewhere
        assert (" x go to worker" in stage.said("keys")) is is_elsewhere
        await stage.press(*keys.split())
        assert stage.app.pane == pane
        assert stage.app.chosen == ("worker" if is_elsewhere else "web")


async def test_what_was_restored_names_the_key_that_lets_devloop_take_over_again() -> None:
    async with on_stage(STATES["restored"]()) as stage:
        assert " RESTORED " in stage.said("band")
        assert " b build now" in stage.said("band")
        assert " d why" not in stage.said("band")
        assert stage.app.main.query_one("#band").classes == {"calm"}
        stage.story.begin("web")
        await stage.go_on()
        assert stage.said("band") == ""


async def test_before_the_first_cycle_nothing_is_sent() -> None:
    async with on_stage(STATES["checks_running"]()) as stage:
        await stage.press("i", "p", "d", "e")
        assert stage.app.pane in {"logs", "why"}
        assert stage.session.sent == []


async def test_keys_without_a_session_say_so() -> None:
    async with on_stage(STATES["verified"]()) as stage:
        stage.app.session = None
        await stage.press("b", "space", "e", "S")
        assert stage.app.told == ["devloop is still starting"] * 2 + ["no failing file is known"]


def test_no_key_is_without_its_function() -> None:
    from devloop.tui.app import DevloopApp

    for key in KEYS:
        name = key.action.partition("(")[0]
        assert hasattr(DevloopApp, f"action_{name}"), key
        assert key.words


def test_no_key_means_two_things() -> None:
    keys = [each for binding in bindings() for each in binding.key.split(",")]
    assert len(keys) == len({*keys})


FEET = [
    (Where(), {"b", "r", "space", "/", "w", "d", "S", "y", ":", "?", "q"}),
    (Where(busy=True), {"s"}),
    (Where(read_only=True), {"t"}),
    (Where(editable=True), {"e"}),
    (Where(following=False), {"f"}),
    (Where(finding=True), {"n", "N"}),
]
"""Where one is, and keys that are named then."""


@pytest.mark.parametrize(("where", "signs"), FEET)
def test_the_foot_names(where: Where, signs: set[str]) -> None:
    assert signs <= {sign for sign, *_ in foot(where)}


@pytest.mark.parametrize("sign", ["s", "t", "e", "f", "n", "N"])
def test_the_foot_does_not_name_what_means_nothing_now(sign: str) -> None:
    assert sign not in {each for each, *_ in foot(Where())}


def test_where_no_pod_has_a_shell_none_is_offered() -> None:
    sandboxed = Where(shells=False)
    assert "S" not in {sign for sign, *_ in foot(sandboxed)}
    assert "shell" not in {key.action for keys in meaning(sandboxed).values() for key in keys}
    assert "shell" in {key.action for keys in meaning(Where()).values() for key in keys}


def test_the_foot_before_the_first_cycle() -> None:
    assert [sign for sign, *_ in foot(Where(begun=False))] == [":", "?", "q"]


def test_the_foot_of_another_pane_has_no_keys_of_the_log() -> None:
    told = {sign: words for sign, words, *_ in foot(Where(pane="pods"))}
    assert {"/", "w", "f"}.isdisjoint(told)
    assert told["q"] == "back"


@pytest.mark.parametrize("size", [(80, 12), (80, 24), (100, 30)])
@pytest.mark.parametrize(("keys", "close"), [("R y", "enter"), ("R y", "escape"), ("question_mark", "escape")])
async def test_a_box_of_words_names_the_keys_that_close_it(size: tuple[int, int], keys: str, close: str) -> None:
    async with on_stage(STATES["verified"](), size) as stage:
        await stage.press(*keys.split())
        assert sum("Esc or Enter  close" in row for row in stage.screen) == 1
        await stage.press(close)
        assert not any("Esc or Enter  close" in row for row in stage.screen)


async def test_the_last_line_of_the_help_is_reached_above_the_keys_that_close_it() -> None:
    async with on_stage(STATES["verified"](), (80, 24)) as stage:
        await stage.press("question_mark")
        stage.app.screen.query_one(VerticalScroll).scroll_end(animate=False)
        await stage.settle()
        last = next(at for at, row in enumerate(stage.screen) if "quit devloop at once" in row)
        assert any("Esc or Enter  close" in row for row in stage.screen[last + 1 :])
