"""What the demo says: what it is, and what to try next."""

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from devloop.core.events import Outcome, Trigger
from devloop.core.state import FinishedCycle, ServiceState, SessionState
from devloop.session.demo.sandboxed import Sandbox
from devloop.tui.talk import Tip
from devloop.views import wrapping
from devloop.views.chronicle import Chronicle

TITLE = 22
"""Columns before what is said about a step."""
WIDTH, _NARROWEST = 120, TITLE + 32
"""Columns that are filled: of a terminal all that it has, but no more than reads well, nor less than can be read."""
SOURCE, RECIPE = Path("web", "web.py"), Path("web", "Dockerfile")
BREAKING = "RUN make"
MEND = "the old page still answers at {url}; mend what you broke, and save"


def row(title: str, text: str) -> str:
    return f"{title:{TITLE}}{text}"


def columns() -> int:
    return max(_NARROWEST, min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns))


def wrapped(text: str, width: int) -> list[str]:
    """The lines that stand beside a title."""
    return wrapping.wrapped(text, width - TITLE)


def _rows(title: str, *said: str) -> list[str]:
    lines = [line for text in said for line in wrapped(text, columns())]
    return [row("" if at else title, line) for at, line in enumerate(lines)]


def beginning(folder: Path) -> list[str]:
    """What this is, and is not."""
    stand_in = "it stands in for a cluster of two nodes and a registry, for trying devloop; it is not Kubernetes"
    return _rows("devloop demo", f"a sandbox in {folder}", stand_in)


def end(folder: Path, environment: Path | None, *, make_was_interrupted: bool = False) -> list[str]:
    """What is left; `environment` where a session was recorded. `make` heard the Ctrl-C too, and says so in a line of
    its own, which looks like trouble."""
    gone = f"the sandbox is gone with all that ran in it; {folder} stays, and is yours to delete"
    ending = ("that was your Ctrl-C, and all is well, whatever make says of it",) if make_was_interrupted else ()
    again = [row("to see it again", f". {shlex.quote(str(environment))}; devloop replay")] if environment else []
    return [*_rows("the end", gone, *ending), *again]


def still_there(folder: Path, edited: Sequence[str]) -> str:
    """What may be the reason when the demo does not go as told; empty where the app is as it was copied."""
    if not edited:
        return ""
    return f"what was edited in {folder} before is still there, in {', '.join(edited)}: mend it, or delete the folder"


def first(greeting: str) -> list[str]:
    """What is done before devloop comes."""
    return _rows(
        "first, without it", f'yesterday\'s app is deployed, "{greeting}" pushed to the same tag, web restarted'
    )


def as_usual(sandbox: Sandbox, said: str) -> list[str]:
    """What became of a push to the same tag."""
    yet = f'{sandbox.urls["web"]} still says "{said}": nodes that have a web:dev ask no registry'
    return _rows("and yet", yet)


def elsewhere(folder: Path, environment: Path, *, in_session: bool) -> list[str]:
    """How to ask from another terminal; before a session runs there is none to ask for its status."""
    commands = (f". {shlex.quote(str(environment))}", f"cd {shlex.quote(str(folder))}")
    whole = "; ".join(commands)
    # One that a terminal breaks cannot be copied; on a line of its own each is still one.
    lines = (whole,) if TITLE + len(whole) <= columns() else commands
    asking = f"devloop why web; {'devloop status; ' if in_session else ''}kubectl get pods"
    return [row("" if at else "in another terminal", line) for at, line in enumerate((*lines, asking))]


TAKES_OVER = row("now", "devloop takes over")
ASKS = row("now", "look at that page; Enter lets devloop take over")


def suggestions(sandbox: Sandbox, folder: Path, environment: Path) -> list[str]:
    """All that there is to try, for whoever has no screen."""
    breaking = f"break the build: write `{BREAKING}` at the end of {folder / RECIPE}, save; take it out again"
    tries = (f"open {sandbox.urls['web']}", f"edit GREETING in {folder / SOURCE} and save", breaking)
    return [*_rows("to try", *tries), *elsewhere(folder, environment, in_session=True)]


def tip(sandbox: Sandbox, folder: Path) -> Tip:
    """The next thing, by what was done already."""
    near = min(str(folder), os.path.relpath(folder), key=len)
    source, recipe = Path(near) / SOURCE, Path(near) / RECIPE

    def next_one(state: SessionState, past: Chronicle) -> str:
        what = _now(state) or _next(past.cycles("web"))
        return f"sandbox, not Kubernetes · {what}".format(url=sandbox.urls["web"], source=source, recipe=recipe)

    return next_one


def _now(state: SessionState) -> str:
    """What counts more than the next thing to try."""
    web = state.services.get("web")
    if web is not None and web.paused:
        return _paused(web, [*state.services.values()])
    if web is not None and web.hindered:
        return MEND
    if web is not None and web.running is not None and web.running.want.is_save:
        return "your save is on its way to {url}"
    if not any(service.restored for service in state.services.values()):
        return ""
    seen = web.workloads.values() if web is not None and web.restored else ()
    is_new = bool(seen) and all(each.exists and each.ready >= each.desired > 0 for each in seen)
    page = "its tag moved, so the page is new" if is_new else "what was there is put back"
    return f"{page}; b takes over again, q in the log ends all of it"


def _paused(web: ServiceState, services: Sequence[ServiceState]) -> str:
    """Going on takes nothing over that was restored, unless a save waits."""
    is_all = len(services) > 1 and all(service.paused for service in services)
    who, key = ("all", "A") if is_all else ("web", "space")
    if web.restored is not None:
        too = f"{key}, with what was saved meanwhile" if _waits(web) else f"a save after {key}"
        return f"{who} is paused, and what was there is put back; b takes over again, and so does {too}"
    waits = any(map(_waits, services)) if is_all else _waits(web)
    return f"{who} is paused: {key} lets it go on{', with what was saved meanwhile' if waits else ''}"


def _waits(service: ServiceState) -> bool:
    return service.want is not None and service.want.is_save


def _next(cycles: tuple[FinishedCycle, ...]) -> str:
    ended = [each for each in cycles if each.outcome in {Outcome.VERIFIED, Outcome.UNCHANGED, Outcome.FAILED}]
    edited = [each for each in ended if each.want.trigger is Trigger.FILES and each.outcome is Outcome.VERIFIED]
    failed = [at for at, each in enumerate(ended) if each.outcome is Outcome.FAILED]
    if not ended:
        return "devloop takes over: {url} is stale, watch what becomes of it"
    if cycles[-1].outcome is Outcome.STOPPED:
        return "the cycle was stopped; b, or the next save, builds again"
    if failed and failed[-1] == len(ended) - 1:
        return MEND
    if failed:
        return "d asks why it runs what it runs; R puts back what was there; q in the log ends all of it"
    if not edited:
        return "open {url}, then edit GREETING in {source} and save"
    return "look at {url}; then break the build: write `" + BREAKING + "` at the end of {recipe}"
