"""The annotations that devloop writes on a workload, in words: what they say to a person who never reads their JSON."""

from devloop.core.image import short
from devloop.core.original import Original
from devloop.core.patch import BuildMark
from devloop.core.workload import BUILD, ORIGINAL
from devloop.views.times import moment


def mark_words(path: str, value: str, now: float) -> str:
    """What a field holds; of every other field, and of an annotation that is not devloop's, its value as it is."""
    if path.endswith(f"[{BUILD}]") and (mark := BuildMark.decode(value)) is not None:
        into = f", loaded into {mark.loaded_into}" if mark.loaded_into else ""
        return f"{short(mark.digest)}, pushed {moment(mark.pushed_at, now)} by session {mark.session}{into}"
    if path.endswith(f"[{ORIGINAL}]") and value:
        return _original(Original.decode(value))
    return value


def _original(original: Original) -> str:
    """`web: image host/web:v1 → host/web:dev, imagePullPolicy IfNotPresent → Always`."""
    told = {
        name: ", ".join(
            f"{key} {written.was or 'unset'} → {written.wrote or 'unset'}" for key, written in fields.items()
        )
        for name, fields in original.containers.items()
    }
    return "; ".join(f"{name}: {fields}" for name, fields in told.items()) or "that nothing differed"
