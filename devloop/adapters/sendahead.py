"""Layers that are uploaded before it is certain that they are needed: while the debounce of a save still runs."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from devloop.adapters.layer import Layer, NoLayerError
from devloop.core.failure import Failure

_SMALL = 1 << 20
"""Bytes of a layer up to which an upload that may be for nothing costs nobody anything."""


_Packing = Callable[[], Coroutine[None, None, Layer | None]]
_Sending = Callable[[Layer], Coroutine[None, None, Failure | None]]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A layer on its way."""

    base: str
    packed: "asyncio.Task[Layer | None]"
    sent: "asyncio.Task[bool]"

    def give_up(self) -> None:
        self.packed.cancel()
        self.sent.cancel()


class SendAhead:
    """At most one layer of each service is on its way."""

    def __init__(self) -> None:
        self._ahead: dict[str, _Ahead] = {}
        self._closed = False

    def begin(self, service: str, base: str, pack: _Packing, send: _Sending) -> None:
        """Pack a layer and send it with the config of that base (its digest), instead of the one before."""
        self.give_up(service)
        if self._closed:
            return
        packed = asyncio.ensure_future(_packed(pack))
        self._ahead[service] = _Ahead(base, packed, asyncio.ensure_future(_sent(packed, send)))

    async def was_sent(self, service: str, base: str, layer: Layer) -> bool:
        """Whether that very layer and the config of that base are in the registry, by now or in a moment; any other
        is given up."""
        ahead = self._ahead.pop(service, None)
        packed = await asyncio.shield(ahead.packed) if ahead is not None else None
        if ahead is None or packed is None or (ahead.base, packed.digest) != (base, layer.digest):
            if ahead is not None:
                ahead.give_up()
            return False
        return await asyncio.shield(ahead.sent)

    def give_up(self, service: str) -> None:
        if (ahead := self._ahead.pop(service, None)) is not None:
            ahead.give_up()

    async def close(self) -> None:
        """Ends when nothing is on its way any more; nothing begins afterwards."""
        self._closed = True
        tasks = [task for ahead in self._ahead.values() for task in (ahead.packed, ahead.sent)]
        for service in tuple(self._ahead):
            self.give_up(service)
        if tasks:
            await asyncio.wait(tasks)


async def _packed(pack: _Packing) -> Layer | None:
    try:
        layer = await pack()
    except NoLayerError:  # whoever needs it finds out why
        return None
    return layer if layer is not None and len(layer.blob) <= _SMALL else None


async def _sent(packed: "asyncio.Task[Layer | None]", send: _Sending) -> bool:
    layer = await packed
    try:
        return layer is not None and await send(layer) is None
    except NoLayerError:
        return False
