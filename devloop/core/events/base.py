"""What all events are."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    event: ClassVar[str]
    lossy: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ServiceEvent(Event):
    """An event of one service."""

    service: str
    """Name of the service."""


@dataclass(frozen=True, slots=True)
class CycleEvent(ServiceEvent):
    """An event of one cycle."""

    cycle: int
    """Which cycle of the service; they count from 1."""
