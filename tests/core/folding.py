"""A story, folded: the state and the past that the views are asked about."""

from devloop.core.reducer import reduce
from devloop.core.state import SessionState
from devloop.views.chronicle import Chronicle
from tests.tui.stories import Story


def folded(story: Story) -> tuple[SessionState, Chronicle]:
    state, past = SessionState(), Chronicle()
    for record in story.records:
        state = state if record.event.lossy else reduce(state, record)
        past.take(record, state)
    return state, past
