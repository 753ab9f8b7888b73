"""Any event, for Hypothesis: made from the type hints of the event classes, so that a new field is tested unasked."""

import dataclasses
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from devloop.core.events import EVENT_TYPES, Event, Record

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
"""Any characters, line ends and separators too; surrogates, which UTF-8 cannot say, are a test of their own."""
TIMES = st.integers(0, 4_102_444_800_000).map(lambda milliseconds: milliseconds / 1000)
"""Until the year 2100."""


def of_hint(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    if isinstance(hint, UnionType):
        return st.one_of([of_hint(arg) for arg in get_args(hint)])
    if get_origin(hint) is tuple:
        return st.lists(of_hint(get_args(hint)[0]), max_size=3).map(tuple)
    if dataclasses.is_dataclass(hint):
        return of_class(hint)  # type: ignore[arg-type]
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return {str: TEXT, int: st.integers(), float: FINITE, bool: st.booleans(), NoneType: st.none()}[hint]


def of_class(cls: type) -> st.SearchStrategy[Any]:
    """Any instance of a dataclass."""
    hints = get_type_hints(cls)
    return st.builds(cls, **{field.name: of_hint(hints[field.name]) for field in dataclasses.fields(cls)})


def records(cls: type[Event]) -> st.SearchStrategy[Record]:
    return st.builds(Record, TIMES, of_class(cls))


def any_record() -> st.SearchStrategy[Record]:
    return st.one_of([records(cls) for cls in EVENT_TYPES])
