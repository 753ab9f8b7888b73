"""What each part of the screen says, as text of a given width. Pure: from the state, its past, and where one is."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from devloop.core.state import SessionState
from devloop.tui.painted import STYLES, columns, painted, spread
from devloop.views import Phrase, Tone
from devloop.views.board import Band, Row, headline, overall, phases_line, rows, trouble
from devloop.views.chronicle import Chronicle

_MOST_ROWS = 5
"""Service rows where the terminal is low; failures come first, and the chosen one stays."""
_LOW, _MIDDLE = 16, 26
"""Rows of a terminal below which there is room for one service, and for few."""
_NARROW = 100


def status_text(state: SessionState, past: Chronicle, now: float, width: int) -> Text:
    """Where one is, how many services are how, and what is away."""
    left = Text(f" {state.context} / {state.namespace}" if state.context else " devloop", "bold")
    for text, tone in overall(state, past, now) if len(state.services) > 1 else ():
        left.append("   ").append(text, STYLES[tone])
    away = trouble(state)
    return spread(left, Text(f"! {away} " if away else "", STYLES[Tone.BAD]), width)


def checks_text(state: SessionState, height: int) -> Text:
    """What is being checked at the start: a tick each, and what to do about what failed."""
    lines = []
    for check in state.checks:
        mark, tone = ("✔", Tone.GOOD) if check.ok else ("✘", Tone.BAD)
        lines.append(Phrase(f" {mark} {check.check}: {check.message}", tone))
        if check.hint:
            lines.append(Phrase(f"   → {check.hint}", tone))
    return painted(lines[-max(2, height // 2) :] or [Phrase(" starting …", Tone.BUSY)])


def services_text(state: SessionState, past: Chronicle, now: float, chosen: str, width: int, height: int) -> Text:
    """Two lines for one service, a row each for several."""
    if len(state.services) == 1:
        (only,) = state.services.values()
        sentence, tone = headline(only, past, now)
        first = Text(f" {sentence}", STYLES[tone])
        first.truncate(width, overflow="ellipsis")
        return first if height < _LOW else first.append(f"\n {phases_line(only, past, now)}", "dim")
    found = rows(state, past, now)
    shown = _that_fit(found, chosen, height)
    text = columns([_cells(each, chosen, width) for each in shown], width)
    hidden = [each for each in found if each not in shown]
    return text.append(f"\n   +{_summed(hidden)}", "dim") if hidden and height >= _LOW else text


def _that_fit(found: list[Row], chosen: str, height: int) -> list[Row]:
    room = 1 if height < _LOW else _MOST_ROWS if height < _MIDDLE else max(_MOST_ROWS, height // 2 - 3)
    shown = found[:room]
    if chosen not in {each.service for each in shown}:
        shown[-1:] = [each for each in found if each.service == chosen] or shown[-1:]
    return shown


def _summed(hidden: Iterable[Row]) -> str:
    """`3 verified, 1 waiting for db`."""
    counts: dict[str, int] = {}
    for each in hidden:
        word = each.word.split(" ")[0].lower()
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _cells(each: Row, chosen: str, width: int) -> list[tuple[str, str]]:
    mark, style = (">", "bold") if each.service == chosen else (" ", "")
    saved = f"saved {each.saved}" if each.saved else ""
    middle = [] if width < _NARROW else [(each.files, ""), (saved, "dim")]
    return [(f"{mark}{each.service}", style), (each.word, STYLES[each.tone]), *middle, (each.detail, "dim")]


def band_text(broken: Band, width: int, height: int) -> Text:
    """What broke, the line that tells why, what to do, and the key that does it."""
    keys = [*(["e edit"] if broken.file else []), "i build" if broken.where == "build" else "l logs"]
    what = " ".join(part for part in (broken.service, broken.where) if part)
    text = spread(Text(f" ✘ {what}  {broken.message}", "bold"), Text(f"{' · '.join(keys)} "), width)
    if height < _LOW:
        return text
    for line in (broken.decisive, f"→ {broken.hint}" if broken.hint else ""):
        if line:
            more = Text(f"   {line}")
            more.truncate(width, overflow="ellipsis")
            text.append("\n").append_text(more)
    return text


def tabs_text(panes: Sequence[str], pane: str, about: str, right: str, width: int) -> Text:
    """Which pane is shown, and of what."""
    left = Text()
    for name in panes:
        left.append(f" [{name}]" if name == pane else f"  {name} ", "bold" if name == pane else "dim")
    return spread(left.append(f"   {about}", "dim"), Text(f"{right} " if right else "", "dim"), width)


def keys_text(keys: Iterable[tuple[str, str]], width: int) -> Text:
    """The keys that mean something now."""
    text = Text()
    for key, what in keys:
        text.append(f" {key} ", "bold").append(f"{what} ", "dim")
    text.truncate(width, overflow="ellipsis")
    return text
