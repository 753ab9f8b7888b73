"""What differs between the places where a scenario runs; where they are is told by the environment.

A scenario that is marked `shared` runs on the real cluster that DEVLOOP_E2E_CONTEXT names, and in a sandbox.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devloop.core.plan import BUILDX


@dataclass(frozen=True)
class Place:
    """Where the scenario runs that runs now."""

    devloop: Sequence[str]
    """The command."""
    programs: Path
    """The folder of what is typed in a shell: `devloop`, and whatever else this machine may lack."""
    full: str
    """What makes full builds, as events name it."""
    moved: str
    """What `why` finds when a tag was moved from here: only an engine knows that it was from here."""
    push: Callable[[Path, str], None]
    """Build a folder and push it under that name without devloop, as somebody else would."""


def _push_by_buildx(folder: Path, ref: str) -> None:
    command = ["docker", "buildx", "build", "--quiet", "--provenance=false", "--push", "-t", ref, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


CLUSTER = Place(
    (sys.executable, "-m", "devloop"), Path(sys.executable).parent, BUILDX, "template-unchanged", _push_by_buildx
)
