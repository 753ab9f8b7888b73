"""Reading and writing the objects of the sandbox, with the rules of the API server: for its requests and controllers.

Every method is done when it returns; nothing else happens in between.
"""

from collections.abc import Callable, Mapping
from typing import Any

from devloop.sandbox import kinds, times
from devloop.sandbox.apply import applied
from devloop.sandbox.errors import ApiError, conflict, details, exists, not_found
from devloop.sandbox.kinds import Kind
from devloop.sandbox.managedfields import recorded
from devloop.sandbox.patches import APPLY, patched
from devloop.sandbox.store import Store
from devloop.sandbox.strategy import prepared_create, prepared_update
from devloop.sandbox.validation import check_types, validate

Raw = dict[str, Any]


class Resources:
    """What may be done to objects, whoever does it; raises `ApiError` for what may not."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._addresses = 0

    def find(self, kind: Kind, namespace: str, name: str) -> Raw | None:
        return self.store.get(kind, namespace, name)

    def get(self, kind: Kind, namespace: str, name: str) -> Raw:
        found = self.store.get(kind, namespace, name)
        if found is None:
            raise not_found(name, kind.group, kind.plural)
        return found

    def all_of(self, kind: Kind, namespace: str = "") -> list[Raw]:
        return self.store.all_of(kind, namespace)

    def create(self, kind: Kind, namespace: str, body: Raw, manager: str, *, dry: bool = False) -> Raw:
        check_types(kind, body)
        self._check_namespace(kind, namespace, body)
        value = self._addressed(kind, prepared_create(kind, namespace, body))
        validate(kind, value, None)
        name = value["metadata"]["name"]
        if self.find(kind, namespace, name) is not None:
            raise exists(name, kind.group, kind.plural)
        self._record(kind, None, value, manager, "")
        return value if dry else self.store.put(kind, value)

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Raw,
        manager: str,
        subresource: str = "",
        *,
        dry: bool = False,
    ) -> Raw:
        check_types(kind, body)
        live = self.get(kind, namespace, name)
        value = prepared_update(kind, live, body, subresource)
        self._record(kind, live, value, manager, subresource)
        return self._replace(kind, live, value, dry=dry)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        type_: str,
        body: Any,
        manager: str,
        subresource: str = "",
        *,
        force: bool = False,
        dry: bool = False,
    ) -> Raw:
        if type_ == APPLY:
            return self._apply(kind, namespace, name, body, manager, subresource, force=force, dry=dry)
        live = self.get(kind, namespace, name)
        return self.update(kind, namespace, name, patched(type_, live, body), manager, subresource, dry=dry)

    def change(
        self, kind: Kind, value: Raw, change: Callable[[Raw], Raw], manager: str, subresource: str = ""
    ) -> Raw | None:
        """A controller's own write: what `change` makes of the newest state; None when the object is gone."""
        namespace, name = value["metadata"].get("namespace", ""), value["metadata"]["name"]
        live = self.find(kind, namespace, name)
        if live is None or live["metadata"]["uid"] != value["metadata"]["uid"]:
            return None
        return self.update(kind, namespace, name, change(live), manager, subresource)

    def delete(
        self, kind: Kind, namespace: str, name: str, options: Mapping[str, Any] | None = None, *, dry: bool = False
    ) -> tuple[Raw, bool]:
        """The object as it was last, and whether it is gone: a Pod ends first, a namespace is emptied first."""
        live = self.get(kind, namespace, name)
        options = options or {}
        _check_preconditions(kind, live, options.get("preconditions") or {})
        if dry:
            return live, True
        if options.get("propagationPolicy") == "Orphan":
            self._orphan(live)
        grace = _grace(kind, live, options.get("gracePeriodSeconds"))
        if grace == 0 and not live["metadata"].get("finalizers") and kind.name != "Namespace":
            return self.store.remove(kind, live), True
        return self._mark_deleted(kind, live, grace), False

    def remove(self, kind: Kind, value: Raw) -> None:
        """What was marked is gone now; nothing when it is gone already, or another one of the same name."""
        live = self.find(kind, value["metadata"].get("namespace", ""), value["metadata"]["name"])
        if live is not None and live["metadata"]["uid"] == value["metadata"]["uid"]:
            self.store.remove(kind, live)

    def _apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Any,
        manager: str,
        subresource: str,
        *,
        force: bool,
        dry: bool,
    ) -> Raw:
        live = self.find(kind, namespace, name)
        now = times.now()
        if live is None:
            self._check_namespace(kind, namespace, body)
            value = self._addressed(kind, prepared_create(kind, namespace, body))
            value["metadata"]["name"] = name
            value["metadata"]["managedFields"] = applied(kind, None, body, manager, subresource, now, force=force)[1]
            validate(kind, value, None)
            return value if dry else self.store.put(kind, value)
        merged, entries = applied(kind, live, body, manager, subresource, now, force=force)
        check_types(kind, merged)
        value = prepared_update(kind, live, merged, subresource)
        value["metadata"]["managedFields"] = entries
        return self._replace(kind, live, value, dry=dry)

    def _replace(self, kind: Kind, live: Raw, value: Raw, *, dry: bool) -> Raw:
        validate(kind, value, live)
        if dry or value == live:
            return value
        metadata = value["metadata"]
        going = metadata.get("deletionTimestamp") and not metadata.get("finalizers")
        if going and kind.name not in {"Pod", "Namespace"}:
            return self.store.remove(kind, value)
        return self.store.put(kind, value)

    def _record(self, kind: Kind, live: Raw | None, value: Raw, manager: str, subresource: str) -> None:
        if _without_entries(live) == _without_entries(value) and live is not None:
            entries = [entry for entry in value["metadata"].get("managedFields") or [] if entry]
        else:
            entries = recorded(live, value, manager, subresource, kind.api_version, times.now())
        value["metadata"].pop("managedFields", None)
        if entries:
            value["metadata"]["managedFields"] = entries

    def _check_namespace(self, kind: Kind, namespace: str, body: Any) -> None:
        if not kind.namespaced:
            return
        found = self.find(kinds.NAMESPACE, "", namespace)
        if found is None:
            raise not_found(namespace, "", "namespaces")
        if found["metadata"].get("deletionTimestamp"):
            raise _terminating(kind, namespace, body)

    def _addressed(self, kind: Kind, value: Raw) -> Raw:
        spec = value.get("spec") or {}
        if kind.name == "Service" and spec["type"] != "ExternalName" and not spec.get("clusterIP"):
            self._addresses += 1
            address = f"10.96.{self._addresses // 250}.{self._addresses % 250 + 1}"
            return {**value, "spec": {**spec, "clusterIP": address, "clusterIPs": [address]}}
        return value

    def _mark_deleted(self, kind: Kind, live: Raw, grace: int) -> Raw:
        metadata = live["metadata"]
        if metadata.get("deletionTimestamp") and metadata.get("deletionGracePeriodSeconds", 0) <= grace:
            return live
        mark: Raw = {"deletionTimestamp": times.after(grace), "deletionGracePeriodSeconds": grace}
        mark |= {"generation": metadata["generation"] + 1} if "generation" in metadata else {}
        value = {**live, "metadata": {**metadata, **mark}}
        if kind.name == "Namespace":
            value = {**value, "status": {**value.get("status", {}), "phase": "Terminating"}}
        return self.store.put(kind, value)

    def _orphan(self, live: Raw) -> None:
        uid = live["metadata"]["uid"]
        for kind in kinds.KINDS:
            for each in [] if kind.stored_as else self.store.all_of(kind):
                owners = each["metadata"].get("ownerReferences") or []
                if any(owner["uid"] == uid for owner in owners):
                    kept = [owner for owner in owners if owner["uid"] != uid]
                    self.store.put(kind, {**each, "metadata": {**each["metadata"], "ownerReferences": kept}})


