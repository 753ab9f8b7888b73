"""A context that a person was asked about and did not allow: one sentence, with the key that settles it."""

import asyncio
import signal
import tomllib

import click
import pytest

from devloop import cli
from devloop.core.failure import Failure, FailureCode
from tests.cli.initworld import Project

pytestmark = pytest.mark.programs
TOML = '[services.web]\nimage = "127.0.0.1:1/shop/web"\nbuild = "web"\n'


@pytest.fixture
def remote(project: Project) -> Project:
    project.context("prod")
    (project.root / "devloop.toml").write_text(TOML)
    return project


def lines_of(said: str) -> list[str]:
    """The refusal, without the terminal's line breaks."""
    text = " ".join(said[said.index("you did not type") :].split())
    return [part.strip() for part in text.split("→")]


@pytest.mark.parametrize("keys", [b"\x1b", b"\r", b"no\r"])
def test_no_in_the_dialog_says_what_was_declined_and_which_key_settles_it(remote: Project, keys: bytes) -> None:
    with remote.terminal("up") as terminal:
        terminal.until("prod")
        terminal.until("gives up")
        terminal.press(keys)
        assert terminal.finish() == 7
    message, hint = lines_of(terminal.said)
    assert message == "you did not type the name of context prod, so devloop does not write there"
    assert "terminal" not in hint
    key, file = hint.split("`")[1], hint.rpartition(" in ")[2]
    (remote.root / file).write_text(f"[cluster]\n{key}\n")
    assert remote.run("validate")[0] == 0
    assert remote.run("up", "--once", "--context", "prod")[0] == 3, "it is allowed, and nothing answers"


def test_what_the_hint_names_is_what_init_writes(remote: Project) -> None:
    with remote.terminal("up", "--headless") as terminal:
        terminal.until("Type `prod`")
        terminal.press(b"\n")
        assert terminal.finish() == 7
    key = tomllib.loads(lines_of(terminal.said)[1].split("`")[1])
    (remote.root / "devloop.toml").unlink()
    with remote.terminal("init") as terminal:
        terminal.until("Type `prod`")
        terminal.press(b"prod\n")
        terminal.until("Write devloop.toml")
        terminal.press(b"\n")
        terminal.until("doctor")
        terminal.press(b"n\n")
        assert terminal.finish() == 0
    assert remote.read("devloop.local.toml")["cluster"] == key


def test_where_no_file_is_there_init_is_named_and_the_key_that_it_writes(remote: Project) -> None:
    (remote.root / "devloop.toml").unlink()
    remote.root /= "web"
    with remote.terminal("up") as terminal:
        terminal.until("gives up")
        terminal.press(b"\r")
        assert terminal.finish() == 7
    assert lines_of(terminal.said)[1] == (
        "to allow it for good, let `devloop init` write a devloop.toml, "
        'and set `context = "prod"` under `[cluster]` in the devloop.local.toml beside it'
    )


def test_ctrl_c_at_the_question_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler of the event loop would let the person go on typing."""
    answered = []

    def prompt(*_: object, **__: object) -> str:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise click.Abort from None  # as click does
        answered.append("prod")
        return "prod"

    async def ask() -> None:
        cli._confirm("prod", Failure(FailureCode.CONTEXT_REFUSED, "no known local cluster"))

    monkeypatch.setattr(click, "prompt", prompt)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ask())
    assert answered == []


def test_where_nobody_can_be_asked_nothing_was_declined(remote: Project) -> None:
    code, _, err = remote.run("up", "--once")
    assert code == 7
    assert "start devloop in a terminal" in err
    assert "you did not" not in err
