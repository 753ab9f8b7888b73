"""The recorded sessions of `tests/data/sessions`, and the text that users read of them."""

from pathlib import Path

from devloop.core.events import Record
from devloop.headless.ndjson import decode_all
from devloop.headless.plain import PlainRenderer

SESSIONS = Path(__file__).parents[1] / "data" / "sessions"
TIME_ZONE = "Asia/Kolkata"
"""UTC+5:30 all year: a wrong offset cannot hide."""
NAMES = sorted(path.stem for path in SESSIONS.glob("*.ndjson") if not path.stem.endswith(".stdout"))


def lines_of(name: str) -> list[str]:
    """`NAME` as recorded in the state folder, `NAME.stdout` as written to stdout."""
    return (SESSIONS / f"{name}.ndjson").read_text("utf-8").split("\n")[:-1]


def recorded(name: str) -> list[Record]:
    return list(decode_all(lines_of(name)))


def text_of(name: str, *, colour: bool = False, pod_logs: bool = True) -> list[str]:
    """The plain output; its clock is that of the time zone in force."""
    renderer = PlainRenderer(colour=colour, pod_logs=pod_logs)
    return [line for record in recorded(name) for line in renderer.lines(record)]


def write_texts() -> None:
    """Write every `.txt` anew, for a reviewer to read the difference."""
    for name in NAMES:
        (SESSIONS / f"{name}.txt").write_text("\n".join(text_of(name)) + "\n", "utf-8")