def _without_entries(value: Raw | None) -> Raw | None:
    if value is None:
        return None
    metadata = {key: inner for key, inner in value["metadata"].items() if key != "managedFields"}
    return {**value, "metadata": metadata}


def _grace(kind: Kind, live: Raw, asked: int | None) -> int:
    """Seconds that a Pod may take to end; nothing else takes any."""
    if kind.name != "Pod" or not live["spec"].get("nodeName"):
        return 0
    if live.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    return int(live["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)


def _check_preconditions(kind: Kind, live: Raw, wanted: Mapping[str, Any]) -> None:
    metadata = live["metadata"]
    told = {"uid": "The object might have been deleted and then recreated", "resourceVersion":
            "The object might have been modified"}  # fmt: skip
    for key, name in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(key) and wanted[key] != metadata[key]:
            why = f"the {name} in the precondition ({wanted[key]}) does not match the {name} in record"
            raise conflict(metadata["name"], kind.group, kind.name, f"{why} ({metadata[key]}). {told[key]}")


def _terminating(kind: Kind, namespace: str, body: Any) -> ApiError:
    name = (body.get("metadata") or {}).get("name", "") if isinstance(body, dict) else ""
    full = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated",
             "field": "metadata.namespace"}  # fmt: skip
    about = details(name, kind.group, kind.plural, causes=[cause])
    return ApiError(403, "Forbidden", f'{full} "{name}" is forbidden: {why}', about)
