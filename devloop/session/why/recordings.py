"""What the last recorded session with an image pushed under it; recordings hold every event of a session."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devloop.adapters.statefolder import default_root
from devloop.core.events import CycleFinished, CycleStarted, ImagePushed, Record
from devloop.core.why.facts import Push
from devloop.headless.ndjson import decode

_KINDS = tuple(f'"event":"{cls.event}"' for cls in (CycleStarted, ImagePushed, CycleFinished))
"""As `encode` writes it: a recording is mostly log lines, which need not be read as JSON."""
_SESSIONS = 5
"""How many recordings are looked through, the newest first."""


def pushes_of(pod_ref: str, root: Path | None = None) -> tuple[Push, ...]:
    """Oldest first; empty when no recording of late has that image. Blocks."""
    folder = (root or default_root()) / "sessions"
    try:
        recordings = sorted(folder.glob("*.ndjson"), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return ()
    found = (tuple(_pushes(_records(path), pod_ref)) for path in recordings[:_SESSIONS])
    return next((pushes for pushes in found if pushes), ())


@dataclass(slots=True)
class _Cycle:
    begun: float
    pushed: tuple[str, float] | None = None
    digests: frozenset[str] = frozenset()


def _pushes(records: Iterable[Record], pod_ref: str) -> Iterator[Push]:
    running: dict[tuple[str, int], _Cycle] = {}
    for record in records:
        match record.event:
            case CycleStarted(service=service, cycle=number):
                running[service, number] = _Cycle(record.time)
            case ImagePushed(service=service, cycle=number, digest=digest) as pushed if pushed.pod_ref == pod_ref:
                cycle = running.setdefault((service, number), _Cycle(record.time))
                cycle.pushed, cycle.digests = (digest, record.time), frozenset(pushed.digests)
            case CycleFinished(service=service, cycle=number, outcome=outcome):
                ended = running.pop((service, number), None)
                if ended is not None and ended.pushed is not None:
                    yield Push(*ended.pushed, ended.begun, outcome, ended.digests)
    left = (cycle for cycle in running.values() if cycle.pushed is not None)
    yield from (Push(*(cycle.pushed or ("", 0.0)), cycle.begun, "", cycle.digests) for cycle in left)


def _records(path: Path) -> Iterator[Record]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                record = _record(line) if any(kind in line for kind in _KINDS) else None
                if record is not None:
                    yield record
    except OSError:
        return


def _record(line: str) -> Record | None:
    try:
        return decode(line)
    except ValueError:  # cut off: the session was killed
        return None
