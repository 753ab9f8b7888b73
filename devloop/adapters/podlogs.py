"""The logs of a service's Pods, as `ports.LogTail`: one stream for each container, through restarts and broken links.

Timestamps are asked for and cut off again: they tell when an old line was written, and after a broken stream which
lines were already seen. A container that starts again begins a new stream; one that ended ends it.
"""

import asyncio
import math
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

import aiohttp

from devloop.adapters.clock import SystemClock
from devloop.adapters.kube import KubeCluster, log_path
from devloop.adapters.kubehttp import drop
from devloop.core.failure import Failure
from devloop.core.service import WorkloadKey
from devloop.core.workload import Pod, Running, Snapshot

MAX_STREAMS = 50
"""Connections that log streams may hold at a time."""
MAX_LINE = 16 * 1024
"""Bytes of one line; the rest of it is left out."""
FIRST_LINES = 10_000
"""How far back a container is read that started before it was heard of."""
LAST_WORDS = 2.0
"""Seconds that a stream is given to end by itself when its Pod is gone."""
FIRST_DELAY, LAST_DELAY = 0.2, 5.0
"""Seconds between attempts to read on, doubled each time, jittered."""
OLD = 2.0
"""Seconds after which a line that is handed on is an old one: clocks of nodes differ by that much."""
TOGETHER = 0.25
"""Seconds that lines wait when Pods are first seen: each has a stream of its own, and what they wrote before is told in
the order in which it was written."""
CUT = " [...]"
_AT_ONCE = 200
"""Lines that are handed on before anything else may run: a few milliseconds' worth; one chunk may hold 50,000."""

Line = Callable[[str, str, str, str, float], None]
"""Takes the service, the Pod, the container and the text of a line, and when an old one was written; else 0."""
_Id = tuple[str, str, str]
"""Service, uid of the Pod, container."""


class Lines:
    """Splits what arrives into lines, and cuts those that are too long; memory stays bounded by one line."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._rest = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that `chunk` completes, without their ends."""
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            line, skipping = self._rest + part, self._skipping
            self._rest, self._skipping = b"", False
            if not skipping:
                yield self._cut(line.removesuffix(b"\r"))
        if self._skipping:
            return
        self._rest += rest
        if len(self._rest) > self._limit:
            yield self._cut(self._rest)
            self._rest, self._skipping = b"", True

    def end(self) -> Iterator[bytes]:
        """The last line, when it did not end."""
        if self._rest:
            yield self._rest
        self._rest = b""

    def _cut(self, line: bytes) -> bytes:
        return line if len(line) <= self._limit else line[: self._limit] + CUT.encode()


@dataclass(slots=True)
class _Tail:
    """One container that is followed."""

    pod: str
    workload: WorkloadKey
    started: str = ""
    """The id of the container's newest start."""
    over: bool = False
    """Whether that start has ended."""
    gone: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    lines: int = FIRST_LINES
    """How many of those that it had written before it was followed are wanted."""
    seen: str = ""
    """Timestamp of the last line."""
    task: asyncio.Task[None] | None = None


