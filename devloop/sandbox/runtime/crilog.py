"""A container's output as container runtimes write it down for the kubelet: `RFC3339Nano stream F text`.

https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

LONGEST = 16 * 1024
"""Bytes of a line; longer ones are written in parts, all but the last marked `P`, as containerd does it."""


@dataclass(frozen=True, slots=True)
class Log:
    """Where the lines are."""

    path: Path


class CriLog:
    """Writes both streams of one container into one file, line by line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._waiting = {"stdout": bytearray(), "stderr": bytearray()}

    def writer(self, stream: str) -> Callable[[bytes], None]:
        """Takes what a program writes to that stream, in pieces of any size."""
        return lambda data: self._take(stream, data)

    def close(self) -> None:
        """A last line without its end is a line, too."""
        for stream, waiting in self._waiting.items():
            if waiting:
                self._file.write(_line(stream, "F", waiting))
            waiting.clear()
        self._file.close()

    def _take(self, stream: str, data: bytes) -> None:
        if self._file.closed:  # a grandchild that kept the pipe
            return
        waiting, out = self._waiting[stream], bytearray()
        waiting += data
        *lines, rest = waiting.split(b"\n")
        for line in lines:
            *parts, last = _parts(line)
            for part in parts:
                out += _line(stream, "P", part)
            out += _line(stream, "F", last)
        while len(rest) > LONGEST:
            out += _line(stream, "P", rest[:LONGEST])
            rest = rest[LONGEST:]
        self._waiting[stream] = bytearray(rest)
        self._file.write(out)


def _parts(line: bytes | bytearray) -> list[bytes | bytearray]:
    return [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)] or [line]


def _line(stream: str, tag: str, text: bytes | bytearray) -> bytes:
    nanoseconds = time.time_ns()
    seconds = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{seconds}.{nanoseconds % 10**9:09d}Z {stream} {tag} ".encode() + text + b"\n"
