"""Moments as people tell them: the time of day, with the day where it is another one. This machine's time zone."""

from datetime import datetime


def clock(time: float) -> str:
    """`14:02:11`; empty for no moment."""
    return _local(time).strftime("%H:%M:%S") if time else ""


def moment(time: float, now: float) -> str:
    """`14:02:11`; `Tue 14:02` where that was on another day, `3 Mar 14:02` where it was more than six days ago."""
    if not time:
        return ""
    then, today = _local(time), _local(now).date()
    if then.date() == today:
        return then.strftime("%H:%M:%S")
    days = abs((today - then.date()).days)
    return f"{then.day} {then.strftime('%b %H:%M')}" if days > 6 else then.strftime("%a %H:%M")


def minute(time: float, now: float) -> str:
    """`14:02`, where the seconds tell nothing more: a moment that is long past by then."""
    told = moment(time, now)
    return told.rpartition(":")[0] if told.count(":") == 2 and now - time >= 120 else told


def span(seconds: float) -> str:
    """How old something is: `12s`, `5m`, `3h`, `2d`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def _local(time: float) -> datetime:
    return datetime.fromtimestamp(time).astimezone()
