"""The sandbox as a child of the demo: it ends when the demo does, whatever ends that."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import devloop
from devloop.core.failure import ExitCode
from devloop.sandbox.folder import forget
from devloop.session.demo.place import elsewhere_command
from devloop.session.project import Refusal

_PATIENCE = 15.0
"""Seconds that a sandbox has for its end."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where everything in it is."""

    registry: str
    """`host:port`."""
    docker_config: str
    """The folder with what lets into it, as DOCKER_CONFIG."""
    kubeconfig: str
    context: str
    namespace: str
    urls: Mapping[str, str]
    """Where the Services answer on this machine, by name."""
    pid: int

    @property
    def values(self) -> dict[str, str]:
        """What the app's files name."""
        return {
            "registry": self.registry, "context": self.context, "namespace": self.namespace,
            "api_url": self.urls["api"],
        }  # fmt: skip


def _not_running(refused: str, folder: Path, log: Path) -> tuple[str, ...]:
    if not refused:
        return (f"the sandbox does not run: it ended at its start, and {log} says why",)
    line = f"the sandbox does not run: {refused}, {folder}"
    return line, f"→ end the other one, or name another folder: {elsewhere_command()}"


@contextmanager
def running(folder: Path) -> Iterator[Sandbox | Refusal]:
    """A sandbox in that folder until the block is left; blocks for about a second at either end."""
    log = folder / "sandbox.log"
    with log.open("ab") as errors:  # that of one that runs here is kept
        process = subprocess.Popen(
            [sys.executable, "-m", "devloop.sandbox.serve", str(folder)],
            # Its end is told by the end of stdin, never by a Ctrl-C that is meant for the session.
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            cwd=Path(devloop.__file__).parent.parent, start_new_session=True,
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    said: dict[str, Any] = {}
    try:
        said = json.loads(process.stdout.readline() or b"{}")
        if "registry" in said:
            yield Sandbox(**said, pid=process.pid)
        else:
            yield Refusal(ExitCode.UNREACHABLE, _not_running(said.get("refused", ""), folder, log))
    finally:
        process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # its programs are killed by what waits for just that
            process.wait()
        process.stdout.close()
        if process.returncode and "registry" in said:  # what never spoke may have found another one here
            forget(folder)  # it was killed, and could not itself
