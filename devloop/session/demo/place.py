"""The demo's folder: the app, and below `.sandbox` all that the demo writes beside it."""

import errno
import json
import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devloop.adapters.statefolder import newest_recording
from devloop.core.failure import ExitCode
from devloop.sandbox.demoapp import copy_app, edited, steered
from devloop.session.project import Refusal
from devloop.session.trial import VARIABLE

DEFAULT = "devloop-demo"
_OWN = ".sandbox"
_VALUES = "values.json"
_INSTANT = 1_000
"""Nanoseconds: no time that is shown or compared tells it, and most file systems keep it."""
BY_MAKE = "DEVLOOP_DEMO_BY_MAKE"
"""The variable that `make demo` sets."""
_UNWRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
    errno.ENAMETOOLONG,
}  # fmt: skip


def by_make() -> bool:
    """Whether `make demo` began it."""
    return bool(os.environ.get(BY_MAKE))


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """A folder that is the demo's own."""

    path: Path

    @property
    def own(self) -> Path:
        """Where the sandbox and the session keep what is theirs."""
        return self.path / _OWN

    def put_app(self, values: Mapping[str, str]) -> None:
        """Copy the app; in one that is there, edited perhaps, only the sandbox's addresses are brought up to date."""
        file = self.own / _VALUES
        before = _values(file)
        for path in (self.path / name for name in steered() if before):
            if path.is_file():
                _move(path, before, values)
        beside = file.with_name(f"{_VALUES}.new")
        beside.write_text(json.dumps(dict(values)), "utf-8")
        beside.replace(file)
        copy_app(self.path, **values)

    def edited(self) -> list[str]:
        """The files of the app that are not as they are copied: what somebody tried in a demo before is still there."""
        return edited(self.path, **_values(self.own / _VALUES))

    @property
    def elsewhere(self) -> Path:
        """What another terminal reads to be in the sandbox as well."""
        return self.own / "env"

    @property
    def has_recording(self) -> bool:
        """Whether a session was recorded here, in this demo or one before."""
        return newest_recording(self._state) is not None

    @property
    def _state(self) -> Path:
        return self.own / "state"

    def put_environment(self, kubeconfig: str, docker_config: str) -> dict[str, str]:
        """What makes an ordinary session one of the sandbox: nothing of the user's is read or written."""
        common = {
            "KUBECONFIG": kubeconfig, "DOCKER_CONFIG": docker_config, "DEVLOOP_STATE_DIR": str(self._state),
            VARIABLE: str(self.own), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        }  # fmt: skip
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in common.items()]
        programs = Path(sys.executable).parent
        if (programs / "devloop").exists():  # a shell that has not activated its environment finds it as well
            lines.append(f'export PATH={shlex.quote(str(programs))}:"$PATH"\n')
        self.elsewhere.write_text("".join(lines), "utf-8")
        return {**common, "DOCKER_HOST": f"unix://{self.own / 'no-docker.sock'}"}


def open_folder(chosen: Path | None) -> DemoFolder | Refusal:
    """The folder to work in; nothing that is not the demo's is written to."""
    path = Path(os.path.abspath(chosen or DEFAULT))  # noqa: PTH100 - links stay as they were named
    folder = DemoFolder(path)
    try:
        if path.exists() and not (folder.own / _VALUES).exists() and any(_foreign(path)):
            lines = (f"{path} is there and not the demo's", f"→ name another folder: {elsewhere_command()}")
            return Refusal(ExitCode.USAGE, lines)
        path.mkdir(parents=True, exist_ok=True)
        folder.own.mkdir(exist_ok=True)
        folder.own.chmod(0o700)  # what is in it runs as programs of this user
    except OSError as error:
        return unwritable(path, error)
    return folder


def unwritable(path: Path, error: OSError) -> Refusal:
    """What to say of it; raises it again where another folder would not help."""
    if error.errno not in _UNWRITABLE:
        raise error
    where = error.filename or path
    lines = (f"{where} cannot be written: {error.strerror}", f"→ name another folder: {elsewhere_command()}")
    return Refusal(ExitCode.USAGE, lines)


def elsewhere_command() -> str:
    """What starts the demo in another folder, as one types it who has started this one."""
    return '`make demo ARGS="--folder DIR"`' if by_make() else "`devloop demo --folder DIR`"


def _values(file: Path) -> dict[str, str]:
    """Those of the demo before; none where there was none, or its file was cut off."""
    try:
        found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _foreign(path: Path) -> list[str]:
    return [name for name in os.listdir(path) if name != _OWN]  # noqa: PTH208 - raises where it is no folder


def _move(path: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Bring the addresses in a file up to date, as of when it was saved: nobody saves it now, and `why` tells of saves.

    All but its very time: an address seldom changes a file's size, and BuildKit, unlike pictures, goes by both alone.
    """
    text, status = path.read_text("utf-8"), path.stat()
    moved = _moved(text, before, now)
    if moved == text:
        return
    path.write_text(moved, "utf-8")
    with suppress(PermissionError):  # a time is only its owner's to set
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + _INSTANT))


def _moved(text: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    for name, value in now.items():
        if before.get(name):
            text = text.replace(before[name], value)
    return text
