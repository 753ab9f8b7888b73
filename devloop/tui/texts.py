"""What each part of the screen says, as text of a given width. Pure: from the state, its past, and where one is.

What can be clicked carries its action: a row of a service, a tab, a key at the foot.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from devloop.core.events import CheckFinished
from devloop.core.state import SessionState
from devloop.tui.painted import GAP, columns, cut, spread, styled, widest
from devloop.views import Tone
from devloop.views.band import Band
from devloop.views.board import (
    FINE,
    NOTHING_SERVES,
    Row,
    brief,
    headline,
    others,
    overall,
    phases_line,
    rows,
    summed,
    trouble,
)
from devloop.views.chronicle import Chronicle

LOW = 16
"""Rows of a terminal below which only what cannot be done without is shown."""
_HIGH = 26
"""Rows from which on there is room for more than a few services."""
_MOST_ROWS = 5
_NARROW, _WIDE = 100, 120
DOT = " · "
_POD = re.compile(r"\bPod [\w.-]+-(\w{5})\b")
"""The end of its name tells a Pod from another; copying a failure copies the whole."""


def is_low(height: int) -> bool:
    return height < LOW


def status_text(
    state: SessionState, past: Chronicle, now: float, width: int, height: int, chosen: str = "", *, replay: bool = False
) -> Text:
    """Of one service how it is, of several how many are how; where that is; what is away; and that it is a replay."""
    away = trouble(state)
    right = styled(f"! {away} ", Tone.BAD) if away else Text()
    if replay:
        right.append("replay ", Tone.QUIET)
    where = f"{state.context} / {state.namespace}" if state.context else "devloop"
    if not state.has_begun:
        return spread(styled(f" {where}", "key"), right, width)
    if len(state.services) == 1:
        (only,) = state.services.values()
        left = _fitting(*headline(only, past, now), width - right.cell_len - 2)
    elif is_low(height):
        left = _joined(others(state, past, now, chosen, width - right.cell_len))
    else:
        told = _joined(overall(state, past, now))
        return spread(Text.assemble(styled(f" {where}", "key"), "  ", told), right, width)
    if is_low(height) and not right and left.cell_len + len(where) + 3 < width:
        right = styled(f"{where} ", Tone.QUIET)  # elsewhere it stands in another line
    return spread(left, right, width)


def _joined(parts: Sequence[tuple[str, Tone]]) -> Text:
    line = Text(" ")
    for at, (text, tone) in enumerate(parts):
        line.append(DOT if at else "", Tone.QUIET).append(text, tone)
    return line


def _fitting(parts: Sequence[tuple[str, int]], tone: Tone, width: int) -> Text:
    """The parts, without those that may be left out first as long as there is no room for all."""
    kept = list(parts)
    while len(DOT.join(text for text, _ in kept)) + 1 > width and any(rank for _, rank in kept):
        worst = max(rank for _, rank in kept)
        kept = [part for part in kept if part[1] != worst]
    first, *more = [text for text, _ in kept]
    line = Text(" ").append(first, tone)
    line.stylize("bold", 1)
    for text in more:
        line.append(DOT, Tone.QUIET).append(text)
    return line


def checks_text(state: SessionState, width: int, height: int) -> Text:
    """What was checked at the start, a tick each; what to do about what failed; and that the rest is being checked."""
    fine = [styled(f" ✔ {check.check}: {check.message}", Tone.GOOD) for check in state.checks if check.ok]
    files = sum(service.files for service in state.services.values())
    if files:
        fine.insert(0, styled(f" ✔ source: {files:,} file{'' if files == 1 else 's'} watched", Tone.GOOD))
    failed = [line for check in state.checks if not check.ok for line in _failed_check(check, width)]
    if not failed:
        doing = "checking the cluster, the registry and the builder" if state.services else "starting"
        failed = [styled(f" … {doing}", Tone.BUSY)]
    room = max(0, height - len(failed))  # what failed is what one has to see
    shown = [*(fine[-room:] if room else []), *failed]
    return Text("\n").join(cut(line, width) for line in shown[:height])


def _failed_check(check: CheckFinished, width: int) -> list[Text]:
    said = check.message if check.check in check.message else f"{check.check}: {check.message}"
    first, more = _parted(styled(f" ✘ {said}", Tone.BAD), width)
    hint = styled(f"→ {check.hint}") if check.hint else Text()
    return [first, *_wrapped(more, width), *_wrapped(hint, width)]


def services_text(
    state: SessionState, past: Chronicle, now: float, chosen: str, width: int, height: int, taken: int = 0
) -> Text:
    """Where the time goes for one service, a row each for several. `taken`: rows that are something else's."""
    if len(state.services) == 1:
        (only,) = state.services.values()
        where = f"{only.name} on {state.context} / {state.namespace} "
        spans = styled(f" {phases_line(only, past, now)}", Tone.QUIET)
        spans.highlight_words("✘", Tone.BAD)
        return spread(spans, styled(where, Tone.QUIET), width)
    found = rows(state, past, now)
    shown = _that_fit(found, chosen, _room(height, taken))
    lines = _lines(shown, chosen, width)
    hidden = [each for each in found if each not in shown]
    if hidden and not is_low(height):
        lines.append(cut(_more(hidden), width))
    return Text("\n").join(lines)


