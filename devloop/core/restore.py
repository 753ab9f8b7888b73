"""Putting a workload back: only what still holds what devloop wrote, and every mark of devloop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from devloop.core.events import Change
from devloop.core.managers import field_writer
from devloop.core.original import Original, Written
from devloop.core.patch import IMAGE
from devloop.core.workload import ACTIVE, BUILD, FIELD_MANAGER, ORIGINAL, Deployment


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A strategic-merge patch (None when there is nothing to put back), what it changes, and what it leaves alone."""

    body: Mapping[str, Any] | None
    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    moved: tuple[str, ...] = ()
    """In words: the images that were there before under the very tag that devloop moved, and so stay what they are."""


@dataclass(frozen=True, slots=True)
class _Field:
    container: str
    init: bool
    key: str
    live: Any
    written: Written

    @property
    def ours(self) -> bool:
        return bool(self.live == self.written.wrote) and self.live != self.written.was

    @property
    def foreign(self) -> bool:
        return self.live not in (self.written.wrote, self.written.was)


def plan_restore(deployment: Deployment, tz: tzinfo = UTC) -> RestorePlan:
    """What to undo. `tz` is the user's, for the times of what is kept.

    Without a record, or with a broken one, nothing is known of what was there: only the marks go. The patch names the
    uid for the same reason as the one it undoes. Afterwards `strip_managed_fields` removes the ownership it leaves.
    """
    fields = _fields(deployment)
    ours = [f for f in fields if f.ours]
    marks = _marks(deployment)
    changes = (*(_change(f) for f in ours), *marks)
    kept = tuple(_kept(deployment, f, tz) for f in fields if f.foreign)
    return RestorePlan(_body(deployment, ours, marks) if changes else None, changes, kept, _moved(deployment, fields))


def strip_managed_fields(raw: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """A JSON patch that removes devloop's `managedFields` entries; None when there are none.

    Otherwise the owner's next server-side apply conflicts with a field that nobody holds any more. Each entry is tested
    before it is removed: after a concurrent change the patch fails as a whole, and is made again from the new object.
    """
    entries = list(enumerate(raw.get("metadata", {}).get("managedFields") or ()))
    patch: list[dict[str, Any]] = []
    # From the last to the first, so that a removal does not move those still to come.
    for index, entry in reversed(entries):
        if entry.get("manager") == FIELD_MANAGER:
            path = f"/metadata/managedFields/{index}"
            patch += [{"op": "test", "path": path, "value": entry}, {"op": "remove", "path": path}]
    return patch or None


def _fields(deployment: Deployment) -> list[_Field]:
    """Every recorded field of a container that is still there."""
    original = Original.of(deployment.annotations)
    spec = deployment.raw.get("spec", {}).get("template", {}).get("spec", {})
    return [
        _Field(item["name"], init, key, item.get(key), written)
        for init, kind in ((True, "initContainers"), (False, "containers"))
        for item in spec.get(kind) or ()
        for key, written in original.containers.get(item["name"], {}).items()
    ]


def _marks(deployment: Deployment) -> list[Change]:
    found = (
        (f"spec.template.metadata.annotations[{BUILD}]", deployment.template.build or None),
        (f"metadata.annotations[{ORIGINAL}]", deployment.annotations.get(ORIGINAL)),
        (f"metadata.labels[{ACTIVE}]", deployment.labels.get(ACTIVE)),
    )
    return [Change(path, value, "", "devloop's mark is removed") for path, value in found if value is not None]


def _moved(deployment: Deployment, fields: Sequence[_Field]) -> tuple[str, ...]:
    own = {found.container for found in fields} - {found.container for found in fields if found.key == IMAGE}
    specs = [spec for spec in map(deployment.template.container, sorted(own)) if spec is not None]
    if Original.of(deployment.annotations).changed_nothing and deployment.template.build:
        specs = [spec for spec in deployment.template.containers if not spec.init and "@" not in spec.image]
        if len(specs) > 1:  # no record says which of them it was
            return ("the images stay as they are, each with what was pushed to its tag last",)
    return tuple(f"container {spec.name}: {spec.image} stays, with what was pushed to it last" for spec in specs)


def _change(found: _Field) -> Change:
    kind = "initContainers" if found.init else "containers"
    path = f"spec.template.spec.{kind}[{found.container}].{found.key}"
    old, new = _shown(found.live), _shown(found.written.was)
    return Change(path, old, new, f"container {found.container}: {found.key} is {new or 'unset'} again")


def _body(deployment: Deployment, ours: list[_Field], marks: list[Change]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"uid": deployment.uid}
    template: dict[str, Any] = {}
    for mark in marks:
        holder, _, key = mark.path.rstrip("]").partition("[")
        if holder.startswith("spec.template."):
            template["metadata"] = {"annotations": {key: None}}
        else:
            metadata[holder.removeprefix("metadata.")] = {key: None}
    lists: dict[str, dict[str, dict[str, Any]]] = {}
    for found in ours:
        items = lists.setdefault("initContainers" if found.init else "containers", {})
        items.setdefault(found.container, {"name": found.container})[found.key] = found.written.was
    if lists:
        template["spec"] = {kind: list(items.values()) for kind, items in lists.items()}
    return {"metadata": metadata} | ({"spec": {"template": template}} if template else {})


def _kept(deployment: Deployment, found: _Field, tz: tzinfo) -> str:
    what = f"{found.key} {_shown(found.live)}" if found.key != "image" else _shown(found.live)
    phrase = f"kept {what or 'unset'} in container {found.container}"
    writer = field_writer(deployment, found.container, found.init, found.key)
    if writer is None:
        return f"{phrase}, set by somebody else"
    return f"{phrase}, set by {writer.name}" + (f" at {_clock(writer.time, tz)}" if writer.time else "")


def _clock(time: float, tz: tzinfo) -> str:
    return datetime.fromtimestamp(time, tz).strftime("%H:%M") + (" UTC" if tz is UTC else "")


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
