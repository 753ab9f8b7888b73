"""Reports of mistakes: the traceback in a file, and a phrase that says where. Never on the screen."""

import os
import tempfile
import traceback
from pathlib import Path


def keep(error: BaseException, recording: Path | None = None, part: str = "") -> str:
    """Keep it beside the session's recording, if there is one; what to tell the user. `part`: what made the mistake."""
    text = "".join(traceback.format_exception(error))
    try:
        if recording is not None:
            path = recording.with_suffix(f".{part}.bug.txt" if part else ".bug.txt")
            path.write_text(text, encoding="utf-8")
        else:
            handle, name = tempfile.mkstemp(prefix="devloop-", suffix=".bug.txt")
            path = Path(name)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError:
        return "please report it"
    return f"please report it with {path}"
