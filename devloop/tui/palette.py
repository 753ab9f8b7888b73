"""The command palette: Textual's own, which runs what was typed and not what it still shows."""

from textual import on
from textual.command import CommandPalette
from textual.widgets import Input


class Palette(CommandPalette):
    """Enter waits for the search of what was typed.

    Textual's own takes the first of the list as it is. Where somebody types fast that is the list of all commands, and
    Enter would begin a build whatever was asked for.
    """

    @on(Input.Submitted)
    async def _once_found(self) -> None:
        # The handler of the class above chooses, after this one, and the search needs no message of this screen.
        searches = [worker for worker in self.workers if worker.node is self and not worker.is_cancelled]
        if searches:
            await self.workers.wait_for_complete(searches)
