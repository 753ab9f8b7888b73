"""Layers that are uploaded while the debounce of a save still runs."""

import asyncio

from devloop.adapters.layer import Layer
from devloop.adapters.sendahead import SendAhead

_LAYER = Layer(b"blob", "sha256:blob", "sha256:diff", 0)


async def _pack() -> Layer:
    return _LAYER


async def _send(_: Layer) -> None:
    await asyncio.sleep(0)


async def test_what_was_sent_with_the_config_of_another_base_is_not_there() -> None:
    ahead = SendAhead()
    ahead.begin("web", "sha256:base", _pack, _send)
    assert await ahead.was_sent("web", "sha256:base", _LAYER)
    ahead.begin("web", "sha256:base", _pack, _send)
    assert not await ahead.was_sent("web", "sha256:newer", _LAYER)


async def test_nothing_begins_after_the_end() -> None:
    ahead = SendAhead()
    await ahead.close()
    ahead.begin("web", "sha256:base", _pack, _send)
    assert not await ahead.was_sent("web", "sha256:base", _LAYER)
