"""Everything that happens in a session, as immutable facts in the past tense.

This is the vocabulary of the event log: the conductor decides from it, both renderers show it, and a recorded session
is nothing else. The JSON form of each class (one object a line, specified in `docs/events.md`) is its `event` name,
the time of its `Record`, and its fields; a field's `wire` metadata gives the JSON key where Python reserves the word.

`Log` and `BuildStep` are *lossy*: under pressure they may be dropped, and they never change the state.

The docstrings of classes, fields and words are their documentation, in the words of a reader of the JSON:
`make reference` writes them into `docs/events.md`.
"""

from dataclasses import dataclass

from devloop.core.events.base import CycleEvent as CycleEvent
from devloop.core.events.base import Event as Event
from devloop.core.events.base import ServiceEvent as ServiceEvent
from devloop.core.events.cycle import HOW as HOW
from devloop.core.events.cycle import BuildStep as BuildStep
from devloop.core.events.cycle import CycleFinished as CycleFinished
from devloop.core.events.cycle import CycleStarted as CycleStarted
from devloop.core.events.cycle import ImagePushed as ImagePushed
from devloop.core.events.cycle import PhaseFinished as PhaseFinished
from devloop.core.events.cycle import PhaseStarted as PhaseStarted
from devloop.core.events.cycle import PodVerified as PodVerified
from devloop.core.events.cycle import WorkloadPatched as WorkloadPatched
from devloop.core.events.service import MAX_FILES as MAX_FILES
from devloop.core.events.service import ChangeDetected as ChangeDetected
from devloop.core.events.service import CycleHeld as CycleHeld
from devloop.core.events.service import CycleRequested as CycleRequested
from devloop.core.events.service import Log as Log
from devloop.core.events.service import ServiceAdded as ServiceAdded
from devloop.core.events.service import ServiceChanged as ServiceChanged
from devloop.core.events.service import ServicePaused as ServicePaused
from devloop.core.events.service import ServiceRemoved as ServiceRemoved
from devloop.core.events.service import WarningRaised as WarningRaised
from devloop.core.events.service import WatchStarted as WatchStarted
from devloop.core.events.service import WorkloadDrifted as WorkloadDrifted
from devloop.core.events.service import WorkloadObserved as WorkloadObserved
from devloop.core.events.session import CheckFinished as CheckFinished
from devloop.core.events.session import ConfigAccepted as ConfigAccepted
from devloop.core.events.session import ConfigRefused as ConfigRefused
from devloop.core.events.session import ConnectionChanged as ConnectionChanged
from devloop.core.events.session import LeaseChanged as LeaseChanged
from devloop.core.events.session import SessionFinished as SessionFinished
from devloop.core.events.session import SessionStarted as SessionStarted
from devloop.core.events.words import DELIVERY as DELIVERY
from devloop.core.events.words import Change as Change
from devloop.core.events.words import Hold as Hold
from devloop.core.events.words import HoldCode as HoldCode
from devloop.core.events.words import LeaseChange as LeaseChange
from devloop.core.events.words import LogSource as LogSource
from devloop.core.events.words import Outcome as Outcome
from devloop.core.events.words import Phase as Phase
from devloop.core.events.words import PodRow as PodRow
from devloop.core.events.words import StepState as StepState
from devloop.core.events.words import Trigger as Trigger
from devloop.core.events.words import Verdict as Verdict
from devloop.core.events.words import WarningCode as WarningCode

PROTOCOL = 1
"""Version of the NDJSON contract; grows only when a reader that ignores what it does not know would break."""


@dataclass(frozen=True, slots=True)
class Record:
    """An event and when it was logged."""

    time: float
    """Unix time in seconds, whole milliseconds."""
    event: Event


EVENT_TYPES: tuple[type[Event], ...] = (
    SessionStarted,
    CheckFinished,
    WatchStarted,
    ChangeDetected,
    CycleRequested,
    ServicePaused,
    ServiceAdded,
    ServiceChanged,
    ServiceRemoved,
    ConfigAccepted,
    ConfigRefused,
    CycleHeld,
    CycleStarted,
    PhaseStarted,
    PhaseFinished,
    BuildStep,
    Log,
    ImagePushed,
    WorkloadPatched,
    WorkloadObserved,
    PodVerified,
    WarningRaised,
    WorkloadDrifted,
    ConnectionChanged,
    LeaseChanged,
    CycleFinished,
    SessionFinished,
)
