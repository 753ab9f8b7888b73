"""What differs where somebody only tries devloop; everything else is an ordinary session."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devloop.session.assembly import MakeBuilder
    from devloop.tui.talk import Tip


@dataclass(frozen=True, slots=True)
class Trial:
    """A session in a sandbox that ends with it: nothing is left of which there would be something to say."""

    builder: "MakeBuilder"
    """What makes full builds, as there is no engine for buildx."""
    tip: "Tip | None" = None
    """What to try next, for the screen."""
