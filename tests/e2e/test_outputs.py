"""What comes out of a session, and readers that are gone, slow, or a person on a terminal."""

import contextlib
import json
import os
import pty
import re
import select
import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devloop.core.reducer import fold
from devloop.core.state import SessionState
from devloop.engine.eventlog import MAX_WAITING
from devloop.headless.ndjson import decode_all
from tests.e2e import harness
from tests.e2e.harness import PATIENCE, Devloop, registry_digest, run
from tests.e2e.proxies import only_context, write_kubeconfig
from tests.e2e.scene import SERVE, Scene
from tests.e2e.talk import digests, heard, speak

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]

FLOOD = "(while :; do seq 1 2000; sleep 0.1; done) &"
"""Shell that says some ten thousand lines each second: numbers."""
FLOODING = 3 * PATIENCE
"""Seconds: beside other tests such lines come at a fraction of that."""


def recordings() -> list[Path]:
    """The oldest first."""
    found = Path(os.environ["DEVLOOP_STATE_DIR"], "sessions").glob("*.ndjson")
    return sorted(found, key=lambda path: path.stat().st_mtime)


def state(events: Iterable[Mapping[str, Any]]) -> SessionState:
    """What events add up to; logs and progress never change it."""
    return fold(decode_all(json.dumps(e) for e in events if e["event"] not in {"log", "build_step"}))


