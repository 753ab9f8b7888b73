"""The pictures are drawn on the terminal that the tests of the screen have."""

from tests.tui.conftest import same_terminal as same_terminal
