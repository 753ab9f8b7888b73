"""The reader of keys, on a real pseudo-terminal: it reads what is typed, and ends as soon as it is told to."""

import asyncio
import os
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from textual.app import App
from textual.events import Key
from textual.message import Message

from devloop.tui.driver import Driver

PATIENCE = 20.0


class Keyboard(Driver):
    """Keeps the keys that it read."""

    def __init__(self, app: App[None]) -> None:
        super().__init__(app)
        self.keys: list[str] = []
        self.read = threading.Condition()

    def process_message(self, message: Message) -> None:
        if isinstance(message, Key):
            with self.read:
                self.keys.append(message.key)
                self.read.notify()

    def wait_for(self, *keys: str) -> None:
        with self.read:
            assert self.read.wait_for(lambda: self.keys == [*keys], PATIENCE), self.keys


@contextmanager
def typing_at(terminal: int) -> Iterator[None]:
    """A terminal as stdin."""
    tty.setraw(terminal)
    with os.fdopen(os.dup(terminal)) as stdin, patch.object(sys, "__stdin__", stdin):
        yield


@contextmanager
def reading(driver: Keyboard) -> Iterator[None]:
    thread = threading.Thread(target=driver.run_input_thread, daemon=True)
    thread.start()
    try:
        yield
    finally:
        driver.exit_event.set()
        thread.join(PATIENCE)
        driver.exit_event.clear()
    assert not thread.is_alive(), "it reads on although it was told to end"


def _type_and_end(driver: Keyboard, keyboard: int) -> None:
    with reading(driver):
        os.write(keyboard, b"q\x1b[A")
        driver.wait_for("q", "up")
        os.write(keyboard, b"\x1b")
        driver.wait_for("q", "up", "escape")
        os.write(keyboard, "\xe9".encode()[:1])
        os.write(keyboard, "\xe9".encode()[1:] + b"\xff!")
        driver.wait_for("q", "up", "escape", "\xe9", "replacement_character", "exclamation_mark")


async def test_keys_are_read_until_it_is_told_to_end_also_a_second_time() -> None:
    keyboard, terminal = os.openpty()
    with typing_at(terminal):
        driver = Keyboard(App())
        await asyncio.to_thread(_type_and_end, driver, keyboard)
        driver.keys.clear()
        await asyncio.to_thread(_type_and_end, driver, keyboard)
    os.close(keyboard)
    os.close(terminal)


def _hang_up(driver: Keyboard, keyboard: int) -> None:
    with reading(driver):
        os.write(keyboard, b"q")
        driver.wait_for("q")
        os.close(keyboard)


async def test_it_ends_when_it_is_told_to_also_where_the_terminal_is_gone() -> None:
    keyboard, terminal = os.openpty()
    with typing_at(terminal):
        await asyncio.to_thread(_hang_up, Keyboard(App()), keyboard)
    os.close(terminal)
