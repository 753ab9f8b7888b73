"""The JSON form of the event log: one object a line, specified in `docs/events.md`.

`encode` and `decode` are inverse for every event. A reader ignores events and fields that it does not know, so a
recording of a later version still folds; a field that is missing takes its default. The dataclasses of
`devloop.core.events` are the schema: a few lines here instead of a validation library keep the first line fast.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from devloop.core.events import EVENT_TYPES, Event, Record

_TYPES = {cls.event: cls for cls in EVENT_TYPES}
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encode(record: Record) -> str:
    """One line of NDJSON, without its line end."""
    event = record.event
    fields = {"time": _rfc3339(record.time), "event": event.event, **_to_json(event)}
    return _ENCODER.encode(fields)


def decode(line: str) -> Record | None:
    """The record of one line; None for an event that this version does not know.

    Raises `ValueError` when the line is no event of the contract.
    """
    fields = json.loads(line)
    if not isinstance(fields, dict) or not isinstance(fields.get("event"), str):
        raise ValueError("a line of a recording has to be a JSON object with `event`")
    cls = _TYPES.get(fields["event"])
    if cls is None:
        return None
    try:
        return Record(_unix(fields["time"]), _from_json(cls, fields))
    except (KeyError, TypeError) as error:
        raise ValueError(f"`{fields['event']}` lacks or mistypes a field: {error}") from error


def decode_all(lines: Iterable[str]) -> Iterator[Record]:
    """The records of a recording, unknown events left out."""
    return (record for line in lines if line.strip() and (record := decode(line)) is not None)


@lru_cache(maxsize=8)  # lines come many at a time
def _rfc3339(time: float) -> str:
    stamp = datetime.fromtimestamp(round(time * 1000) / 1000, UTC)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unix(text: str) -> float:
    return round(datetime.fromisoformat(text).timestamp(), 3)


def _to_json(value: Any) -> Any:
    if isinstance(value, str):
        if isinstance(value, Enum):
            return value.value
        # A name that is no UTF-8 carries surrogates, which no JSON reader takes.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: _to_json(getattr(value, name)) for name, key, _ in _fields(type(value))}
    return value


def _from_json(cls: type, fields: dict[str, Any]) -> Any:
    return cls(**{name: read(fields[key]) for name, key, read in _fields(cls) if key in fields})


@cache
def _fields(cls: type) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    """Name, JSON key and reader of each field."""
    hints = get_type_hints(cls)
    return tuple((f.name, f.metadata.get("wire", f.name), _reader(hints[f.name])) for f in dataclasses.fields(cls))


def _reader(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, UnionType):
        read = _reader(next(arg for arg in get_args(hint) if arg is not NoneType))
        return lambda value: None if value is None else read(value)
    if get_origin(hint) is tuple:
        read = _reader(get_args(hint)[0])
        return lambda value: tuple(read(item) for item in value)
    if dataclasses.is_dataclass(hint):
        return lambda value: _from_json(hint, value)  # type: ignore[arg-type]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return lambda value: value


def event_of(name: str) -> type[Event]:
    """The class of an event's name; raises `KeyError`."""
    return _TYPES[name]
