"""Questions: a yes or no, a text, and a context's whole name; and what is told in a box of its own."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from devloop.tui.painted import styled


class Ask(ModalScreen[str | None]):
    """Asks for a text; None when it is given up with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "give_up", "give up")]

    def __init__(self, question: str, *, note: str = "", value: str = "") -> None:
        super().__init__()
        self._question, self._note, self._value = question, note, value

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            if self._note:
                yield Static(Text(self._note), classes="note")
            yield Static(styled(self._question, "key"))
            yield Input(self._value, compact=True)
            yield _foot(("Enter", "takes it"), ("Esc", "gives up"))

    def action_give_up(self) -> None:
        self.dismiss(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Sure(ModalScreen[bool]):
    """Asks for a yes or a no; the key that asked, pressed again, may be the yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y,enter", "answer(True)", "yes"),
        ("n,escape", "answer(False)", "no"),
        ("q", "q", "yes, where it asked; else no"),
    ]

    def __init__(self, question: str, *, again: str = "") -> None:
        """`again`: the key that asked, where pressing it twice is a yes."""
        super().__init__()
        self._question, self._again = question, again

    def compose(self) -> ComposeResult:
        yes = f"{self._again}, y or Enter" if self._again else "y or Enter"
        with Vertical(classes="dialog"):
            yield Static(styled(self._question, "key"))
            yield _foot((yes, "yes"), ("Esc or n", "no"))

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def action_q(self) -> None:
        """Back, as everywhere, unless it is what asked."""
        self.dismiss(self._again == "q")


class Told(ModalScreen[None]):
    """Shows lines, which may be more than fit, until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark,space", "close", "close", priority=True),
        Binding("j,down", "scroll(1)", "down", priority=True),
        Binding("k,up", "scroll(-1)", "up", priority=True),
    ]

    def __init__(self, title: str, lines: Text) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog wide"):
            yield Static(styled(self._title, "key"), classes="title")
            yield Static(self._lines)
            yield _foot(("Esc or Enter", "close")).add_class("below")

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)

    def action_close(self) -> None:
        self.dismiss(None)


def _foot(*keys: tuple[str, str]) -> Static:
    """What answers the question."""
    text = Text()
    for key, what in keys:
        text.append(f"{key} ", "key").append(f" {what}   ", "quiet")
    return Static(text, classes="foot")
