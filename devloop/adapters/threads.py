"""Blocking calls off the event loop, in threads that nobody has to wait for."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")


async def in_daemon_thread(function: Callable[[], _T]) -> _T:
    """Run a blocking call in a thread of its own.

    `asyncio.to_thread` shares a pool whose threads are joined when the loop and the interpreter end, so one call to an
    engine that hangs would hang the exit. Here a cancelled or late call is simply left behind.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[_T] = loop.create_future()

    def settle(setter: Callable[[Any], None], value: Any) -> None:
        if not result.done():
            setter(value)

    def deliver(setter: Callable[[Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, setter, value)

    def work() -> None:
        try:
            value = function()
        except BaseException as error:  # to be raised where the result is awaited
            deliver(result.set_exception, error)
        else:
            deliver(result.set_result, value)

    threading.Thread(target=work, name=f"devloop-{getattr(function, '__name__', 'call')}", daemon=True).start()
    return await result
