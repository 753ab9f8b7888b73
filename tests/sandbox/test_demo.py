"""`devloop demo` as a person starts it who has nothing: a clean home, no kubeconfig, no engine."""

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import devloop
from devloop.session.demo.leftovers import Footprint
from devloop.session.demo.place import BY_MAKE, DemoFolder, open_folder, unwritable
from devloop.session.demo.sandboxed import Sandbox, running
from devloop.session.demo.words import still_there
from devloop.session.project import Refusal
from tests.onterminal import OnTerminal
from tests.pictures.frames import lasting
from tests.pictures.place import picture
from tests.pictures.script import COMMAND, PROMPT
from tests.pictures.svg import last_words
from tests.sandbox.client import page_at

pytestmark = pytest.mark.programs

VALUES = {"registry": "127.0.0.1:1", "context": "c", "namespace": "n", "api_url": "http://127.0.0.1:2/"}
STEPS = (
    "The app runs", "The naive way", "devloop why web", "devloop takes over", "An edit", "A broken build",
    "devloop restore", "Nothing is left",
)  # fmt: skip


@pytest.fixture
def home() -> Iterator[Path]:
    """With a short path, as homes have: the session's socket is below it."""
    with TemporaryDirectory(prefix="demo") as folder:
        (made := Path(folder).resolve() / "home").mkdir()
        yield made


