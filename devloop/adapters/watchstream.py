"""List and watch of one resource: a set of objects that follows the API server's, through everything that ends a watch.

A watch ends every few minutes because it was asked to, when a server restarts, when the resource version it stands on
is forgotten (410), and when credentials expire. It goes on from where it was if it can, and lists anew if it must
(https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import aiohttp

from devloop.adapters.kubehttp import KubeConnection, Reply, drop
from devloop.core.failure import Failure

T = TypeVar("T")
Raw = Mapping[str, Any]

WATCH_SECONDS = (240, 330)
"""For how long a watch is asked for: jittered, so that watches do not end together."""
SILENCE = 75.0
"""Seconds without a byte after which a watch is opened anew: a server that has anything to say sends a bookmark every
minute. Nothing is wrong yet, because a server whose objects never changed sends none."""
FIRST_DELAY, LAST_DELAY = 0.2, 5.0
"""Seconds between attempts, doubled each time, jittered."""
LAST_DENIED_DELAY = 60.0
"""Seconds, the same for what may not be read: somebody may grant it, and a server that just started may be mistaken."""
SETTLED = 5.0
"""Seconds after which a watch counts as having worked."""
_PAGE = "500"


_UNREADABLE = (LookupError, ValueError, TypeError, AttributeError)
"""What reading JSON that is not of the expected form raises."""


class _ExpiredError(Exception):
    """The resource version is too old."""


class _BrokenError(Exception):
    """The attempt failed, for the reason given."""

    def __init__(self, failure: Failure, denied: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.denied = denied


class ListWatch(Generic[T]):
    """The objects of one resource, parsed on arrival, kept up to date for as long as `run` runs.

    `parse` gives what is kept of an object, None when it is of no interest. `changed` is called for each kept object
    that came, changed or went, and once with None when a list is complete. `trouble` is called with the failure when
    the resource cannot be read, once, and with None when it is watched again. An object that `parse` cannot make
    sense of is passed over as if it were gone; `odd` is called with a phrase that says which one, for the first one.
    """

    def __init__(
        self,
        connection: KubeConnection,
        path: str,
        parse: Callable[[Raw], T | None],
        changed: Callable[[T | None], None],
        trouble: Callable[[Failure | None], None],
        limit: int | None = None,
        odd: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.items: dict[str, T] = {}
        """By uid; beyond `limit` the one that changed longest ago goes."""
        self.complete = False
        """Whether the first list is in."""
        self.denied = False
        self._connection = connection
        self._path = path
        self._parse = parse
        self._changed = changed
        self._trouble = trouble
        self._limit = limit
        self._odd = odd
        self._odd_told = False
        self._version = ""
        self._troubled = False
        self._delay = FIRST_DELAY

    async def run(self) -> None:
        """Follow the resource until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except _ExpiredError:
                self._version = ""
                await self._pause()
            except _BrokenError as broken:
                # What comes back may be another cluster, or one restored from a backup: its versions mean nothing here.
                self._version = ""
                self._fail(broken)
                await self._pause()

    def forget(self) -> None:
        """Begin with a new list when `run` is next called."""
        self.items, self.complete, self._version = {}, False, ""

    async def _list(self) -> None:
        found: dict[str, T] = {}
        query = {"limit": _PAGE}
        while True:
            page = await self._page(query)
            for raw in page.get("items") or []:
                self._keep(found, raw)
            metadata = page["metadata"]
            if not metadata.get("continue"):
                break
            query["continue"] = metadata["continue"]
        self._version = metadata["resourceVersion"]
        self._replace(found)

    async def _page(self, query: Mapping[str, str]) -> Raw:
        reply = await self._connection.request("GET", self._path, query)
        if isinstance(reply, Failure):
            raise _BrokenError(reply)
        self._accept(reply)
        page = reply.object
        if not (_versioned(page) and isinstance(page.get("items") or [], list)):
            raise _BrokenError(self._connection.unreachable(ValueError("that is no list of objects")))
        return page

    async def _watch(self) -> None:
        """One watch, from the last version on, until it ends or is broken."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        seconds = random.randint(*WATCH_SECONDS)  # noqa: S311
        query = {"watch": "true", "resourceVersion": self._version, "allowWatchBookmarks": "true"}
        opened = await self._connection.stream(self._path, {**query, "timeoutSeconds": str(seconds)}, SILENCE)
        if isinstance(opened, Failure):
            raise _BrokenError(opened)
        try:
            if opened.status != 200:
                self._accept(Reply(opened.status, await opened.read()))
            self._recover()
            await self._read(opened)
        except TimeoutError:
            return
        except (aiohttp.ClientError, OSError):
            pass  # whether the server is away is for the next attempt to find out
        finally:
            drop(opened)
        if loop.time() - began < SETTLED:
            await self._pause()

    async def _read(self, opened: aiohttp.ClientResponse) -> None:
        rest = b""
        async for chunk in opened.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    self._apply(*self._event(line))

    def _apply(self, kind: str, raw: Raw) -> None:
        if kind == "ERROR":
            code = raw.get("code")
            status = code if isinstance(code, int) and code >= 300 else 500
            self._accept(Reply(status, json.dumps(raw).encode()))
        self._version = raw["metadata"]["resourceVersion"]
        self._delay = FIRST_DELAY
        if kind == "BOOKMARK":
            return
        before = self.items.pop(str(raw["metadata"].get("uid")), None)
        after = None if kind == "DELETED" else self._keep(self.items, raw)
        if before != after:
            self._changed(after if after is not None else before)

    def _keep(self, items: dict[str, T], raw: Raw) -> T | None:
        try:
            uid, item = str(raw["metadata"]["uid"]), self._parse(raw)
        except _UNREADABLE as error:
            self._pass_over(raw, error)
            return None
        if item is not None:
            items[uid] = item
            if self._limit is not None and len(items) > self._limit:
                del items[next(iter(items))]
        return item

    def _pass_over(self, raw: object, error: Exception) -> None:
        """One object must not end the watch of all others."""
        if not self._odd_told:
            self._odd_told = True
            metadata = raw.get("metadata") if isinstance(raw, dict) else None
            name = metadata.get("name") if isinstance(metadata, dict) else None
            self._odd(f"{name or 'one without a name'} ({type(error).__name__})")

    def _replace(self, found: dict[str, T]) -> None:
        before, self.items = self.items, found
        self.complete = True
        for uid in before.keys() | found.keys():
            if before.get(uid) != found.get(uid):
                self._changed(found.get(uid) or before.get(uid))
        self._changed(None)

    def _event(self, line: bytes) -> tuple[str, Raw]:
        try:
            event = json.loads(line)
            kind, raw = event["type"], event["object"]
        except _UNREADABLE:
            kind, raw = "", None
        if not (isinstance(raw, dict) and (kind == "ERROR" or _versioned(raw))):
            raise _BrokenError(self._connection.unreachable(ValueError("that is no watch event")))
        return kind, raw

    def _accept(self, reply: Reply) -> None:
        """Raise what an answer that is no success means."""
        if reply.status == 410:
            raise _ExpiredError
        if not reply.ok:
            raise _BrokenError(self._connection.refused(reply), denied=reply.status == 403)

    def _fail(self, broken: _BrokenError) -> None:
        if not self._troubled or self.denied != broken.denied:
            self._troubled, self.denied = True, broken.denied
            self._trouble(broken.failure)

    def _recover(self) -> None:
        if self._troubled:
            self._troubled = self.denied = False
            self._trouble(None)

    async def _pause(self) -> None:
        delay = self._delay
        self._delay = min(2 * self._delay, LAST_DENIED_DELAY if self.denied else LAST_DELAY)
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311


def _versioned(raw: Raw) -> bool:
    """Whether it has what a watch needs to go on from there."""
    metadata = raw.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("resourceVersion"), str)
