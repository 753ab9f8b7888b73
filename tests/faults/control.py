"""Components of the test cluster itself are stopped and hung by DEVLOOP_E2E_CONTROL."""

import os
import subprocess
from dataclasses import dataclass, field

_UNDO = {"stop": "start", "pause": "resume"}
_PATIENCE = 240.0
"""Seconds until a component that was started again serves: the cluster waits up to 60 s for each of its parts."""


@dataclass
class Control:
    """Stops and hangs components; remembers what has to be mended."""

    broken: dict[str, str] = field(default_factory=dict)

    def stop(self, component: str) -> None:
        self._break("stop", component)

    def pause(self, component: str) -> None:
        self._break("pause", component)

    def mend(self, component: str) -> None:
        """Start or resume it, and wait until it serves."""
        self._run(self.broken.pop(component), component)

    def mend_all(self) -> None:
        """Mend all of it, also when one cannot be mended."""
        failures = []
        for component in list(self.broken):
            try:
                self.mend(component)
            except AssertionError as failure:
                failures.append(failure)
        assert not failures, failures

    def _break(self, verb: str, component: str) -> None:
        self.broken[component] = _UNDO[verb]  # before it is broken: a command that fails half-way is undone too
        self._run(verb, component)

    def _run(self, verb: str, component: str) -> None:
        command = [os.environ["DEVLOOP_E2E_CONTROL"], verb, component]
        # Into no pipe: what it starts stays, and would keep the pipe open.
        done = subprocess.run(command, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}"
