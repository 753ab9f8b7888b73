"""A watch: everything that changes after a version, as one JSON object a line, until its time is over."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web

from devloop.sandbox.errors import ApiError, Status
from devloop.sandbox.kinds import Kind
from devloop.sandbox.listing import selection, version_of
from devloop.sandbox.queries import Query, number
from devloop.sandbox.store import Change, Store
from devloop.sandbox.views import seen_as

Raw = dict[str, Any]
Shown = Callable[[Raw], Raw]
"""What is told instead of the object itself: a Table, if one was asked for."""
BOOKMARK_EVERY = 60.0
_SECONDS = (1800, 3600)
_INITIAL_END = "k8s.io/initial-events-end"


class Watch:
    """One request for changes. `shown` makes what is told of an object."""

    def __init__(self, store: Store, kind: Kind, namespace: str, query: Query, shown: Shown) -> None:
        self._store = store
        self._kind = kind
        self._namespace = namespace
        self._query = query
        self._shown = shown
        self._matches = selection(kind, query)
        self._bookmarks = query.get("allowWatchBookmarks") in {"true", "1"}
        self._version = version_of(query)
        self._seconds = float(number(query, "timeoutSeconds") or 0) or random.uniform(*_SECONDS)  # noqa: S311

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Answer the request, which ends when the client leaves or the time is over."""
        headers = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        response = web.StreamResponse(headers=headers)
        changes: asyncio.Queue[Change] = asyncio.Queue()
        end = self._store.subscribe(changes.put_nowait)
        # Everything up to here is told first, and what is written meanwhile waits in the queue.
        first = list(self._first())
        try:
            await response.prepare(request)
            for line in first:
                await response.write(line)
            if not (first and first[-1].startswith(b'{"type":"ERROR"')):
                await self._follow(response, changes)
        except ConnectionResetError:
            pass  # the client left
        finally:
            end()
        return response

    def _first(self) -> Iterator[bytes]:
        """What is there already, or what has happened since the version that was named."""
        if not self._version or self._query.get("sendInitialEvents") in {"true", "1"}:
            for raw in self._store.all_of(self._kind, self._namespace):
                if self._matches(seen_as(self._kind, raw)):
                    yield self._line("ADDED", raw)
            if self._query.get("sendInitialEvents") in {"true", "1"} and self._bookmarks:
                yield self._bookmark({_INITIAL_END: "true"})
            return
        try:
            missed = self._store.since(self._version)
        except ApiError as error:
            yield _encoded("ERROR", error.status)
            return
        for change in missed:
            yield from self._told(change)

    async def _follow(self, response: web.StreamResponse, changes: "asyncio.Queue[Change]") -> None:
        loop = asyncio.get_running_loop()
        end, due = loop.time() + self._seconds, loop.time() + BOOKMARK_EVERY
        while (now := loop.time()) < end:
            try:
                async with asyncio.timeout(min(end, due) - now):
                    change = await changes.get()
            except TimeoutError:
                due = loop.time() + BOOKMARK_EVERY
                if self._bookmarks:
                    await response.write(self._bookmark())
                continue
            for line in self._told(change):
                await response.write(line)

    def _told(self, change: Change) -> Iterator[bytes]:
        """A change as this watch sees it: what leaves its selection is deleted, what enters it is added."""
        if change.plural != (self._kind.stored_as or self._kind.plural):
            return
        if self._namespace and change.object["metadata"].get("namespace") != self._namespace:
            return
        before = change.before is not None and self._matches(seen_as(self._kind, change.before))
        after = change.type != "DELETED" and self._matches(seen_as(self._kind, change.object))
        if after:
            yield self._line("MODIFIED" if before else "ADDED", change.object)
        elif before and change.type == "DELETED":
            yield self._line("DELETED", change.object)
        elif before and change.before is not None:
            version = {"resourceVersion": str(change.version)}
            yield self._line("DELETED", {**change.before, "metadata": {**change.before["metadata"], **version}})

    def _line(self, type_: str, raw: Raw) -> bytes:
        return _encoded(type_, self._shown(seen_as(self._kind, raw)))

    def _bookmark(self, annotations: Raw | None = None) -> bytes:
        metadata: Raw = {"resourceVersion": str(self._store.version)}
        metadata |= {"annotations": annotations} if annotations else {}
        kind = {"kind": self._kind.name, "apiVersion": self._kind.api_version}
        return _encoded("BOOKMARK", {**kind, "metadata": metadata})


def _encoded(type_: str, value: Raw | Status) -> bytes:
    return json.dumps({"type": type_, "object": value}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
