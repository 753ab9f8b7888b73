"""A part of the screen that is one text."""

from rich.text import Text
from textual.widgets import Static


class Part(Static):
    """A part of the screen that is painted as a whole, and only when it says something else than before."""

    auto_links = False  # what can be clicked has the colour of what it says

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._said = Text()

    def put(self, text: Text) -> None:
        if text != self._said:
            self._said = text
            self.again()

    def again(self) -> None:
        """The colours have changed."""
        self.update(self._said)

    @property
    def said(self) -> str:
        return self._said.plain
