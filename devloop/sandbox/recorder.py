"""Events: what components say about objects, with repetitions counted instead of repeated."""

import time
from contextlib import suppress
from typing import Any

from devloop.sandbox import kinds, times
from devloop.sandbox.errors import ApiError
from devloop.sandbox.resources import Resources

Raw = dict[str, Any]
_MOST = 2000
"""Events that are kept; a real cluster forgets them after an hour."""


class Recorder:
    """Says things in the name of one component."""

    def __init__(self, resources: Resources, component: str, host: str = "") -> None:
        self._resources = resources
        self._component = component
        self._host = host
        self._told: dict[tuple[str, ...], str] = {}

    def say(self, about: Raw, type_: str, reason: str, message: str, field_path: str = "") -> None:
        """One Event; an equal one of before is counted up."""
        metadata = about["metadata"]
        key = (metadata["uid"], field_path, type_, reason, message)
        namespace = metadata.get("namespace") or "default"
        earlier = self._resources.find(kinds.EVENT, namespace, self._told.get(key, ""))
        try:
            if earlier is not None:
                again = {**earlier, "count": earlier.get("count", 1) + 1, "lastTimestamp": times.now()}
                self._resources.update(kinds.EVENT, namespace, again["metadata"]["name"], again, self._component)
            else:
                made = self._resources.create(
                    kinds.EVENT, namespace, self._event(about, type_, reason, message, field_path), self._component
                )
                self._told[key] = made["metadata"]["name"]
                self._forget_old()
        except ApiError:
            pass  # its namespace goes: nobody will read it

    def say_once(self, about: Raw, type_: str, reason: str, message: str, action: str) -> None:
        """The newer form, which the scheduler uses: nothing is counted."""
        event = self._event(about, type_, reason, message, "")
        event |= {"eventTime": times.now_micro(), "firstTimestamp": None, "lastTimestamp": None, "action": action}
        event |= {"source": {}, "reportingInstance": f"{self._component}-sandbox"}
        event.pop("count")
        with suppress(ApiError):
            self._resources.create(kinds.EVENT, about["metadata"]["namespace"], event, self._component)

    def _event(self, about: Raw, type_: str, reason: str, message: str, field_path: str) -> Raw:
        metadata, now = about["metadata"], times.now()
        involved = {"kind": about["kind"], "apiVersion": about["apiVersion"], "name": metadata["name"],
                    "namespace": metadata.get("namespace", ""), "uid": metadata["uid"],
                    "resourceVersion": metadata.get("resourceVersion", "")}  # fmt: skip
        involved |= {"fieldPath": field_path} if field_path else {}
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        return {
            "metadata": {"name": f"{metadata['name']}.{time.time_ns():x}"}, "involvedObject": involved,
            "reason": reason, "message": message, "type": type_, "source": source, "count": 1,
            "firstTimestamp": now, "lastTimestamp": now,
            "reportingComponent": self._component, "reportingInstance": self._host,
        }  # fmt: skip

    def _forget_old(self) -> None:
        events = self._resources.all_of(kinds.EVENT)
        if len(events) > _MOST:
            oldest = min(events, key=lambda each: int(each["metadata"]["resourceVersion"]))
            self._resources.remove(kinds.EVENT, oldest)
            self._told = {key: name for key, name in self._told.items() if name != oldest["metadata"]["name"]}
