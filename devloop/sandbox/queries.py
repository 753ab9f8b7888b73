"""Values in the query of a request."""

from collections.abc import Mapping
from datetime import datetime

from devloop.sandbox.errors import Cause, bad_request, invalid

Query = Mapping[str, str]


def number(query: Query, name: str) -> int | None:
    """None where there is none; raises what the API server answers to what is no number."""
    text = query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


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
    try:
        datetime.fromisoformat(text or "2006-01-02")
    except ValueError:
        layout = "2006-01-02T15:04:05Z07:00"
        raise bad_request(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"') from None
    return text
