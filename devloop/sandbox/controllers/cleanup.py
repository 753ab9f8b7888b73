"""What goes with what was deleted: the objects in a namespace, and what an object was the last owner of."""

from collections.abc import Iterable, Iterator
from typing import Any

from devloop.sandbox import kinds
from devloop.sandbox.controllers.base import Controller, Key
from devloop.sandbox.kinds import KINDS, Kind
from devloop.sandbox.store import Change

Raw = dict[str, Any]
_KEPT = tuple(kind for kind in KINDS if not kind.stored_as and "get" in kind.verbs)


class NamespaceController(Controller):
    """Empties namespaces that are being deleted, and then lets them go."""

    def concerned(self, change: Change) -> Iterable[Key]:
        if change.plural == kinds.NAMESPACE.plural:
            yield "", change.object["metadata"]["name"]
        elif change.type == "DELETED" and (namespace := change.object["metadata"].get("namespace")):
            yield "", namespace

    def reconcile(self, key: Key) -> None:
        namespace = self.resources.find(kinds.NAMESPACE, *key)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return
        for kind in (each for each in _KEPT if each.namespaced):
            for value in self.resources.all_of(kind, key[1]):
                if not value["metadata"].get("deletionTimestamp"):
                    self.resources.delete(kind, key[1], value["metadata"]["name"])
        if not any(self.resources.all_of(kind, key[1]) for kind in _KEPT if kind.namespaced):
            self.resources.remove(kinds.NAMESPACE, namespace)


class GarbageCollector(Controller):
    """Deletes what has owners, and none that exists."""

    def concerned(self, change: Change) -> Iterable[Key]:
        if change.type == "DELETED" and change.plural != kinds.EVENT.plural:
            yield "", change.object["metadata"]["uid"]

    def reconcile(self, key: Key) -> None:
        for kind, value in list(self._of(key[1])):
            metadata = value["metadata"]
            if metadata.get("deletionTimestamp"):
                continue
            if not any(self._exists(owner["uid"]) for owner in metadata["ownerReferences"]):
                self.resources.delete(kind, metadata.get("namespace", ""), metadata["name"])

    def _of(self, uid: str) -> Iterator[tuple[Kind, Raw]]:
        for kind in _KEPT:
            for value in self.resources.all_of(kind):
                if any(owner.get("uid") == uid for owner in value["metadata"].get("ownerReferences") or []):
                    yield kind, value

    def _exists(self, uid: str) -> bool:
        return any(value["metadata"]["uid"] == uid for kind in _KEPT for value in self.resources.all_of(kind))
