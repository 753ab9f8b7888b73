"""Import hygiene, in fresh processes: what is slow to import is not imported by what does not need it."""

import json
import pkgutil
import subprocess
import sys
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
CONFIGURATION = {"adopt", "config", "layers", "resolve", "validate"}
"""The core modules that need the models of the configuration, and with them pydantic."""
CORE = [module.name for module in pkgutil.iter_modules(devloop.core.__path__)]


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


@pytest.mark.parametrize("command", ["up", "plan", "doctor", "restore", "validate", "schema", "completion"])
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


def test_the_program_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "devloop", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("devloop ")
