"""Plays the soak: saves at random, breaks something now and then, and looks at everything when it is over."""

import json
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.harness import DEVLOOP, PATIENCE, Event
from tests.faults.census import take
from tests.faults.soak.ask import UNASKED, Ask
from tests.faults.soak.claims import Soaked
from tests.faults.soak.report import Findings
from tests.faults.soak.sources import Source
from tests.faults.soak.troubles import Reach, deck, trouble

BACK = 150.0
"""Seconds until what was saved last has to run after a fault: also a broken API server is back by then."""
_TICK = 0.03


@dataclass
class Play:
    """One session, what is done to it, and what was found."""

    devloop: Soaked
    tasks: Path
    ask: Ask
    reach: Reach
    found: Findings
    folder: Path
    """Of what is written down."""
    env: dict[str, str] = field(default_factory=dict)
    running: dict[str, bool] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    """The outcome of each service's last cycle."""

    def whole(self, cycles: int) -> None:
        """Until so many cycles have ended."""
        chance = random.Random(f"{self.found.seed} faults")
        self.settle("start")
        self.count()
        kinds = deck(chance)
        while self.found.finished < cycles:
            self.cycles(chance.randint(4, 9))
            self.hurt(next(kinds), chance)
            self.count()

    def cycles(self, count: int) -> None:
        """So many more, and nothing is broken."""
        goal = self.found.finished + count
        self.work(lambda: self.found.finished >= goal)

    def hurt(self, kind: str, chance: random.Random) -> None:
        """One fault, saves in the midst of it, and the look at everything when it is over."""
        fault = trouble(self.reach, kind, chance)
        began = time.monotonic()
        fault.begin()
        over = time.monotonic() + fault.seconds
        try:
            self.work(lambda: time.monotonic() >= over)
        finally:
            fault.end()
        mended = time.monotonic()
        if fault.asks:
            self.trigger(fault.asks)
        self.found.faults[kind] += 1
        self.settle(kind)
        times = {"lasted": round(mended - began, 2), "right_after": round(time.monotonic() - mended, 2)}
        self.write("faults", {"kind": kind, "cycles": self.found.finished, "service": fault.asks, **times})

    def work(self, enough: Callable[[], bool]) -> None:
        """Save at random until it is enough."""
        while not enough():
            self.listen()
            for source in self.reach.sources:
                if time.monotonic() >= source.due:
                    source.save()
            time.sleep(_TICK)

    def settle(self, after: str) -> None:
        """Nobody saves: in the end every Pod serves what was saved last."""
        deadline = time.monotonic() + BACK
        left = list(self.reach.sources)
        while left and time.monotonic() < deadline:
            self.listen()
            left = [source for source in left if not self.right(source)]
            time.sleep(_TICK * 3)
        self.devloop.ask_again()
        for source in left:
            self.found.lost.append({"service": source.name, "after": after, "last": source.last, **self.state(source)})
            self.write("lost", self.found.lost[-1])
            print(f"LOST {self.found.lost[-1]}", flush=True)

    def right(self, source: Source) -> bool:
        """Its last cycle ended well, and every Pod serves what was saved last, from what the registry has."""
        if self.running.get(source.name) or self.ends.get(source.name) not in {"verified", "unchanged"}:
            return False
        try:
            return self.ask.served(source.name) == [source.last] * source.replicas and (
                len(self.ask.digests(source.name)) == 1
            )
        except UNASKED:
            return False

    def state(self, source: Source) -> dict[str, Any]:
        try:
            served = self.ask.served(source.name)
        except UNASKED as failure:
            served = [str(failure)]
        return {"served": served, "outcome": self.ends.get(source.name), "running": self.running.get(source.name)}

    def listen(self) -> None:
        assert self.devloop.process.poll() is None, "\n".join(self.devloop.errors)
        for event in self.devloop.news():
            self._heard(event)

    def trigger(self, service: str) -> None:
        command = [*DEVLOOP, "trigger", service]
        subprocess.run(
            command, cwd=self.reach.shop.folder, env=self.env, check=True, capture_output=True, timeout=PATIENCE
        )
        self.found.commands += 1
        self.ends[service] = "asked"

    def count(self) -> None:
        self.found.saves = sum(source.saves for source in self.reach.sources)
        census = take(self.devloop.process.pid, self.tasks)
        self.found.censuses.append((self.found.finished, census))
        self.write("census", {"cycles": self.found.finished, "at": round(time.time(), 1), **asdict(census)})
        print(f"{self.found.finished} cycles, {census.memory // 1024} MiB, {census.tasks} tasks", flush=True)

    def write(self, what: str, line: dict[str, Any]) -> None:
        with (self.folder / f"{what}.ndjson").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _heard(self, event: Event) -> None:
        name = event.get("service", "")
        if event["event"] == "cycle_started":
            self.running[name] = True
        if event["event"] == "cycle_finished":
            self.running[name] = False
            self.ends[name] = event["outcome"]
            self.found.cycles[event["outcome"]] += 1
            self.found.builders[event["builder"]] += bool(event["builder"])
            if event["failure"]:
                self.found.failures[event["failure"]["code"]] += 1
            if event["outcome"] != "superseded":
                next(source for source in self.reach.sources if source.name == name).ended()
