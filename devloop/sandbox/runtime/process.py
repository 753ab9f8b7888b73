"""A container as a process group: its output in a log, its end, its stop, and commands beside it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from devloop.sandbox.runtime.command import Prepared
from devloop.sandbox.runtime.crilog import CriLog, Log
from devloop.sandbox.runtime.reaper import Reaper

_LINGER = 0.2
"""Seconds to wait for the rest of the output when the program has ended: a daemon that it left may keep the pipe."""
KILLED, NOT_FOUND = 137, 127
"""Exit codes: by SIGKILL, and of a command that could not be started."""
_NO_MORE_THAN = 64 * 1024
"""Bytes of output that a probe's command is listened to."""

_Sink = Callable[[bytes], None]
Mapped = Callable[[Sequence[str]], tuple[str, ...]]
"""A command of the container as it runs here; raises `OSError`."""


class _Child(asyncio.SubprocessProtocol):
    """Tells the end of a process from the end of its output."""

    def __init__(self, stdout: _Sink, stderr: _Sink) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._sinks = {1: stdout, 2: stderr}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        # A full disk ends the log, not the program.
        with contextlib.suppress(OSError):
            self._sinks[fd](data)

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)


class Group:
    """A process that leads a group, and all that it starts."""

    def __init__(self, transport: asyncio.SubprocessTransport, child: _Child, reaper: Reaper) -> None:
        self._transport, self._child, self._reaper = transport, child, reaper
        self._pid = transport.get_pid()
        reaper.begin(self._pid)
        self._ended = asyncio.ensure_future(self._end())

    @classmethod
    async def start(cls, prepared: Prepared, stdout: _Sink, stderr: _Sink, reaper: Reaper) -> "Group":
        """Raises `OSError`."""
        spawn = asyncio.get_running_loop().subprocess_exec(
            lambda: _Child(stdout, stderr),
            *prepared.argv,
            stdin=asyncio.subprocess.DEVNULL,
            env=dict(prepared.env),
            cwd=prepared.folder,
            start_new_session=True,
        )
        starting = asyncio.ensure_future(spawn)
        try:
            # Shielded: a start that is cancelled half-way would leave a process that nobody knows.
            transport, child = await asyncio.shield(starting)
        except asyncio.CancelledError:
            transport, child = await starting
            await cls(transport, child, reaper).kill()
            raise
        return cls(transport, child, reaper)

    async def wait(self) -> int:
        """Its exit code, 128 + n for a signal, when it has ended with all that it started."""
        return await asyncio.shield(self._ended)

    async def stop(self, number: signal.Signals, grace: float) -> None:
        """The signal, and SIGKILL where that was not enough."""
        self._signal(number)
        await asyncio.wait({self._ended}, timeout=grace)
        await self.kill()

    async def kill(self) -> None:
        if not self._ended.done():
            self._signal(signal.SIGKILL)
        await asyncio.wait({self._ended})

    async def _end(self) -> int:
        await self._child.exited
        await asyncio.wait({self._child.closed}, timeout=_LINGER)
        self._signal(signal.SIGKILL)  # what it left behind, as the end of a container's first process does
        self._reaper.end(self._pid)
        self._transport.close()
        code = self._transport.get_returncode()
        assert code is not None
        return code if code >= 0 else 128 - code

    def _signal(self, number: signal.Signals) -> None:
        # On macOS a group whose only members are zombies answers with EPERM.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)


class Container:
    """Implements `runtimeport.Running`."""

    def __init__(
        self,
        group: Group,
        log: CriLog,
        prepared: Prepared,
        mapped: Mapped,
        *,
        port: int,
        stop_signal: signal.Signals,
        reaper: Reaper,
    ) -> None:
        self.port = port
        self._group, self._log, self._prepared, self._mapped = group, log, prepared, mapped
        self._stop_signal, self._reaper = stop_signal, reaper
        self._beside: set[Group] = set()
        self._ended = asyncio.ensure_future(self._end())

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def stop(self, grace: float) -> None:
        await self._group.stop(self._stop_signal, grace)
        await asyncio.wait({self._ended})

    def logs(self) -> Log:
        return Log(self._log.path)

    async def execute(self, command: Sequence[str], timeout: float) -> tuple[int, str]:  # noqa: ASYNC109
        """In the container's folder and environment; its exit code, and what it wrote to either stream."""
        said = bytearray()
        try:
            prepared = Prepared(self._mapped(command), self._prepared.env, self._prepared.folder)
            group = await Group.start(prepared, said.extend, said.extend, self._reaper)
        except OSError as error:
            return NOT_FOUND, f"unable to start container process: {error.strerror or error}"
        self._beside.add(group)
        try:
            async with asyncio.timeout(timeout):
                code = await group.wait()
        except TimeoutError:
            return KILLED, f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s'
        finally:
            self._beside.discard(group)
            await group.kill()
        return code, said[:_NO_MORE_THAN].decode("utf-8", "replace")

    async def _end(self) -> int:
        code = await self._group.wait()
        for group in tuple(self._beside):
            await group.kill()
        with contextlib.suppress(OSError):
            self._log.close()
        return code


def start_error(error: OSError, folder: Path) -> OSError:
    """What runc would say, with no path of this machine in it."""
    said = str(error) if error.errno is None else f"exec: {os.strerror(error.errno).lower()}"
    begin = "failed to create containerd task: failed to create shim task: OCI runtime create failed"
    said = said.replace(str(folder), "")
    return OSError(f"{begin}: runc create failed: unable to start container process: {said}: unknown")
