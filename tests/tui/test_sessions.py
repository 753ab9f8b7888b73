"""Headless and the terminal fold the same recorded session into the same state, and say it in the same words."""

import pytest

from devloop.core import events as ev
from devloop.core.reducer import fold
from devloop.tui.scene import Scene
from devloop.views import phrases
from devloop.views.board import rows
from tests.core.folding import folded
from tests.headless.sessions import NAMES, recorded, text_of
from tests.tui.stage import on_stage
from tests.tui.stories import Story


def story_of(name: str) -> Story:
    story = Story()
    story.records = recorded(name)
    story.now = story.records[-1].time
    return story


@pytest.mark.parametrize("name", NAMES)
def test_the_same_state(name: str) -> None:
    scene = Scene()
    scene.take(recorded(name))
    assert scene.state == fold(record for record in recorded(name) if not record.event.lossy)


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_any_size_are_the_same(name: str) -> None:
    whole, bit_by_bit = Scene(), Scene()
    whole.take(recorded(name))
    for record in recorded(name):
        bit_by_bit.take([record])
    assert bit_by_bit.state == whole.state
    for service in whole.state.services:
        words = [[line.words for line in scene.ring(service)] for scene in (whole, bit_by_bit)]
        assert words[0] == words[1]


@pytest.mark.parametrize("name", NAMES)
async def test_the_screen_shows_that_state(name: str) -> None:
    story = story_of(name)
    state, past = folded(story)
    async with on_stage(story, (140, 40)) as stage:
        assert stage.app.state == state
        screen = "\n".join(stage.screen)
        for each in rows(state, past, story.now):
            assert each.word.removeprefix("FAILED ") in screen
            assert each.detail.removeprefix("cluster still ").removeprefix("the cluster ") in screen


@pytest.mark.parametrize("name", NAMES)
def test_the_log_has_the_lines_of_the_pods_that_the_plain_output_has(name: str) -> None:
    scene = Scene()
    scene.take(recorded(name))
    lines = [line for service in scene.state.services for line in scene.ring(service) if line.pod]
    plain = [line.partition("  ")[2].split(maxsplit=1)[-1] for line in text_of(name)]
    assert sorted(f"{line.pod} │ {line.text}" for line in lines) == sorted(
        line for line in plain if line.partition(" │ ")[0] in {each.pod for each in lines}
    )


@pytest.mark.parametrize("name", NAMES)
def test_warnings_are_told_in_the_words_of_the_plain_output(name: str) -> None:
    scene = Scene()
    scene.take(recorded(name))
    noted = {line.text for service in scene.state.services for line in scene.ring(service) if not line.pod}
    for record in recorded(name):
        if isinstance(record.event, ev.WarningRaised | ev.WorkloadDrifted):
            first = phrases(record.event, scene.state)[0].text
            assert f"! {first.removeprefix('warning: ')}" in noted
