"""Questions: a yes or no, a text, and a context's whole name."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label


class Ask(ModalScreen[str | None]):
    """Asks for a text; None when it is given up with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "give_up", "give up")]

    def __init__(self, question: str, placeholder: str = "", value: str = "") -> None:
        super().__init__()
        self._question, self._placeholder, self._value = question, placeholder, value

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._question)
            yield Input(self._value, placeholder=self._placeholder)

    def action_give_up(self) -> None:
        self.dismiss(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Sure(ModalScreen[bool]):
    """Asks for a yes or a no."""

    BINDINGS: ClassVar[list[BindingType]] = [("y,enter", "answer(True)", "yes"), ("n,escape,q", "answer(False)", "no")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._question)
            yield Label("y yes · n no", classes="quiet")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class Told(ModalScreen[None]):
    """Shows lines until a key is pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,enter,question_mark,space", "close", "close")]

    def __init__(self, title: str, lines: str) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Label(self._title, classes="title")
            yield Label(self._lines, markup=False)

    def action_close(self) -> None:
        self.dismiss(None)
