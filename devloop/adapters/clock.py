"""The wall clock, and what other clocks tell."""

import time
from email.utils import parsedate_to_datetime

from devloop.core.judgements import Reading

_WHOLE_SECONDS = 1.0


class SystemClock:
    """Unix seconds as the operating system tells them."""

    def now(self) -> float:
        return time.time()


def http_reading(sent: float, received: float, date: str) -> Reading | None:
    """What the `Date` of an answer tells of its sender's clock; None when there is no such header."""
    try:
        told = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    return Reading(sent, received, told, _WHOLE_SECONDS)
