"""devloop's own files, outside the project: pictures of source trees and recorded sessions.

Where: `$DEVLOOP_STATE_DIR`, else the user's state folder for applications (platformdirs). Everything in it may be
deleted at any time; it costs only what it would have saved.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

KEPT_SESSIONS = 20
_SESSIONS = "sessions"


def default_root() -> Path:
    """The folder for this user; it need not exist."""
    named = os.environ.get("DEVLOOP_STATE_DIR")
    if named:
        return Path(named)
    from platformdirs import user_state_path

    return user_state_path("devloop", appauthor=False)


def newest_recording(root: Path) -> Path | None:
    """Of the session that wrote last; None where none is kept."""
    recordings = _recordings(root)
    return recordings[-1] if recordings else None


def _recordings(root: Path) -> list[Path]:
    """The oldest first."""
    found = [(path.stat().st_mtime, path) for path in (root / _SESSIONS).glob("*.ndjson") if path.is_file()]
    return [path for _, path in sorted(found)]


class FileStateFolder:
    """A folder that only its owner may read. Trouble with it is told once, through `warn`, and stops nothing."""

    def __init__(self, root: Path, warn: Callable[[str], None]) -> None:
        self._root = root
        self._warn = warn
        self._told = False

    def load(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except OSError:
            return None

    def store(self, name: str, data: bytes) -> None:
        try:
            path = self._path(name)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                Path(temporary).replace(path)
            except OSError:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            self._trouble(error)

    def session_file(self, session: str) -> Path | None:
        """A fresh file for this session's recording; the oldest beyond `KEPT_SESSIONS` are removed."""
        folder = self._root / _SESSIONS
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            recordings = _recordings(self._root)
            for old in recordings[: max(0, len(recordings) - KEPT_SESSIONS + 1)]:
                old.unlink(missing_ok=True)
            path = folder / f"{session}.ndjson"
            path.touch(mode=0o600)
        except OSError as error:
            self._trouble(error)
            return None
        return path

    def _path(self, name: str) -> Path:
        """Names may be anything: a path of the project, for instance."""
        return self._root / "pictures" / hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _trouble(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._warn(f"cannot write to the state folder {self._root}: {error.strerror or error}")
