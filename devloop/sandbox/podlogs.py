"""The logs of containers, as the kubelet hands them out: from files that the runtime writes in CRI's format."""

import asyncio
import contextlib
import io
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from devloop.sandbox import times
from devloop.sandbox.errors import ApiError, bad_request
from devloop.sandbox.podaccess import LogGone, LogSource, PodAccess
from devloop.sandbox.queries import log_number, moment

Raw = dict[str, Any]
_LOOK_EVERY = 0.05
"""Seconds: files tell nobody that they grew."""
_LONGEST_AGO = 10**9
"""Seconds: longer than any log is old, and a year that Python can write."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request for a log asks for."""

    follow: bool
    timestamps: bool
    tail: int | None
    since: str
    limit: int | None

    @classmethod
    def of(cls, query: Mapping[str, str], pod: str) -> "Wish":
        seconds = log_number(query, "sinceSeconds", pod, 1)
        return cls(
            query.get("follow") in {"true", "1"},
            query.get("timestamps") in {"true", "1"},
            log_number(query, "tailLines", pod, 0),
            moment(query, "sinceTime") if seconds is None else times.after(-min(seconds, _LONGEST_AGO)),
            log_number(query, "limitBytes", pod, 1),
        )


async def answer(request: web.Request, access: PodAccess, pod: Raw) -> web.StreamResponse:
    """The log of one container of a Pod."""
    query = request.query
    wish = Wish.of(query, pod["metadata"]["name"])
    name = _container(pod, query.get("container", ""))
    previous = query.get("previous") in {"true", "1"}
    source = access.log(pod["metadata"]["uid"], name, previous=previous)
    if source is None:
        raise _nothing_yet(pod, name, previous=previous)
    if isinstance(source, LogGone):  # the kubelet has begun its answer by the time it knows, so it is no error
        return web.Response(text=f"unable to retrieve container logs for {source.container}")
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    with contextlib.suppress(ConnectionResetError):  # the client may leave at any time
        await response.prepare(request)
        await _send(response, source, wish)
    return response


async def _send(response: web.StreamResponse, source: LogSource, wish: Wish) -> None:
    with contextlib.closing(_Reader(source.path, wish)) as reader:
        await _read(response, reader, source, wish)


async def _read(response: web.StreamResponse, reader: "_Reader", source: LogSource, wish: Wish) -> None:
    over = source.ended()
    lines: Iterator[bytes] | deque[bytes] = reader.read()
    if wish.tail is not None:
        lines = deque(lines, maxlen=wish.tail)
    left = wish.limit
    for line in lines:
        part = line if left is None else line[:left]
        await response.write(part)
        left = None if left is None else left - len(part)
        if left == 0:
            return
    while wish.follow and not over:
        await asyncio.sleep(_LOOK_EVERY)
        over = source.ended()
        for line in reader.read():
            await response.write(line)


class _Reader:
    """Reads on in a file where it stopped before, whole lines only; also when the file was removed meanwhile."""

    def __init__(self, path: Path, wish: Wish) -> None:
        self._file = path.open("rb") if path.exists() else io.BytesIO()
        self._timestamps = wish.timestamps
        self._since = datetime.fromisoformat(wish.since).astimezone(UTC).timestamp() if wish.since else 0.0
        self._rest = b""

    def close(self) -> None:
        self._file.close()

    def read(self) -> Iterator[bytes]:
        """The lines since the last time. The parts of a long one make one line."""
        for line in self._lines():
            stamp, _, rest = line.partition(b" ")
            _, _, rest = rest.partition(b" ")
            tag, _, text = rest.partition(b" ")
            if tag == b"P":
                self._rest += text
                continue
            text, self._rest = self._rest + text, b""
            if not self._since or _moment(stamp.decode()) >= self._since:
                yield (stamp + b" " if self._timestamps else b"") + text + b"\n"

    def _lines(self) -> Iterator[bytes]:
        while True:
            at = self._file.tell()
            line = self._file.readline()
            if not line.endswith(b"\n"):
                self._file.seek(at)
                return
            yield line[:-1]


def _moment(stamp: str) -> float:
    """RFC 3339 with nanoseconds."""
    return datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00").timestamp()


def _container(pod: Raw, name: str) -> str:
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    names = [c["name"] for c in spec.get("containers") or []]
    init = [c["name"] for c in spec.get("initContainers") or []]
    if not name and len(names) > 1:
        more = f" or one of the init containers: [{' '.join(init)}]" if init else ""
        choice = f"[{' '.join(names)}]{more}"
        raise bad_request(f"a container name must be specified for pod {pod_name}, choose one of: {choice}")
    if name and name not in [*names, *init]:
        raise bad_request(f"container {name} is not valid for pod {pod_name}")
    return name or names[0]


def _nothing_yet(pod: Raw, name: str, *, previous: bool) -> ApiError:
    pod_name = pod["metadata"]["name"]
    if previous:
        return bad_request(f'previous terminated container "{name}" in pod "{pod_name}" not found')
    statuses = [s for key in ("containerStatuses", "initContainerStatuses") for s in pod["status"].get(key) or []]
    state: Raw = next((s.get("state", {}) for s in statuses if s["name"] == name), {})
    reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
    trouble = "trying and failing to pull image" if "Image" in reason else reason
    if not pod["spec"].get("nodeName"):
        return bad_request(f"pod {pod_name} does not have a host assigned")
    return bad_request(f'container "{name}" in pod "{pod_name}" is waiting to start: {trouble}')