def _room(height: int, taken: int) -> int:
    """Rows for services: the log keeps half of the terminal."""
    if is_low(height):
        return 1
    room = max(1, height // 2 - taken)
    return room if height >= _HIGH else min(room, _MOST_ROWS)


def _that_fit(found: Sequence[Row], chosen: str, room: int) -> list[Row]:
    """The worst ones and the chosen one, in their order."""
    if len(found) <= room:
        return list(found)
    # What is fine takes no more room than a few rows; how many they are says the line below.
    room = min(room, max(_MOST_ROWS, sum(each.rank < FINE for each in found) + 1))
    kept = sorted(found, key=lambda each: (each.rank, each.service != chosen))[:room]
    if all(each.service != chosen for each in kept):
        kept[-1:] = [each for each in found if each.service == chosen] or kept[-1:]
    return [each for each in found if each in kept]


def _more(hidden: Sequence[Row]) -> Text:
    """`+3 verified · 1 waiting`."""
    text = styled(" +", Tone.QUIET)
    for at, (words, tone) in enumerate(summed(hidden)):
        text.append(DOT if at else "", Tone.QUIET).append(words, Tone.QUIET if tone is Tone.GOOD else tone)
    return text


def _lines(shown: Sequence[Row], chosen: str, width: int) -> list[Text]:
    table = [_cells(each, chosen, width) for each in shown]
    widths = [widest(table, 0, 6, max(12, width // 4)), widest(table, 1, 15, 24)]
    if width >= _NARROW:
        widths += [widest(table, 2, 10, 24), widest(table, 3, 0, 16)]
    room = width - sum(each + len(GAP) for each in widths)
    for cells in table:
        detail, tone = cells[len(widths)]
        cells[len(widths)] = (detail if cell_len(detail) <= room else brief(detail), tone)
    lines = columns(table, widths, width)
    for each, line in zip(shown, lines, strict=True):
        line.append(" " * max(0, width - line.cell_len))
        _clickable(line, f"app.pick({each.service!r})")
    return lines


def _cells(each: Row, chosen: str, width: int) -> list[tuple[str, str]]:
    mark, style = (">", "key") if each.service == chosen else (" ", "plain")
    middle = [(each.files, "plain"), (each.saved, "quiet")] if width >= _NARROW else []
    tone = "plain" if each.tone in {Tone.BAD, Tone.WARN} else "quiet"
    tone = "bad" if each.detail == NOTHING_SERVES else tone
    bars = f"   {each.bars}" if each.bars and width >= _WIDE else ""
    word = f"{each.word} {each.pods}".rstrip()
    return [(f"{mark}{each.service}", style), (word, each.tone), *middle, (each.detail, tone), (bars, "quiet")]


def band_text(broken: Band, keys: Sequence[tuple[str, str]], width: int, height: int, *, several: bool) -> Text:
    """What broke and the keys that act on it; the line that tells why, whole if two lines hold it; what to do."""
    head, right = _head(broken, several=several), _named(keys)
    broken = replace(broken, what=_without_what_is_known(broken))
    what, why = styled(f" {broken.what}"), styled(broken.decisive, "key")
    if is_low(height) and broken.where in {"build", "rollout"} and broken.decisive:
        first, more = _parted(Text.assemble(head, " ", why), width)
        has_room = not more and first.cell_len + right.cell_len < width
        return Text("\n").join([spread(first, right if has_room else Text(), width), *_wrapped(more, width)][:2])
    sentence, more = Text.assemble(head, what), Text()
    if not broken.decisive:  # the sentence is all there is, and goes on
        sentence, more = _parted(sentence, width - right.cell_len - 1)
    first = spread(sentence, right, width)
    if is_low(height):
        below = [Text(" ").join(part for part in (more, why) if part)]
        # What to do is worth a row more where no service has one of its own.
        below += [styled(f"→ {broken.hint}")] if broken.hint and not several else []
        return Text("\n").join([first, *(cut(Text.assemble("   ", line), width) for line in below if line)])
    hint = styled(f"→ {broken.hint}") if broken.hint else Text()
    below_it = (line for part in (more, why, hint) for line in _wrapped(part, width))
    return Text("\n").join([first, *below_it])


def _without_what_is_known(broken: Band) -> str:
    """What failed, without the container that is called as its service, and with the ends of Pods' names."""
    return _POD.sub(r"Pod \1", broken.what.replace(f"container {broken.service} of Pod", "Pod"))


def _head(broken: Band, *, several: bool) -> Text:
    named = [broken.service] if several and broken.service else []
    mark, word, style = (
        ("", "RESTORED", "calm") if broken.restored
        else ("!", "not as proved", "caution") if broken.warns
        else ("✘", "", "alarm")
    )  # fmt: skip
    more = f" (+{broken.others} more)" if broken.others else ""
    told = " ".join(part for part in (mark, *named, broken.where or word) if part)
    return styled(f" {told}{more} ", style)


def _named(keys: Sequence[tuple[str, str]]) -> Text:
    text = Text()
    for key, what in keys:
        text.append(f" {key} ", "key").append(f"{what} ")
    return text


def _wrapped(text: Text, width: int) -> list[Text]:
    """At most two lines, below what they belong to."""
    first, more = _parted(text, width - 4)
    return [Text.assemble("   ", cut(line, width - 4)) for line in (first, more) if line]


def _parted(text: Text, room: int) -> tuple[Text, Text]:
    """What has room, and the rest; between two words if they are not too long."""
    if text.cell_len <= room:
        return text, Text()
    space = text.plain.rfind(" ", max(1, room // 2), max(2, room))
    return (text[:space], text[space + 1 :]) if space > 0 else (text[: max(1, room)], text[max(1, room) :])


def tabs_text(panes: Sequence[tuple[str, str]], pane: str, about: str, right: str, width: int) -> Text:
    """Which pane is shown, how to open the others, and what it is about."""
    left = Text()
    for key, name in panes:
        start = len(left)
        if name == pane:
            left.append(f" [{name}] ", "key")
        else:
            left.append(f" {key} ", "key").append(f"{name} ", "quiet")
        _clickable(left, f"app.pane('{name}')", start)
    left.append(f"   {about}" if about else "", "quiet")
    return spread(left, styled(f"{right} " if right else "", "quiet"), width)


def keys_text(keys: Sequence[tuple[str, str, str, int]], right: str, width: int) -> Text:
    """The keys that mean something now: sign, words, action, and how soon each may be left out."""
    end = styled(f"{right} " if right else "", "quiet")
    kept = list(keys)
    while kept and _length(kept) > width - end.cell_len:
        worst = max(rank for *_, rank in kept)
        if worst == 0:
            break
        last = max(at for at, (*_, rank) in enumerate(kept) if rank == worst)
        del kept[last]
    text = Text()
    for key, what, action, _ in kept:
        start = len(text)
        text.append(f" {key} ", "key").append(f"{what} ", "quiet")
        _clickable(text, f"app.{action}", start)
    return spread(text, end, width)


def told_text(message: str, tone: Tone, width: int) -> Text:
    """What came of a key, where the keys stand otherwise: nothing that is read lies below it."""
    return cut(styled(f" {' '.join(message.split())}", "key" if tone is Tone.PLAIN else tone), width)


def tip_text(tip: str, width: int) -> Text:
    """What to try next; two lines where one is too short for it."""
    first, more = _parted(styled(" ".join(tip.split()), "key"), width - 2)
    return Text("\n").join(Text.assemble(" ", line) for line in (first, cut(more, width - 2)) if line)


def _length(keys: Sequence[tuple[str, str, str, int]]) -> int:
    return sum(len(key) + len(what) + 3 for key, what, *_ in keys)


def _clickable(text: Text, action: str, start: int = 0) -> None:
    text.stylize(Style(meta={"@click": action}), start)