class Recording:
    """What the newest session has recorded so far; the lines of a flood are only counted."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.flood = 0
        self._position = 0

    def has(self, event: str, **fields: Any) -> bool:
        return any(e["event"] == event and e.items() >= fields.items() for e in self.look())

    def look(self) -> list[dict[str, Any]]:
        for path in recordings()[-1:]:
            with path.open("rb") as file:
                file.seek(self._position)
                whole, _, _ = file.read().rpartition(b"\n")
            self._position += len(whole) + bool(whole)
            for event in map(json.loads, whole.splitlines()):
                if event["event"] == "log" and event["text"].isdigit():
                    self.flood += 1
                else:
                    self.events.append(event)
        return self.events

    def flooded(self) -> bool:
        """Whether more came than waits for a reader that takes nothing."""
        self.look()
        return self.flood > 3 * MAX_WAITING


def scaled_to_zero(scene: Scene) -> None:
    """A workload whose cycles end without a rollout to wait for."""
    speak(scene, "one")
    scene.deploy()
    scene.kubectl("-n", scene.namespace, "scale", "deployment/web", "--replicas=0")


def unbalanced(events: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, int]]:
    """Cycles and phases that started as often as they did not end."""
    balance: Counter[tuple[str, int]] = Counter()
    for event in events:
        name, _, what = event["event"].rpartition("_")
        if what in {"started", "finished"} and "cycle" in event:
            balance[f"{name} {event.get('phase', '')}", event["cycle"]] += 1 if what == "started" else -1
    return +balance + -balance


class Terminal:
    """A `devloop` process on a terminal of its own."""

    def __init__(self, cwd: Path, *args: str, env: Mapping[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        own = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        environment = {**own, "TERM": "xterm-256color", **(env or {})}
        self.process = subprocess.Popen(
            [*harness.HERE.devloop, *args],
            cwd=cwd,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def read_until(self, pattern: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            assert self._read(deadline), f"no {pattern!r} in:\n{self.text}"

    def finish(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        data = b""
        if ready:
            with contextlib.suppress(OSError):  # Linux says EIO when the last writer is gone
                data = os.read(self._master, 65_536)
        self.text += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def stalled(scene: Scene) -> Iterator["subprocess.Popen[bytes]"]:
    """A session with Pod logs whose reader has read nothing yet."""
    speak(scene, "one", before=FLOOD)
    scene.deploy()
    scene.configure()
    process = subprocess.Popen(
        [*harness.HERE.devloop, "up", "-o", "json", "--logs"], cwd=scene.folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Look again and again until it holds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


@pytest.mark.e2e  # a flood of logs is more than a sandbox is for
@pytest.mark.timeout(360)
def test_a_reader_that_stops_reading_holds_up_nothing_and_misses_no_event(
    scene: Scene, stalled: "subprocess.Popen[bytes]"
) -> None:
    """The pipe is full within seconds; the loop goes on in the cluster, and what the reader gets later is complete."""
    recording = Recording()
    until(lambda: recording.has("cycle_finished", outcome="verified", cycle=1))
    until(recording.flooded, FLOODING)
    before = registry_digest(f"{scene.image}:dev")
    scene.program(f"echo two\n{FLOOD}\n{SERVE}")
    until(lambda: recording.has("cycle_finished", outcome="verified", cycle=2))
    after = registry_digest(f"{scene.image}:dev")
    assert after != before
    assert digests(scene) == [after]
    stalled.send_signal(2)
    assert stalled.stdout
    events = [json.loads(line) for line in stalled.stdout]
    assert stalled.wait(PATIENCE) == 130
    assert [e["outcome"] for e in events if e["event"] == "cycle_finished"] == ["verified", "verified"]
    assert not unbalanced(events)
    assert events[-1]["event"] == "session_finished"
    assert sum(e["dropped"] for e in events if e["event"] == "log") > 0
    assert state(recording.look()) == state(events)


@pytest.mark.e2e  # a flood of logs is more than a sandbox is for
@pytest.mark.timeout(360)
@pytest.mark.parametrize("output", ["plain", "json"])
def test_a_session_ends_although_its_reader_has_stopped_reading(scene: Scene, output: str) -> None:
    """The words that nobody takes are given up after a while; with a second Ctrl-C, at once."""
    speak(scene, "one", before=FLOOD)
    scene.deploy()
    scene.configure()
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [*harness.HERE.devloop, "up", "-o", output, "--logs"], cwd=scene.folder, stdin=subprocess.DEVNULL,
        stdout=writer, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writer)
    try:
        recording = Recording()
        until(lambda: recording.has("cycle_finished", outcome="verified"))
        until(recording.flooded, FLOODING)
        process.send_signal(2)
        if output == "json":
            until(lambda: recording.has("session_finished"))
            process.send_signal(2)
        _, words = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(reader)
    assert process.returncode == 130, words
    assert "Traceback" not in words
    if output == "plain":
        assert "left deployment/web on " in words, "stdout is stuck, so it is told on stderr"


@pytest.mark.parametrize("output", ["plain", "json"])
def test_a_reader_that_is_gone_ends_the_session_after_its_cycle(scene: Scene, output: str) -> None:
    speak(scene, "one", before="sleep 2")
    scene.deploy()
    scene.configure()
    session = shlex.join([*harness.HERE.devloop, "up", "-o", output])
    line = f"set -o pipefail; {session} | grep -m1 -E 'cycle 1|cycle_started'"
    done = subprocess.run(
        ["bash", "-c", line], cwd=scene.folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert heard(scene) == ["one"]
    assert "web: verified" in done.stderr, "nobody reads stdout, so the last words are told here"


def test_stdout_that_nobody_ever_read_ends_the_session_with_0(scene: Scene) -> None:
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    line = f"set -o pipefail; {shlex.join([*harness.HERE.devloop, 'up'])} | true"
    done = subprocess.run(
        ["bash", "-c", line], cwd=scene.folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not re.search("Traceback|BrokenPipe|mistake", done.stderr)


def test_a_session_is_recorded_and_folds_to_the_same_state(scene: Scene) -> None:
    folder = Path(os.environ["DEVLOOP_STATE_DIR"], "sessions")
    folder.mkdir(parents=True)
    for number in range(25):
        path = folder / f"old-{number:02}.ndjson"
        path.touch()
        os.utime(path, (number, number))
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    with Devloop.start(scene.folder) as devloop:
        devloop.wait_for("cycle_finished", outcome="verified")
        recording = Recording()
        until(lambda: recording.has("log", source="pod", text="one"))
        assert devloop.stop() == 130
    assert not devloop.of("log", source="pod"), "Pod logs are in the recording, on stdout only with --logs"
    assert len(recordings()) == 20
    assert not (folder / "old-05.ndjson").exists()
    assert (folder / "old-06.ndjson").exists()
    path = recordings()[-1]
    assert f"recorded in {path}" in devloop.errors
    found = fold(decode_all(path.read_text().splitlines()))
    assert found == state(devloop.events)
    last = found.services["web"].last
    assert last
    assert (last.outcome, found.exit_code) == ("verified", 130)
    assert path.stat().st_mode & 0o077 == 0, "logs may tell what others should not read"


def test_plain_output_in_a_pipe_tells_logs_by_pod_and_where_new_code_took_over(scene: Scene) -> None:
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    process = subprocess.Popen(
        [*harness.HERE.devloop, "up"], cwd=scene.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    lines: list[str] = []
    try:
        assert process.stdout
        follow(process.stdout, lines, "── new code · cycle 1 .*─+$")
        (pod,) = follow(process.stdout, lines, r"(\S+) │ one$")
        speak(scene, "two")
        follow(process.stdout, lines, "── new code: run.sh · cycle 2 .*─+$")
        (other,) = follow(process.stdout, lines, r"(\S+) │ two$")
        process.send_signal(2)
        lines += process.stdout.read().splitlines()
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
        process.communicate()
    assert pod.startswith("web-")
    assert other.startswith("web-")
    assert pod != other
    assert "\x1b" not in "".join(lines)
    assert [line for line in lines if line.startswith("left deployment/web on ")], "the last words are on stdout"


def follow(stream: Iterable[str], lines: list[str], pattern: str) -> tuple[str, ...]:
    """Read lines until one of all so far matches; its groups."""
    for line in lines:
        if found := re.search(pattern, line):
            return found.groups()
    for line in stream:
        lines.append(line.rstrip("\n"))
        if found := re.search(pattern, lines[-1]):
            return found.groups()
    raise AssertionError(f"no {pattern!r} in:\n" + "\n".join(lines))


def test_no_logs_leaves_out_logs_and_the_line_between_them(scene: Scene) -> None:
    speak(scene, "one")
    scene.deploy()
    scene.configure()
    process = subprocess.Popen(
        [*harness.HERE.devloop, "up", "--no-logs"],
        cwd=scene.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        recording = Recording()
        until(lambda: recording.has("log", source="pod", text="one") and recording.has("cycle_finished"))
        process.send_signal(2)
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert "VERIFIED" in said
    assert "│ one" not in said
    assert "new code" not in said


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(scene: Scene, env: dict[str, str], coloured: bool) -> None:
    scaled_to_zero(scene)
    scene.configure()
    with Terminal(scene.folder, "up", "--once", env=env) as terminal:
        assert terminal.finish() == 0
    assert "scaled to 0" in terminal.text
    assert ("\x1b[" in terminal.text) is coloured


@pytest.mark.parametrize(("answer", "code"), [("far-away", 0), ("yes", 7)])
def test_a_context_is_confirmed_by_typing_its_name(scene: Scene, tmp_path: Path, answer: str, code: int) -> None:
    scaled_to_zero(scene)
    scene.configure()
    config = only_context(scene.kubectl)
    config["contexts"][0]["name"] = config["current-context"] = "far-away"
    env = {"KUBECONFIG": str(write_kubeconfig(tmp_path / "far-kubeconfig", config))}
    with Terminal(scene.folder, "up", "--once", "--context", "far-away", env=env) as terminal:
        terminal.read_until("Type `far-away`")
        assert not scene.patched()
        terminal.type(f"{answer}\n")
        assert terminal.finish() == code, terminal.text
    assert scene.patched() is (code == 0)
    assert ("allow" in terminal.text) or code == 0, "the line to add is told"


def test_without_a_terminal_nobody_is_asked(scene: Scene, tmp_path: Path) -> None:
    scaled_to_zero(scene)
    scene.configure()
    config = only_context(scene.kubectl)
    config["contexts"][0]["name"] = config["current-context"] = "far-away"
    env = {"KUBECONFIG": str(write_kubeconfig(tmp_path / "far-kubeconfig", config))}
    done = run(scene.folder, "up", "--once", "-o", "json", "--context", "far-away", env=env)
    assert done.returncode == 7, done.stderr
    assert done.stdout == ""
    assert 'allow = ["far-away"]' in done.stderr or "far-away" in done.stderr
    assert not scene.patched()
