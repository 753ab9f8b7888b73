"""Import hygiene, in fresh processes: what is slow to import is not imported by what does not need it."""

import json
import os
import pkgutil
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import devloop.core

HEAVY = (
    "aiohttp",
    "docker",
    "kubernetes",
    "kubernetes_asyncio",
    "platformdirs",
    "pydantic",
    "requests",
    "rich",
    "textual",
    "urllib3",
    "watchfiles",
    "yaml",
)
SDKS = tuple(name for name in HEAVY if name not in {"pydantic", "platformdirs"})
CONFIGURATION = {"adopt", "config", "guard", "layers", "resolve", "settings", "validate"}
"""The core modules that need the models of the configuration, and with them pydantic."""
CORE = [module.name for module in pkgutil.iter_modules(devloop.core.__path__)]
BEHIND_THE_SCREEN = {*HEAVY} - {"platformdirs", "rich", "textual"}
"""What `devloop up` needs on a terminal, but not in order to draw its first frame (Textual needs those three)."""
FIRST_FRAME = """
import os, sys
from textual.drivers.linux_driver import LinuxDriver
write = LinuxDriver.write
def watched(driver, data):
    write(driver, data)
    if "\\x1b[0m" in data:  # the first that has colours: what comes before it are the terminal's modes
        with open("modules.txt", "w") as out:
            out.write("\\n".join(name.partition(".")[0] for name in sys.modules))
        os._exit(0)
LinuxDriver.write = watched
from devloop.cli import main
main(["up"])
"""


def loaded(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    report = "import json, sys; sys.stderr.write(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    code = f"try:\n    {statement}\nexcept SystemExit:\n    pass\n{report}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    return set(json.loads(done.stderr))


def test_help_loads_nothing_that_is_slow() -> None:
    modules = loaded("from devloop.cli import main; main(['--help'])")
    assert "click" in modules
    assert modules.isdisjoint({*HEAVY, "asyncio"})


@pytest.mark.parametrize(
    "command", ["init", "up", "demo", "plan", "doctor", "restore", "replay", "validate", "schema", "completion"]
)
def test_a_commands_help_loads_nothing_that_is_slow(command: str) -> None:
    assert loaded(f"from devloop.cli import main; main([{command!r}, '--help'])").isdisjoint({*HEAVY, "asyncio"})


def test_a_completion_script_loads_nothing_that_is_slow() -> None:
    assert loaded("from devloop.cli import main; main(['completion', 'bash'])").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module",
    ["devloop.views", "devloop.headless.ndjson", "devloop.headless.plain", "devloop.engine.conductor"],
)
def test_decisions_and_renderers_load_no_library(module: str) -> None:
    assert loaded(f"import {module}").isdisjoint({*HEAVY, "click"})


def test_the_core_loads_no_sdk() -> None:
    assert loaded("import " + ", ".join(f"devloop.core.{name}" for name in CORE)).isdisjoint({*SDKS, "asyncio"})


def test_the_core_that_runs_a_session_needs_no_models_of_the_configuration() -> None:
    running = [f"devloop.core.{name}" for name in CORE if name not in CONFIGURATION]
    assert len(running) > 15
    assert "pydantic" not in loaded("import " + ", ".join(running))


def test_the_first_frame_is_drawn_before_anything_slow_is_loaded(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    command = [sys.executable, "-c", FIRST_FRAME]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "TERM": "xterm"}, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    drawn = b""
    with suppress(OSError):  # what a terminal says whose last program has ended
        while data := os.read(screen, 65_536):
            drawn += data
    os.close(screen)
    assert process.wait(30) == 0, drawn
    modules = {*(tmp_path / "modules.txt").read_text().split()}
    assert "textual" in modules
    assert modules.isdisjoint(BEHIND_THE_SCREEN)


def test_the_program_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "devloop", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("devloop ")
