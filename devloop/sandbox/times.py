"""Time as Kubernetes writes it."""

import time
from datetime import UTC, datetime


def now() -> str:
    """Whole seconds, as most of the API has them."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_micro() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str | None) -> float:
    """Unix seconds; 0.0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def after(delay: float) -> str:
    """The moment so many seconds from now."""
    return datetime.fromtimestamp(time.time() + delay, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(text: str | None) -> str:
    """How long ago, as kubectl's tables say it."""
    if not text:
        return "<unknown>"
    past = max(0, int(time.time() - seconds(text)))
    minutes, hours, days = past // 60, past // 3600, past // 86400
    if past < 120:
        return f"{past}s"
    if minutes < 10:
        return f"{minutes}m{past % 60}s" if past % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    return f"{days}d{hours % 24}h" if days < 8 and hours % 24 else f"{days}d"
