"""The record on a workload of what was there before devloop: the annotation `devloop/original`.

Its JSON: `{"version": 1, "since": UNIX_SECONDS, "containers": {NAME: {FIELD: {"was": ..., "wrote": ...}}}}`. FIELD is a
field of the container as the API writes it, and null stands for "not set". Services on different containers of one
workload share the annotation, and a newer devloop may add fields: what is not understood is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from devloop.core.workload import ORIGINAL

VERSION = 1


def compact(value: Any) -> str:
    """The one JSON text of a value: equal values give equal annotations."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Written:
    """One field: what was there, and what devloop wrote over it; None where it was not set."""

    was: Any
    wrote: Any


@dataclass(frozen=True, slots=True)
class Original:
    """The whole record of one workload."""

    since: float = 0.0
    """When devloop first changed the workload, Unix seconds."""
    containers: Mapping[str, Mapping[str, Written]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys of another version, kept as they are."""

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> "Original":
        """That of a workload, by its annotations."""
        return cls.decode(annotations.get(ORIGINAL, ""))

    @classmethod
    def decode(cls, text: str) -> "Original":
        """Read the annotation; one that is absent or broken records nothing."""
        try:
            data = json.loads(text)
        except ValueError:
            return cls()
        if not isinstance(data, dict):
            return cls()
        since, containers = data.pop("since", 0.0), data.pop("containers", {})
        data.pop("version", None)
        return cls(since if isinstance(since, (int, float)) else 0.0, _containers(containers), data)

    def encode(self) -> str:
        containers = {
            name: {key: {"was": w.was, "wrote": w.wrote} for key, w in fields.items()}
            for name, fields in self.containers.items()
        }
        return compact({**self.extra, "version": VERSION, "since": self.since, "containers": containers})

    @property
    def changed_nothing(self) -> bool:
        """Whether image and pull policy were before devloop what it wants: then nothing but its marks is new."""
        return bool(self.since) and not self.containers

    def written(self, container: str, key: str) -> Written | None:
        return self.containers.get(container, {}).get(key)

    def with_field(self, container: str, key: str, written: Written | None) -> "Original":
        """The record with one field replaced, or without it."""
        fields = {k: w for k, w in self.containers.get(container, {}).items() if k != key}
        if written is not None:
            fields[key] = written
        others = {name: f for name, f in self.containers.items() if name != container}
        return replace(self, containers=others | ({container: fields} if fields else {}))


def _containers(data: Any) -> dict[str, dict[str, Written]]:
    if not isinstance(data, dict):
        return {}
    return {name: _fields(fields) for name, fields in data.items() if isinstance(fields, dict)}


def _fields(data: Mapping[str, Any]) -> dict[str, Written]:
    whole = {key: value for key, value in data.items() if isinstance(value, dict) and {"was", "wrote"} <= value.keys()}
    return {key: Written(value["was"], value["wrote"]) for key, value in whole.items()}
