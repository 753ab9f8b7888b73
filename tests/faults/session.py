"""A session in trouble: a real `devloop up` each of whose claims is checked, and whose process is counted.

    with stage.session() as session:      # "one" is verified, and the census is taken
        stage.registry.answer(500)
        session.save("two")
        session.told("registry_unreachable", "answers 500")
        stage.registry.mend()
        session.ends_with("two")          # nobody saves again
                                          # the process holds no more than before, and ends as it should

Whenever devloop says `verified`, the harness itself asks the registry and every Pod for their digests.
"""

import contextlib
import json
import os
import subprocess
import time
import urllib.error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.harness import DEVLOOP, PATIENCE, Devloop, Event, registry_digest
from tests.e2e.scene import SERVE, Scene
from tests.e2e.talk import digests, until_appendable, words
from tests.faults.census import Census, settled, take

INSIDE = Path(__file__).parent / "inside"
BACK = 100.0
"""Seconds until devloop has noticed that a part is back, and has done what waited for it."""


@dataclass(frozen=True)
class Claim:
    """That something is verified, and what registry and Pods answered when they were asked right after."""

    event: Event
    asked: float
    digests: frozenset[str] | None
    """Of the tag and of every Pod; None while one of them could not be asked."""


@dataclass
class Watched(Devloop):
    """A devloop each of whose claims is checked before anybody else hears of it."""

    scene: Scene | None = None
    claims: list[Claim] = field(default_factory=list)

    def _read_stdout(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if '"outcome":"verified"' in line:
                self.claims.append(self.checked(json.loads(line)))
            self._lines.put(line)
        self._lines.put(None)

    def checked(self, event: Event) -> Claim:
        assert self.scene
        try:
            found = frozenset({registry_digest(f"{self.scene.image}:dev"), *digests(self.scene)})
        except (AssertionError, OSError, urllib.error.URLError, subprocess.TimeoutExpired):
            return Claim(event, time.time(), None)
        return Claim(event, time.time(), found)

    def said(self) -> str:
        """Without what is there in every session."""
        dull = {"build_step", "check_finished", "watch_started"}
        return "\n".join([*(json.dumps(each) for each in self.events if each["event"] not in dull), *self.errors])

    def untrue(self) -> list[Claim]:
        """Claims that registry or Pods contradict; what a later cycle did meanwhile contradicts nothing."""
        later = [self.seconds_of(each) for each in self.of("cycle_started")]
        claims = [claim if claim.digests else self.checked(claim.event) for claim in self.claims]
        return [
            claim
            for claim in claims
            if claim.digests != frozenset({claim.event["digest"]})
            and not any(self.seconds_of(claim.event) <= each <= claim.asked for each in later)
        ]


@dataclass
class FaultSession:
    """What a scenario does, and what it may expect."""

    scene: Scene
    devloop: Watched
    tasks: Path
    env: Mapping[str, str]
    before: Census | None = None

    def save(self, word: str, before: str = "") -> None:
        """Save a program that says this word; `before`: shell lines that come first."""
        (self.scene.folder / "web" / "run.sh").write_text(f"{before}\necho {word}\n{SERVE}\n")

    def until(self, event: str, patience: float = BACK, **fields: Any) -> Event:
        return self.devloop.wait_for(event, patience, **fields)

    def told(self, code: str, *parts: str, patience: float = BACK) -> str:
        """The user is told a failure or a warning of this code; its sentence and hint contain these parts."""
        deadline = time.monotonic() + patience
        while not (found := self._sentences(code)):
            assert time.monotonic() < deadline, f"nothing told of {code}:\n{self.devloop.said()}"
            assert self.devloop.process.poll() is None, self.devloop.said()
            self.devloop.drain()
            time.sleep(0.05)
        missing = [part for part in parts if not any(part in sentence for sentence in found)]
        assert not missing, f"{missing} is in none of {found}"
        return found[-1]

    def lost(self, to: str, *parts: str) -> None:
        """The user is told that a part is away."""
        text = self.until("connection_changed", to=to, ok=False)["text"]
        assert all(part in text for part in parts), text

    def back(self, to: str) -> None:
        self.devloop.ever("connection_changed", BACK, to=to, ok=True)

    def verified(self, **fields: Any) -> Event:
        return self.until("cycle_finished", outcome="verified", **fields)

    def ends_with(self, *expected: str, count: int = 1) -> None:
        """What was saved last runs in the end in every Pod, and nobody saved again."""
        deadline = time.monotonic() + BACK
        while not self._runs(expected, count):
            assert time.monotonic() < deadline, f"not {expected}:\n{self.devloop.said()}"
            assert self.devloop.process.poll() is None, self.devloop.said()
            self.devloop.drain()
            time.sleep(0.2)

    def trigger(self) -> None:
        """What somebody does who has mended the cause: no save, one command."""
        command = [*DEVLOOP, "trigger", "web"]
        env = {**os.environ, **self.env}  # another folder for temporary files would be another place to meet
        subprocess.run(command, cwd=self.scene.folder, env=env, check=True, capture_output=True, timeout=PATIENCE)

    def count(self) -> Census:
        return take(self.devloop.process.pid, self.tasks)

    def gives_back(self) -> None:
        """Nothing is held that was not held before the fault."""
        assert self.before
        now = settled(self.devloop.process.pid, self.tasks, self.before)
        assert not now.beyond(self.before), (now.beyond(self.before), now.names, self.before.names)

    def _runs(self, expected: tuple[str, ...], count: int) -> bool:
        finished = self.devloop.of("cycle_finished")
        if not finished or finished[-1]["outcome"] not in {"verified", "unchanged"}:
            return False
        if len(self.devloop.of("cycle_started")) > len(finished):
            return False
        try:
            said = words(self.scene)
            return said == list(expected) * count and set(digests(self.scene)) == {finished[-1]["digest"]}
        except AssertionError:  # a Pod that is gone by now
            return False

    def _sentences(self, code: str) -> list[str]:
        failures = [e["failure"] for e in self.devloop.of("cycle_finished") if e.get("failure")]
        warnings = self.devloop.of("warning_raised")
        return [f"{each['message']} -> {each['hint']}" for each in (*failures, *warnings) if each["code"] == code]


def start(scene: Scene, env: Mapping[str, str], *args: str) -> FaultSession:
    """A session of the scene, nothing awaited yet."""
    process, tasks = launch(scene.folder, env, *args)
    return FaultSession(scene, Watched(process, scene=scene), tasks, env)


def launch(folder: Path, env: Mapping[str, str], *args: str) -> tuple["subprocess.Popen[str]", Path]:
    """The process of a session in a folder, and the file that it writes its tasks to when it is asked."""
    tasks = folder / "tasks"
    path = os.pathsep.join(filter(None, (str(INSIDE), os.environ.get("PYTHONPATH"))))
    told = {"DEVLOOP_FAULTS_TASKS": str(tasks), "DEVLOOP_FAULTS_JUMP": "-7200", "PYTHONPATH": path, **env}
    return Devloop.process_of(folder, "--output", "json", *args, env=told), tasks


@contextlib.contextmanager
def session(
    scene: Scene, env: Mapping[str, str], *args: str, pushed: str = "", code: int | None = 130
) -> Iterator[FaultSession]:
    """A session that has verified "one"; at the end it is counted, interrupted, and its claims are looked at.

    `pushed`: the name that it pushes under, if a save becomes a layer: then the first one is waited for.
    `code`: that it ends with; None where the scenario ends it, or has something else to say about it.
    """
    found = start(scene, env, *args)
    with found.devloop:
        found.verified()
        if pushed:
            until_appendable(scene, pushed)
        found.before = found.count()
        yield found
        if code is not None:
            found.gives_back()
            assert found.devloop.stop() == code, found.devloop.said()
        assert not found.devloop.untrue(), found.devloop.said()
        assert "Traceback" not in "\n".join(found.devloop.errors), found.devloop.said()
