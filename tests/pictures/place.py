"""Where the pictures are, and what makes a run that of anybody."""

import getpass
import socket
from pathlib import Path

SCREEN = Path(__file__).parents[2] / "docs" / "screen"
RECORDING = SCREEN / "demo.ndjson"


def picture(name: str) -> Path:
    return SCREEN / f"{name}.svg"


def anybodys(text: str, folder: Path) -> str:
    """Where and by whom it was recorded is nobody's business."""
    return text.replace(f"{getpass.getuser()}@{socket.gethostname()}", "you@laptop").replace(str(folder), "/home/you")
