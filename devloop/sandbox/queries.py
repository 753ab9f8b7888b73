"""Values in the query of a request."""

import re
from collections.abc import Mapping
from datetime import datetime

from devloop.sandbox.errors import Cause, bad_request, invalid

Query = Mapping[str, str]

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_LARGEST = 2**63
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def number(query: Query, name: str) -> int | None:
    """None where there is none; raises what the API server answers to what is no number."""
    text = query.get(name)
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not -_LARGEST <= int(text) < _LARGEST:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def log_number(query: Query, name: str, pod: str, least: int) -> int | None:
    """One of the options of a log, which has to be that much at least."""
    found = number(query, name)
    if found is not None and found < least:
        than = "greater than or equal to 0" if least == 0 else "greater than 0"
        raise invalid(pod, "", "PodLogOptions", [Cause(name, f"Invalid value: {found}: must be {than}")])
    return found


def moment(query: Query, name: str) -> str:
    """RFC 3339; empty where there is none."""
    text = query.get(name, "")
    if text and not _is_moment(text):
        layout = "2006-01-02T15:04:05Z07:00"
        raise bad_request(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"')
    return text


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return bool(_RFC_3339.fullmatch(text))
