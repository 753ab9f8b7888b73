"""How another terminal talks to a session that runs: a Unix socket of its own in the state folder.

One JSON object a line, one question a connection; whoever asks and goes away is not answered any more. Only the owner
may enter the folder, and the other end has to be the same user.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Message = Mapping[str, Any]
Answer = Callable[[Message], Awaitable[Message]]
_LIMIT = 1 << 20
"""Bytes of a line."""
_FOLDER = "running"
_LONGEST = 100
"""Characters of a socket's path; the system takes 104 or 108."""


class SessionSocket:
    """The end of the session: from `open` to `close` there are a socket and a description of the session beside it."""

    def __init__(self, root: Path, session: str, about: Message, answer: Answer) -> None:
        """`root` is the state folder, `about` tells others whether this is the session that they mean."""
        self._about, self._answer = about, answer
        self._socket = root / _FOLDER / f"{session}.sock"
        self._described = root / _FOLDER / f"{session}.json"
        self._apart: Path | None = None
        """A folder for the socket alone, where its path would be too long."""
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Begin to listen; returns why that is not possible, empty when it is."""
        try:
            self._described.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._described.parent.chmod(0o700)
            if len(os.fsencode(self._socket)) > _LONGEST:
                self._apart = Path(tempfile.mkdtemp(prefix="devloop-"))  # which only its owner may enter
                self._socket = self._apart / self._socket.name
            self._server = await asyncio.start_unix_server(self._connected, self._socket, limit=_LIMIT)
            self._socket.chmod(0o600)
            self.describe(self._about)
        except OSError as error:
            await self.close()
            return f"no socket at {self._socket}: {error.strerror or error}"
        return ""

    def describe(self, about: Message) -> None:
        """Tell others this from here on; whoever reads meanwhile reads one or the other. Nothing once it is closed."""
        if self._server is None:
            return
        text = json.dumps({**about, "pid": os.getpid(), "socket": str(self._socket)})
        fresh = self._described.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.replace(self._described)

    async def close(self) -> None:
        """Whoever still waits for an answer gets none."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)
        for path in (self._described, self._socket):
            path.unlink(missing_ok=True)
        if self._apart is not None:
            with contextlib.suppress(OSError):
                self._apart.rmdir()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, ValueError, asyncio.LimitOverrunError):
            if not _is_same_user(writer):
                return
            question = json.loads(await reader.readline())
            answer = await _unless_gone(reader, self._answer(question))
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()


async def _unless_gone(reader: asyncio.StreamReader, answering: Awaitable[Message]) -> Message | None:
    """The answer; None when whoever asked went away before."""
    answer, gone = asyncio.ensure_future(answering), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        answer.cancel()
        gone.cancel()


def _is_same_user(writer: asyncio.StreamWriter) -> bool:
    """The folder keeps others out already; where the system tells who it is, it is asked too."""
    connected = writer.get_extra_info("socket")
    if connected is None or not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(uid == os.getuid())


# the other end -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """A session that said that it runs."""

    about: Message
    socket: Path
    described: Path


def running(root: Path) -> Iterator[Running]:
    """Sessions that have not said that they ended, the newest first; one may have been killed."""
    with contextlib.suppress(OSError):
        described = sorted((root / _FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in described:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                about = json.loads(path.read_text())
                yield Running(about, Path(about["socket"]), path)


async def ask(session: Running, question: Message) -> Message | None:
    """Its answer; None when it has ended, also while it was asked. What a killed session left is removed."""
    try:
        reader, writer = await asyncio.open_unix_connection(session.socket, limit=_LIMIT)
    except (ConnectionRefusedError, FileNotFoundError):
        for path in (session.socket, session.described):
            path.unlink(missing_ok=True)
        return None
    except OSError:
        return None
    with contextlib.closing(writer), contextlib.suppress(OSError, ValueError):
        writer.write(json.dumps(question).encode() + b"\n")
        answered = json.loads(await reader.readline())
        return answered if isinstance(answered, dict) else None
    return None
