"""Child processes that never outlive the task that awaits them.

Each child leads its own session and process group: a Ctrl-C in the terminal reaches devloop only, no child can ask
questions on the terminal, and a signal to the group reaches grandchildren as well. A cancelled `run` sends SIGINT to
the group, waits `grace` seconds and sends SIGKILL; cancelled again, it sends SIGKILL at once.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRACE = 0.7
"""Seconds between SIGINT and SIGKILL; buildx needs 0.1 to 0.2 to cancel a build."""
_LINGER = 0.5
"""Seconds to wait for the end of the output after a child ended: a daemon that it left may keep the pipe open."""
_STDOUT, _STDERR = 1, 2

OnOutput = Callable[[bytes], None]


def _ignore(_data: bytes) -> None:
    return None


class _Child(asyncio.SubprocessProtocol):
    """Hands output to callbacks as it comes, and tells the child's end apart from the end of its output.

    `Process.wait()` waits for both in some releases of Python, so a grandchild that keeps a pipe could block it.
    """

    def __init__(self, on_stdout: OnOutput, on_stderr: OnOutput) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.unread: asyncio.Future[Exception] = loop.create_future()
        """Why the output cannot be read: asyncio would stop reading, and the child would wait for ever."""
        self._on_output = {_STDOUT: on_stdout, _STDERR: on_stderr}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        try:
            self._on_output[fd](data)
        except Exception as error:
            if not self.unread.done():
                self.unread.set_result(error)

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)


_Started = tuple[asyncio.SubprocessTransport, _Child]


async def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_stdout: OnOutput = _ignore,
    on_stderr: OnOutput = _ignore,
    grace: float = GRACE,
) -> int:
    """Run a command to its end and return its exit code, negative for a signal.

    `env` replaces the whole environment. Raises `OSError` when the command cannot be started. The callbacks get chunks
    as they are read, not lines; what they raise ends the child and is raised here.
    """
    spawn = asyncio.get_running_loop().subprocess_exec(
        lambda: _Child(on_stdout, on_stderr),
        *map(str, argv),
        stdin=asyncio.subprocess.DEVNULL,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    starting = asyncio.ensure_future(spawn)
    try:
        # Shielded, because a start that is cancelled half-way kills the child but not what it has started by then.
        transport, child = await asyncio.shield(starting)
        await _first(child.exited, child.unread)
        await _first(child.closed, child.unread, timeout=_LINGER)
        if child.unread.done():
            await _stop(starting, grace, asyncio.Event())
            raise child.unread.result()
    except asyncio.CancelledError:
        await _to_the_end(starting, grace)
        raise
    finally:
        if starting.done() and not starting.cancelled() and not starting.exception():
            starting.result()[0].close()
    code = transport.get_returncode()
    assert code is not None
    return code


async def _first(*futures: "asyncio.Future[Any]", timeout: float | None = None) -> None:  # noqa: ASYNC109
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


async def _to_the_end(starting: "asyncio.Future[_Started]", grace: float) -> None:
    """Stop the child however often the awaiting task is cancelled meanwhile; from the second time on without grace."""
    hurry = asyncio.Event()
    stopping = asyncio.ensure_future(_stop(starting, grace, hurry))
    while not stopping.done():
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            hurry.set()
        except OSError:
            return  # it never started


async def _stop(starting: "asyncio.Future[_Started]", grace: float, hurry: asyncio.Event) -> None:
    transport, child = await starting
    pid = transport.get_pid()
    _signal_group(pid, signal.SIGINT)
    child.exited.add_done_callback(lambda _: hurry.set())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hurry.wait(), grace)
    # Also when the leader is gone: what it started may have ignored the first signal.
    _signal_group(pid, signal.SIGKILL)
    await child.exited


def _signal_group(pid: int, number: signal.Signals) -> None:
    # On macOS a group whose only members are zombies answers with EPERM.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended, and everything it wrote."""

    returncode: int
    stdout: str
    stderr: str


async def capture(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Finished:
    """Run a command whose output is short; raises `OSError` when it cannot be started."""
    out, err = bytearray(), bytearray()
    code = await run(argv, env=env, cwd=cwd, on_stdout=out.extend, on_stderr=err.extend)
    return Finished(code, out.decode(errors="replace"), err.decode(errors="replace"))
