"""Files for this user alone: whoever reads a token of the sandbox may start programs in it."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Anew, so that an earlier file's mode does not count."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