def clean(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home), "PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nowhere/docker.sock",
        "PYTHONPATH": str(Path(devloop.__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


@contextmanager
def demo(home: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The command, in a folder beside the home."""
    command = [sys.executable, "-m", "devloop", "demo", *options]
    with subprocess.Popen(
        command, cwd=home.parent, env=clean(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def on_terminal(
    home: Path, environment: Mapping[str, str] | None = None, size: tuple[int, int] = (110, 30)
) -> OnTerminal:
    env = {"HOME": str(home), "PYTHONPATH": str(Path(devloop.__file__).parent.parent), **(environment or {})}
    return OnTerminal([sys.executable, "-m", "devloop", "demo"], home.parent, env=env, size=size)


def until_said(process: "subprocess.Popen[str]", words: str) -> str:
    """All that was said up to there."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without {words!r}:\n{said}")


def wait_for_the_sandbox(folder: Path) -> None:
    """Until it is over: it holds the lock while it runs."""
    with (folder / ".sandbox" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def nothing_is_left(home: Path) -> None:
    """No process that has anything to do with the folders of the test, and no file outside the demo's."""
    place = str(home.parent)
    assert [what for what in _processes() if place in what] == []
    assert list(home.rglob("*")) == []
    assert {path.name for path in home.parent.iterdir()} == {"home", "devloop-demo"}
    own = {path.name for path in (home.parent / "devloop-demo" / ".sandbox").iterdir()}
    assert own - {"state"} == {"env", "lock", "sandbox.log", "values.json"}, "beside what a session has written"
    assert (home.parent / "devloop-demo" / ".sandbox" / "sandbox.log").read_text() == ""


def _processes() -> Iterator[str]:
    """How each process was started, where and with which variables."""
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            yield f"{told.decode(errors='replace')} {(process / 'cwd').readlink()}"
        except OSError:
            continue


@pytest.mark.timeout(180)
def test_the_script_shows_and_proves_all_of_it(home: Path) -> None:
    with demo(home, "--script") as process:
        out, _ = process.communicate()
    assert process.returncode == 0, out
    assert "not Kubernetes" in out
    steps = re.split(r"^\d  ", out, flags=re.MULTILINE)[1:]
    assert [step[: len(title)] for step, title in zip(steps, STEPS, strict=True)] == [*STEPS]
    assert max(step.rstrip().count("\n") for step in steps) < 4
    assert max(len(line) for step in steps[:-1] for line in step.splitlines()) <= 120
    said = dict(zip(STEPS, steps, strict=True))
    assert """says "Yesterday's page", from 2 Pods on 2 nodes""" in said["The app runs"]
    assert '''the page still says "Yesterday's page"''' in said["The naive way"]
    assert "node-cache: all 2 Pods of deployment/web" in said["devloop why web"]
    assert 'the page says "Good morning!"' in said["devloop takes over"]
    assert said["devloop takes over"].rstrip().endswith("verified")
    assert "a delta" in said["An edit"]
    assert "cannot run `RUN make`" in said["A broken build"]
    assert "IfNotPresent again" in said["devloop restore"]
    nothing_is_left(home)
    drawn = lasting(last_words(picture("script").read_text("utf-8")))
    assert drawn == lasting(f"{PROMPT}{COMMAND}\n{out}"), "stale: python -m tests.pictures script"
    source = (home.parent / "devloop-demo" / "web" / "web.py").read_text()
    assert 'GREETING = "Good morning!"' in source, "the app is as it was copied"


@pytest.mark.timeout(120)
def test_an_interrupt_ends_the_session_and_all_of_the_sandbox(home: Path) -> None:
    with demo(home, "--headless") as process:
        said = until_said(process, "web  VERIFIED")
        process.send_signal(signal.SIGINT)
        last, _ = process.communicate()
    assert process.returncode == 130
    assert "devloop-sandbox" in said
    assert "edit GREETING in" in said
    assert "undo:" not in last, "what is gone needs none"
    assert "the sandbox is gone" in last
    nothing_is_left(home)
    (again,) = re.findall(r"to see it again +(.*)", last)
    printed = subprocess.run(["sh", "-c", f"{again} -o plain"], capture_output=True, text=True, check=True)
    assert "web  VERIFIED" in printed.stdout


@pytest.mark.timeout(120)
def test_on_a_terminal_the_old_page_is_there_until_somebody_has_seen_it(home: Path) -> None:
    with on_terminal(home) as terminal:
        terminal.until("Enter lets devloop take over")
        (page,) = re.findall(r"http://\S+", terminal.said)
        assert "Yesterday&#x27;s page" in page_at(page)
        terminal.press(b"\r")
        terminal.until("2 verified")
        assert "Good morning!" in page_at(page)
        terminal.press(b"q")
        terminal.until("Quit devloop?")
        terminal.press(b"y")
        assert terminal.finish() == 0
        terminal.assert_sane()
    assert "the sandbox is gone" in terminal.said
    nothing_is_left(home)


def said_when_interrupted(home: Path, at: str, env: dict[str, str] | None = None) -> str:
    """By a Ctrl-C once that stands there."""
    with on_terminal(home, env) as terminal:
        terminal.until(at)
        terminal.press(b"\x03")
        assert terminal.finish() == 130
    return terminal.said


@pytest.mark.timeout(120)
def test_an_interrupt_before_that_ends_all_of_it(home: Path) -> None:
    assert "the sandbox is gone" in said_when_interrupted(home, "Enter lets devloop take over")
    nothing_is_left(home)


@pytest.mark.timeout(120)
def test_an_interrupt_at_the_very_beginning_is_told_its_end_too(home: Path) -> None:
    assert "the sandbox is gone" in said_when_interrupted(home, "a sandbox in")


@pytest.mark.timeout(120)
def test_make_which_hears_the_interrupt_too_is_spoken_for(home: Path) -> None:
    assert "whatever make says of it" in said_when_interrupted(home, "Enter lets devloop take over", {BY_MAKE: "1"})


@pytest.mark.timeout(120)
def test_an_edit_of_last_time_that_breaks_the_build_is_told_as_that(home: Path) -> None:
    folder = DemoFolder(home.parent / "devloop-demo")
    folder.own.mkdir(parents=True)
    folder.put_app(VALUES | {"context": "context-of-before", "namespace": "namespace-of-before"})
    with (folder.path / "web" / "Dockerfile").open("a") as file:
        file.write("RUN make\n")
    with on_terminal(home, size=(80, 30)) as terminal:
        assert terminal.finish() == 1
    lines = terminal.said.splitlines()
    assert max(map(len, lines)) <= 80, "broken between words, not by the terminal"
    said = " ".join(" ".join(lines).split())
    assert "web cannot be built: Dockerfile, line" in said
    assert f"→ {still_there(folder.path, ['web/Dockerfile'])}" in said


@pytest.mark.timeout(120)
def test_an_edit_of_last_time_that_does_not_start_is_told_as_that(home: Path) -> None:
    folder = DemoFolder(home.parent / "devloop-demo")
    folder.own.mkdir(parents=True)
    folder.put_app(VALUES | {"context": "context-of-before", "namespace": "namespace-of-before"})
    source = folder.path / "web" / "web.py"
    source.write_text(f'raise RuntimeError("boom")\n{source.read_text()}')
    with demo(home, "--headless") as process:
        said, _ = process.communicate()
    assert process.returncode == 1
    assert "web does not start: container web of Pod web-" in said
    assert "exit code 1, twice: RuntimeError: boom\n" in said
    assert f"→ {still_there(folder.path, ['web/web.py'])}" in said


@pytest.mark.timeout(120)
def test_on_the_screen_what_there_is_not_is_said(home: Path) -> None:
    with on_terminal(home, size=(160, 30)) as screen:
        screen.until("Enter lets devloop take over")
        screen.press(b"\r")
        screen.until("then edit GREETING in")
        assert " S shell" not in screen.said
        screen.press(b"S")
        screen.until("the sandbox has no shell in a Pod")
        screen.press(b"d")
        screen.until("the sandbox has no engine")
        screen.until("the newest image runs")
        screen.press(b"\x1b")
        screen.until("following")
        screen.press(b"q")
        screen.until("yes")
        screen.press(b"y")
        assert screen.finish() == 0
        assert "the sandbox is gone" in screen.said
        screen.assert_sane()
    nothing_is_left(home)


@pytest.mark.timeout(120)
def test_nothing_is_left_of_a_demo_that_was_killed(home: Path) -> None:
    with demo(home, "-o", "json") as process:
        assert process.stdout is not None
        until_said(process, '"event":"cycle_started"')
        process.kill()
        process.communicate()
    wait_for_the_sandbox(home.parent / "devloop-demo")
    nothing_is_left(home)


def test_with_json_stdout_holds_nothing_else(home: Path) -> None:
    command = [sys.executable, "-m", "devloop", "demo", "-o", "json", "--folder", str(home.parent / "devloop-demo")]
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": str(Path(devloop.__file__).parent.parent)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate()
    assert process.returncode == 143
    events = [json.loads(line)["event"] for line in (first, *rest.splitlines())]
    assert (events[0], events[-1]) == ("session_started", "session_finished")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("option", "words"),
    [("--headless", "first, without it"), ("--headless", "devloop takes over"), ("--script", "The app runs")],
)
def test_it_ends_when_nobody_reads_any_more(home: Path, option: str, words: str) -> None:
    with demo(home, option) as process:
        until_said(process, words)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == 0
    nothing_is_left(home)


def test_the_way_to_another_folder_is_told_as_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thesis.txt").touch()

    def hint() -> str:
        refused = open_folder(tmp_path)
        assert isinstance(refused, Refusal)
        return refused.lines[1]

    assert hint().endswith("`devloop demo --folder DIR`")
    monkeypatch.setenv(BY_MAKE, "1")
    assert hint().endswith('`make demo ARGS="--folder DIR"`')


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_says_that_it_was_make() -> None:
    root = Path(devloop.__file__).parent.parent
    shown = subprocess.run(["make", "-n", "demo"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert any(f"{BY_MAKE}=1 " in line for line in shown.splitlines())


def test_what_is_not_the_demos_is_left_alone(home: Path) -> None:
    (home.parent / "devloop-demo").mkdir()
    (home.parent / "devloop-demo" / "thesis.txt").write_text("mine")
    with demo(home, "--script") as process:
        out, _ = process.communicate()
    assert process.returncode == 2
    assert "is there and not the demo's" in out
    assert "--folder" in out
    assert [path.name for path in (home.parent / "devloop-demo").iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert isinstance(open_folder(tmp_path / "file"), Refusal)


@pytest.mark.parametrize("name", [".sandbox/sandbox.log", ".sandbox/env", "web"])
def test_what_cannot_be_written_is_named(home: Path, name: str) -> None:
    folder = home.parent / "devloop-demo"
    (folder / ".sandbox").mkdir(parents=True)
    (folder / ".sandbox" / "values.json").write_text("{}")
    if name == "web":
        (folder / name).touch()
    else:
        (folder / name).mkdir()
    with demo(home, "--script") as process:
        out, _ = process.communicate()
    assert process.returncode == 2, out
    assert f"{folder / name} cannot be written: " in out
    assert "--folder" in out


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_sandbox_that_is_ended_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as sandbox:
        assert isinstance(sandbox, Sandbox)
        footprint = Footprint.of(sandbox)
        os.kill(sandbox.pid, number)
    assert footprint.left() == []
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "sandbox.log"}
    assert (tmp_path / "sandbox.log").read_text() == ""


def test_an_app_that_was_edited_stays_so_and_finds_the_new_sandbox(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "demo")
    assert isinstance(folder, DemoFolder)
    folder.put_app(VALUES)
    assert still_there(folder.path, folder.edited()) == "", "nobody has edited anything"
    dockerfile, source = folder.path / "web" / "Dockerfile", folder.path / "web" / "web.py"
    dockerfile.write_text(dockerfile.read_text() + "ENV MINE=1\n")
    source.write_text("mine")
    assert open_folder(folder.path) == folder
    folder.put_app({**VALUES, "registry": "127.0.0.1:3"})
    assert "FROM 127.0.0.1:3/python:3\n" in dockerfile.read_text()
    assert dockerfile.read_text().endswith("ENV MINE=1\n")
    assert source.read_text() == "mine"
    assert folder.edited() == ["web/Dockerfile", "web/web.py"]
    assert "127.0.0.1:3/demo/web:dev" in (folder.path / "devloop.toml").read_text()


def test_what_lets_into_the_sandbox_is_for_this_user_alone(tmp_path: Path) -> None:
    """Whoever can push an image, or create a Pod, starts programs as this user."""
    folder = open_folder(tmp_path / "demo")
    assert isinstance(folder, DemoFolder)
    assert folder.own.stat().st_mode & 0o077 == 0
    with running(folder.own) as sandbox:
        assert isinstance(sandbox, Sandbox)
        secrets = [Path(sandbox.kubeconfig), Path(sandbox.docker_config, "config.json")]
        assert [path.stat().st_mode & 0o077 for path in secrets] == [0, 0]
        with pytest.raises(HTTPError) as refused:
            urlopen(f"http://{sandbox.registry}/v2/python/manifests/3", timeout=5)
        with refused.value as answer:
            assert answer.code == 401


def test_two_in_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        assert isinstance(first, Sandbox)
        footprint = Footprint.of(first)
        (tmp_path / "sandbox.log").write_text("of the first")
        with running(tmp_path) as second:
            assert isinstance(second, Refusal)
            assert f"another sandbox runs in this folder, {tmp_path}" in second.lines[0]
            assert "--folder" in second.lines[1]
        assert (tmp_path / "sandbox.log").read_text() == "of the first"
        assert Path(first.kubeconfig).exists()
        assert len(footprint.left()) == len(footprint.processes) + len(footprint.ports) >= 5
    assert footprint.left() == []
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "sandbox.log"}


def test_one_that_is_given_up_before_it_spoke_leaves_the_first_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a Ctrl-C does in the first moments of a second demo."""

    def interrupted(_: bytes) -> None:
        raise KeyboardInterrupt

    with running(tmp_path) as first:
        assert isinstance(first, Sandbox)
        before = {path.name for path in tmp_path.iterdir()}
        with monkeypatch.context() as patched:
            patched.setattr("devloop.session.demo.sandboxed.json.loads", interrupted)
            with pytest.raises(KeyboardInterrupt), running(tmp_path):
                pass
        assert {path.name for path in tmp_path.iterdir()} == before


def test_values_that_were_cut_off_are_written_anew(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "demo")
    assert isinstance(folder, DemoFolder)
    (folder.own / "values.json").write_text('{"regis')
    folder.put_app(VALUES)
    assert json.loads((folder.own / "values.json").read_text()) == VALUES
    assert "127.0.0.1:1" in (folder.path / "web" / "Dockerfile").read_text()


def test_what_another_folder_does_not_mend_is_not_called_unwritable(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Too many"):
        unwritable(tmp_path, OSError(errno.EMFILE, "Too many open files"))


@pytest.mark.timeout(120)
def test_what_somebody_puts_back_is_told_as_that_to_the_end(home: Path) -> None:
    with on_terminal(home) as screen:
        screen.until("Enter lets devloop take over")
        screen.press(b"\r")
        screen.until("2 verified")
        screen.press(b"R")
        screen.until("back as they were before devloop?")
        screen.press(b"y")
        screen.until("to what it was before devloop")
        screen.until("b takes over again, q in the log ends all of it")
        screen.until("devloop's marks are removed")
        screen.press(b"q")  # closes what was told
        screen.press(b"q")
        screen.until("Quit devloop?")
        screen.press(b"q")
        assert screen.finish() == 0
    assert "web: restored to what it was before devloop: " in screen.said
    assert "api: verified " in screen.said
    nothing_is_left(home)


@pytest.mark.timeout(120)
def test_of_what_was_edited_the_file_at_fault_is_named(home: Path) -> None:
    folder = open_folder(home.parent / "devloop-demo")
    assert isinstance(folder, DemoFolder)
    folder.put_app(VALUES)
    (folder.path / "api" / "api.py").write_text("# mine\n" + (folder.path / "api" / "api.py").read_text())
    source = folder.path / "web" / "web.py"
    source.write_text(source.read_text().replace('GREETING = "Good morning!"', "GREETING = str(1)"))
    with demo(home, "--headless") as process:
        said, _ = process.communicate()
    assert process.returncode == 1
    said = " ".join(said.split())
    assert f'{source} has no line GREETING = "..." any more' in said
    assert "before is still there, in web/web.py: mend it, or delete the folder" in said