class PodLogs:
    """Follows the containers that snapshots show, and hands on their lines as they come."""

    def __init__(self, cluster: KubeCluster, line: Line, earlier: int = FIRST_LINES) -> None:
        """`earlier`: how many lines are wanted of Pods that are there when their workload is first seen."""
        self._cluster = cluster
        self._line = line
        self._earlier = earlier
        self._clock = SystemClock()
        self._met: set[tuple[str, WorkloadKey]] = set()
        """Services and workloads that were seen before: Pods that come now are new."""
        self._tails: dict[_Id, _Tail] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._full: set[str] = set()
        self._early: list[tuple[float, _Id, str, str, float]] | None = None
        """When it was written, whose it is, the Pod, the text, and what is told of the time; None while nothing waits.
        """

    def follow(self, service: str, snapshot: Snapshot, containers: Sequence[str]) -> None:
        """Follow `containers` (all when empty) of the snapshot's Pods, and no longer those of Pods that are gone."""
        shown = {(service, pod.uid) for pod in snapshot.pods}
        for id_, tail in list(self._tails.items()):
            unwanted = id_[:2] not in shown or (containers and id_[2] not in containers)
            if id_[0] == service and tail.workload == snapshot.key and unwanted:
                self._let_go(id_, tail)
        is_met = (service, snapshot.key) in self._met
        lines = FIRST_LINES if is_met else self._earlier
        if not is_met and self._early is None:
            self._early = []
            asyncio.get_running_loop().call_later(TOGETHER, self._tell_early)
        self._met.add((service, snapshot.key))
        for pod in snapshot.pods:
            self._follow_pod(service, snapshot.key, pod, containers, lines)

    def forget(self, service: str, kept: Collection[WorkloadKey] = ()) -> None:
        """Follow the service's Pods no longer, but for those of the workloads that it keeps."""
        self._met = {each for each in self._met if each[0] != service or each[1] in kept}
        unwanted = {id_: tail for id_, tail in self._tails.items() if id_[0] == service and tail.workload not in kept}
        for id_, tail in unwanted.items():
            del self._tails[id_]
            if tail.task is not None:
                tail.task.cancel()
        if self._early is not None:
            self._early = [each for each in self._early if each[1] not in unwanted]

    async def close(self) -> None:
        """End all streams."""
        self._tell_early()
        self._tails.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _follow_pod(self, service: str, workload: WorkloadKey, pod: Pod, containers: Iterable[str], lines: int) -> None:
        wanted = set(containers)
        for status in pod.containers:
            # A container that never ran has no id and no log; one that waits to run again still has its last one.
            if not status.container_id or (wanted and status.name not in wanted):
                continue
            id_ = (service, pod.uid, status.name)
            tail = self._tails.get(id_)
            if tail is None:
                if not self._room(service, pod.name, status.name):
                    continue
                tail = self._tails[id_] = _Tail(pod.name, workload, lines=lines)
            over = not isinstance(status.state, Running)
            if (tail.started, tail.over) != (status.container_id, over):
                tail.started, tail.over = status.container_id, over
                tail.news.set()
            if tail.task is None:
                self._start(id_, tail, workload.namespace)

    def _room(self, service: str, pod: str, container: str) -> bool:
        if len(self._tasks) < MAX_STREAMS:
            return True
        if service not in self._full:
            self._full.add(service)
            text = (
                f"devloop follows {MAX_STREAMS} containers' logs at a time; this one's and those of more are left out"
            )
            self._line(service, pod, container, text, 0.0)
        return False

    def _start(self, id_: _Id, tail: _Tail, namespace: str) -> None:
        tail.task = asyncio.get_running_loop().create_task(self._run(id_, tail, namespace), name=f"logs of {tail.pod}")
        self._tasks.add(tail.task)
        tail.task.add_done_callback(self._ended)

    def _let_go(self, id_: _Id, tail: _Tail) -> None:
        del self._tails[id_]
        tail.gone = True
        tail.news.set()
        if tail.task is not None:
            asyncio.get_running_loop().call_later(LAST_WORDS, tail.task.cancel)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            task.get_loop().call_exception_handler({"message": f"{task.get_name()} ended", "exception": error})

    async def _run(self, id_: _Id, tail: _Tail, namespace: str) -> None:
        """Read each start of the container to its end, until the Pod is gone."""
        delay = FIRST_DELAY
        finished = ""
        while not tail.gone:
            if tail.started == finished:
                tail.news.clear()
                await tail.news.wait()
                delay = FIRST_DELAY
                continue
            reading, over = tail.started, tail.over
            before = tail.seen
            refusal = await self._read(id_, tail, namespace)
            if refusal is not None:
                self._line(id_[0], tail.pod, id_[2], refusal, 0.0)
                return
            if over or tail.started != reading:
                finished = reading
                continue
            # The stream ended although the container still ran when last heard of: the news may be on its way.
            delay = FIRST_DELAY if tail.seen != before else min(2 * delay, LAST_DELAY)
            await self._pause(tail, delay)

    async def _pause(self, tail: _Tail, delay: float) -> None:
        tail.news.clear()
        try:
            async with asyncio.timeout(delay * random.uniform(0.5, 1.0)):  # noqa: S311
                await tail.news.wait()
        except TimeoutError:
            pass

    async def _read(self, id_: _Id, tail: _Tail, namespace: str) -> str | None:
        """Read until the stream ends; a sentence when the log may not be read at all."""
        query = {"container": id_[2], "follow": "true", "timestamps": "true"}
        query |= {"sinceTime": tail.seen} if tail.seen else {"tailLines": str(tail.lines)}
        opened = await self._cluster.connection.stream(log_path(namespace, tail.pod), query, None)
        if isinstance(opened, Failure):
            return None
        try:
            if opened.status == 403:
                return f"the log may not be read by this user of context {self._cluster.pinned.name}"
            if opened.status == 200:
                await self._hand_on(id_, tail, opened)
        except (aiohttp.ClientError, OSError):
            pass  # read on where it broke
        finally:
            drop(opened)
        return None

    async def _hand_on(self, id_: _Id, tail: _Tail, opened: aiohttp.ClientResponse) -> None:
        lines, caught_up = Lines(), tail.seen
        async for chunk in opened.content.iter_any():
            for count, line in enumerate(lines.feed(chunk)):
                self._emit(id_, tail, line, caught_up)
                if count % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
            # A container that never stops writing must not keep everything else from running.
            await asyncio.sleep(0)
        for line in lines.end():
            self._emit(id_, tail, line, caught_up)

    def _emit(self, id_: _Id, tail: _Tail, line: bytes, caught_up: str) -> None:
        """Hand on a line, unless it was read before the stream was opened anew."""
        time, space, text = line.decode(errors="replace").partition(" ")
        if not space or not time[:1].isdecimal() or "T" not in time:
            return  # the kubelet's own words about a log that it cannot read yet
        if time > caught_up:
            tail.seen = time
            written = _written(time)
            old = round(written, 3) if self._clock.now() - written > OLD else 0.0
            if self._early is None:
                self._line(id_[0], tail.pod, id_[2], text, old)
            else:
                self._early.append((written, id_, tail.pod, text, old))

    def _tell_early(self) -> None:
        early, self._early = self._early, None
        for _, id_, pod, text, old in sorted(early or (), key=itemgetter(0)):
            self._line(id_[0], pod, id_[2], text, old)


def _written(time: str) -> float:
    """When a line was written; never, where that is no time."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return math.inf
