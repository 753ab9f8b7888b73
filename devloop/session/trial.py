"""What differs where somebody only tries devloop, in a sandbox; everything else is an ordinary session."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devloop.tui.talk import Tip

VARIABLE = "DEVLOOP_SANDBOX"
"""Names the folder of the sandbox that commands go to; the demo sets it for itself and, in `.sandbox/env`, for more."""
NO_ENGINE = "the sandbox has no engine"


@dataclass(frozen=True, slots=True)
class Trial:
    """A session in a sandbox that ends with it: nothing is left of which there would be something to say."""

    tip: "Tip | None" = None
    """What to try next, for the screen."""


def sandbox_here() -> Path | None:
    """That folder; None where there is none, or KUBECONFIG leads elsewhere by now."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named and Path(os.environ.get("KUBECONFIG", "")).parent == Path(named) else None


def demo_is_over() -> str:
    """What to do where the sandbox's cluster is gone; empty where it is there, or there is no sandbox."""
    sandbox = sandbox_here()
    if sandbox is None or Path(os.environ["KUBECONFIG"]).exists():
        return ""
    return f"the demo is over; start it again: devloop demo --folder {shlex.quote(str(sandbox.parent))}"


def has_engine() -> bool:
    """Whether images may be built, and looked for, by Docker: a sandbox needs none, and so asks for none."""
    return sandbox_here() is None
