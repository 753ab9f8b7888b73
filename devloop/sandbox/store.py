"""The objects of the sandbox, one counter of versions for all of them, and the latest changes, for watches.

Objects are never changed in place: what was handed out stays as it was.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from devloop.sandbox.errors import too_large, too_old
from devloop.sandbox.kinds import Kind

Raw = dict[str, Any]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]
_REMEMBERED = 2000
"""Changes that a watch may still ask for; a real server, too, forgets them after some minutes."""
_FIRST_VERSION = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what was there before it, and what after it (of a deletion: what was deleted)."""

    version: int
    plural: str
    type: ChangeType
    object: Raw
    before: Raw | None


Listener = Callable[[Change], None]


class Store:
    """Objects by plural, namespace and name."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self.version = _FIRST_VERSION
        self._objects: dict[str, dict[tuple[str, str], Raw]] = {}
        self._history: deque[Change] = deque(maxlen=remembered)
        self._listeners: list[Listener] = []

    def get(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        return self._of(kind).get((namespace, name))

    def all_of(self, kind: Kind, namespace: str = "") -> list[Raw]:
        """All of a namespace, or of all, in the order of their keys."""
        found = self._of(kind)
        return [found[key] for key in sorted(found) if not namespace or key[0] == namespace]

    def list_at(self, kind: Kind, namespace: str, version: int) -> list[Raw]:
        """What `all_of` told at an earlier version."""
        then = dict(self._of(kind))
        for change in reversed(self.since(version)):
            if change.plural == _plural(kind):
                key = key_of(change.object)
                if change.before is None:
                    then.pop(key, None)
                else:
                    then[key] = change.before
        return [then[key] for key in sorted(then) if not namespace or key[0] == namespace]

    def put(self, kind: Kind, value: Raw) -> Raw:
        """Create or replace; returns the object with its new version."""
        key, before = key_of(value), self._of(kind).get(key_of(value))
        stored = self._stamped(value)
        self._of(kind)[key] = stored
        self._tell(Change(self.version, _plural(kind), "MODIFIED" if before else "ADDED", stored, before))
        return stored

    def remove(self, kind: Kind, value: Raw) -> Raw:
        """Delete; what is told to watches is `value`, with the version of the deletion."""
        before = self._of(kind).pop(key_of(value))
        last = self._stamped(value)
        self._tell(Change(self.version, _plural(kind), "DELETED", last, before))
        return last

    def since(self, version: int) -> list[Change]:
        """All changes after that version; raises when they are not known any more, or not yet."""
        oldest = self._history[0].version - 1 if self._history else self.version
        if version < oldest:
            raise too_old(version, oldest)
        if version > self.version:
            raise too_large(version, self.version)
        return [change for change in self._history if change.version > version]

    def forget(self) -> None:
        """Forget all changes, as a server does that was restarted or compacted."""
        self._history.clear()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell each change as it is made; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _of(self, kind: Kind) -> dict[tuple[str, str], Raw]:
        return self._objects.setdefault(_plural(kind), {})

    def _stamped(self, value: Raw) -> Raw:
        self.version += 1
        return {**value, "metadata": {**value["metadata"], "resourceVersion": str(self.version)}}

    def _tell(self, change: Change) -> None:
        self._history.append(change)
        for listener in tuple(self._listeners):
            listener(change)


def key_of(value: Raw) -> tuple[str, str]:
    """Namespace (empty when it has none) and name."""
    return value["metadata"].get("namespace", ""), value["metadata"]["name"]


def _plural(kind: Kind) -> str:
    return kind.stored_as or kind.plural
