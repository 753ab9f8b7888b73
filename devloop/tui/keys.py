"""Every key: what it does, in words; where it means something; and which are named at the foot of the screen.

One table for the bindings, the line at the foot, `?` and the command palette, so that none of them can disagree.
Keys follow k9s and less where those agree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding

PANES = {"logs": "l", "build": "i", "pods": "p", "history": "h", "why": "d"}
"""The panes, and the key of each."""


@dataclass(frozen=True, slots=True)
class Where:
    """What matters of where one is."""

    pane: str = "logs"
    begun: bool = True
    """Whether there is more than checks to be seen."""
    chosen: str = ""
    several: bool = False
    broken: str = ""
    """The service whose failure is shown."""
    busy: bool = False
    """Whether a cycle of the chosen service runs."""
    paused: bool = False
    read_only: bool = False
    """Whether somebody else works on a workload of the chosen service."""
    off: bool = False
    """Whether something is wrong with the chosen service."""
    editable: bool = False
    """Whether a file is known in which it broke."""
    following: bool = True
    finding: bool = False
    filtered: bool = False
    below: int = 0
    """Lines of a pane beside the log that are further down than what is seen."""
    outdated: bool = False
    """Whether a cycle began or ended since `why` was asked."""
    pods: bool = False
    """Whether more than one Pod, or container, wrote lines."""
    containers: bool = False
    shells: bool = True
    """Whether a Pod has a shell to go to: the programs of a sandbox are this machine's, and have none."""
    replay: bool = False
    """Whether there is no session that could be asked for anything."""

    @property
    def elsewhere(self) -> bool:
        """Whether the failure that is shown is not the chosen service's."""
        return self.broken not in {"", self.chosen}


class Group(StrEnum):
    """Where a key is listed by `?`."""

    LOG = "in the log"
    SERVICE = "the service"
    LOOK = "where to look"
    SCREEN = "the screen"


def _begun(where: Where) -> bool:
    return where.begun


def _in_logs(where: Where) -> bool:
    return where.begun and where.pane == "logs"


def _rank_of_why(where: Where) -> int | None:
    if where.pane == "why":
        return 1 if where.outdated else None
    return 2 if where.off else 7


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or several that do the same."""

    keys: str
    action: str
    words: str
    group: Group
    rank: Callable[[Where], int | None] = lambda where: None
    """How soon it may be left out at the foot (0: never); None: it is not named there."""
    means: Callable[[Where], bool] = _begun
    """Whether it does anything here."""
    now: Callable[[Where], str] | None = None
    """Its words, where they depend on the state."""

    def is_for(self, where: Where) -> bool:
        """Whether it does anything here, and there is somebody who can do it."""
        return self.means(where) and not (where.replay and self.action in _ASKING)

    def title(self, where: Where) -> str:
        """How the command palette calls it; empty for what only moves about, and for what is a key's alone."""
        if self.action == "leave":
            return "Quit devloop" if where.pane == "logs" else ""
        moves = self.action.startswith(("step", "line", "page")) or self.action in _NO_COMMANDS
        return "" if moves else self.words[:1].upper() + self.words[1:]

    @property
    def sign(self) -> str:
        """How it is written on the screen."""
        return self.signs[0]

    @property
    def signs(self) -> list[str]:
        return [_SIGNS.get(key, key.replace("ctrl+", "^")) for key in self.keys.split(",")]

    def told(self, where: Where) -> str:
        return self.now(where) if self.now else self.words


