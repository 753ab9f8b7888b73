"""A devloop each of whose `verified` is compared with what registry and Pods of that service say right after."""

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.e2e.harness import Event
from tests.faults.session import Claim, Watched
from tests.faults.soak.ask import UNASKED, Ask


@dataclass
class Soaked(Watched):
    """Its events are taken in as they come, and its claims are asked for again when a fault was in the way."""

    ask: Ask | None = None
    seen: int = 0
    starts: dict[str, list[float]] = field(default_factory=dict)
    """When cycles of each service started."""

    def news(self) -> list[Event]:
        """What was said since the last call."""
        self.drain()
        new, self.seen = self.events[self.seen :], len(self.events)
        for event in new:
            if event["event"] == "cycle_started":
                self.starts.setdefault(event["service"], []).append(self.seconds_of(event))
        return new

    def checked(self, event: Event) -> Claim:
        assert self.ask
        try:
            found = self.ask.digests(event["service"])
        except UNASKED:
            return Claim(event, time.time(), None)
        return Claim(event, time.time(), found)

    def ask_again(self) -> None:
        """Those that could not be asked for, while nothing is saved."""
        for index, claim in enumerate(self.claims):
            if claim.digests is None:
                self.claims[index] = self.checked(claim.event)

    def verdicts(self) -> Counter[str]:
        """`true`, `false`, `overtaken` by the next cycle before it could be asked for, `unasked`."""
        return Counter(self._verdict(claim) for claim in self.claims)

    def untrue(self) -> list[Claim]:
        return [claim for claim in self.claims if self._verdict(claim) == "false"]

    def _verdict(self, claim: Claim) -> str:
        if claim.digests is None:
            return "unasked"
        if claim.digests == frozenset({claim.event["digest"]}):
            return "true"
        later = self.starts.get(claim.event["service"], [])
        began = self.seconds_of(claim.event)
        return "overtaken" if any(began <= each <= claim.asked for each in later) else "false"
