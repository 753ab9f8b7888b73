"""Tasks that take their first step at once, as `asyncio.eager_task_factory` makes them on Python 3.12 and later.

Textual switches the event loop to eager tasks there, so the engine has to hold under both. On 3.11 the same order is
made by hand: the step that a new task schedules is taken out of the loop and run inside the caller.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any


def eager_factory() -> Callable[..., Any]:
    """A task factory that starts eagerly."""
    if sys.version_info >= (3, 12):
        return asyncio.eager_task_factory
    return _eager_task


def _eager_task(loop: asyncio.AbstractEventLoop, coro: Any, context: Any = None) -> "asyncio.Task[Any]":
    if not loop.is_running():
        return asyncio.Task(coro, loop=loop)
    scheduled: list[Callable[[], object]] = []
    original = loop.call_soon

    def intercept(callback: Any, *args: Any, context: Any = None) -> Any:
        scheduled.append(callback)
        return original(lambda: None)

    loop.call_soon = intercept  # type: ignore[method-assign, assignment]
    try:
        task: asyncio.Task[Any] = asyncio.tasks._PyTask(coro, loop=loop)  # type: ignore[attr-defined]
    finally:
        loop.call_soon = original  # type: ignore[method-assign]
    current = asyncio.current_task(loop)
    if current:
        asyncio.tasks._leave_task(loop, current)
    try:
        scheduled[0]()
    finally:
        if current:
            asyncio.tasks._enter_task(loop, current)
    return task