_SIGNS = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "down": "↓",
    "up": "↑",
    "shift+tab": "S-tab",
    "ctrl+c": "^C",
}
KEYS = (
    Key("e", "edit", "open the failing file", Group.SERVICE, lambda w: 1 if w.editable else None,
        lambda w: w.editable, lambda w: "edit"),
    Key("s", "stop", "stop the running cycle", Group.SERVICE, lambda w: 2, lambda w: w.busy, lambda w: "stop cycle"),
    Key("x", "show_broken", "go to the service that failed", Group.LOOK, lambda w: 2, lambda w: w.elsewhere,
        lambda w: f"go to {w.broken}"),
    Key("b", "build", "build now", Group.SERVICE, lambda w: 3, _begun,
        lambda w: f"build {w.chosen}" if w.elsewhere else "build now"),
    Key("r", "restart", "restart Pods without a build", Group.SERVICE, lambda w: 6, _begun, lambda w: "restart"),
    Key("space", "pause", "pause, or resume", Group.SERVICE, lambda w: 1 if w.paused else 4, _begun,
        lambda w: "resume" if w.paused else "pause"),
    Key("t", "take_over", "take the workload over", Group.SERVICE,
        lambda w: 1 if w.read_only else None, lambda w: w.read_only, lambda w: "take over"),
    Key("f", "follow", "follow the end, or stay here", Group.LOG, lambda w: None if w.following else 2, _in_logs,
        lambda w: "stay here" if w.following else "follow"),
    Key("slash", "find", "find in the log", Group.LOG, lambda w: 5, _in_logs, lambda w: "find"),
    Key("n", "older", "next match, upwards", Group.LOG, lambda w: 2, lambda w: _in_logs(w) and w.finding,
        lambda w: "older"),
    Key("N", "newer", "next match, downwards", Group.LOG, lambda w: 2, lambda w: _in_logs(w) and w.finding,
        lambda w: "newer"),
    Key("g", "top", "the oldest line", Group.LOG, means=_in_logs),
    Key("G", "end", "the newest line, and follow", Group.LOG, means=_in_logs),
    Key("ctrl+f", "page(1)", "a page down", Group.LOG, lambda w: 1 if w.below else None,
        now=lambda w: "page down"),
    Key("ctrl+b", "page(-1)", "a page up", Group.LOG),
    Key("ctrl+e", "line(1)", "a line down", Group.LOG),
    Key("ctrl+y", "line(-1)", "a line up", Group.LOG),
    Key("P", "only_pod", "only one Pod, running ones first", Group.LOG, means=lambda w: _in_logs(w) and w.pods),
    Key("c", "only_container", "only the lines of one container", Group.LOG,
        means=lambda w: _in_logs(w) and w.containers),
    Key("v", "level", "only info and worse, warn, error", Group.LOG, means=_in_logs),
    Key("w", "wrap", "wrap long lines, or cut them", Group.LOG, lambda w: 8, _in_logs, lambda w: "wrap"),
    Key("W", "save", "save the log to a file", Group.LOG, means=_in_logs),
    Key("d", "why", "why does it run what it runs", Group.LOOK, _rank_of_why, _begun,
        lambda w: "ask again" if w.pane == "why" else "why"),
    Key("l", "pane('logs')", "the log", Group.LOOK),
    Key("i", "pane('build')", "the build", Group.LOOK),
    Key("p,o,enter", "pane('pods')", "the Pods", Group.LOOK),
    Key("h", "pane('history')", "the cycles so far", Group.LOOK),
    Key("down,j,tab", "step(1)", "next service, or a line down", Group.LOOK, lambda w: 5 if w.several else None,
        _begun, lambda w: "service" if w.several else "a line down"),
    Key("k,up,shift+tab", "step(-1)", "previous service, or a line up", Group.LOOK),
    Key("A", "pause_all", "pause all, or resume all", Group.SERVICE, means=lambda w: w.begun and w.several),
    Key("S", "shell", "a shell in a Pod", Group.SERVICE, lambda w: 9, lambda w: w.begun and w.shells,
        lambda w: "shell"),
    Key("R", "restore", "put the workload back as it was", Group.SERVICE),
    Key("y", "copy", "copy what broke, or a line", Group.SCREEN, lambda w: 3 if w.off else 7, _begun,
        lambda w: "copy"),
    Key("m", "mouse", "free the mouse, or take it back", Group.SCREEN, means=lambda w: True),
    Key("T", "theme", "dark or light", Group.SCREEN, means=lambda w: True),
    Key("colon", "command_palette", "commands by their names", Group.SCREEN, lambda w: 3, lambda w: True,
        lambda w: "commands"),
    Key("question_mark", "help", "what the keys do here", Group.SCREEN, lambda w: 1, lambda w: True, lambda w: "help"),
    Key("q", "leave", "back; from the log: quit", Group.SCREEN, lambda w: 0, lambda w: True,
        lambda w: "quit" if w.pane == "logs" else "back"),
    Key("escape", "retreat", "back; never quits", Group.SCREEN, means=lambda w: True),
    Key("ctrl+c", "interrupt", "quit devloop at once", Group.SCREEN, means=lambda w: True),
)  # fmt: skip
_NO_COMMANDS = {"command_palette", "retreat", "interrupt"}
_ASKING = {"edit", "stop", "build", "restart", "pause", "pause_all", "take_over", "why", "shell", "restore"}
"""Actions that are the session's: in a replay there is none."""
_FIRST = {"step(1)", "step(-1)", "interrupt"}
"""Actions whose keys no widget may take for itself."""


def bindings() -> list[Binding]:
    return [
        Binding(key.keys, key.action, key.words, show=False, priority=key.action in _FIRST)
        for key in KEYS
        if key.action != "command_palette"
    ]


def foot(where: Where) -> list[tuple[str, str, str, int]]:
    """The keys that mean something now: sign, words, action, and how soon each may be left out."""
    found = [(key, key.rank(where)) for key in KEYS if key.is_for(where)]
    return [(key.sign, key.told(where), key.action, rank) for key, rank in found if rank is not None]


def meaning(where: Where) -> dict[Group, list[Key]]:
    """The same for `?`: all of them, those of where one is first."""
    here = [Group.LOG, Group.SERVICE] if where.pane == "logs" else [Group.SERVICE]
    order = [*here, *(group for group in Group if group not in here and group is not Group.LOG)]
    found = {group: [key for key in KEYS if key.group is group and key.is_for(where)] for group in order}
    return {group: keys for group, keys in found.items() if keys}
