"""Frames as one SVG that moves by itself: CSS alone, no script and no font from elsewhere, so that `<img>` can show it.

Each row that is there at some time is drawn once, and shown where and while it is there. Who wants no motion, and
whatever cannot move, shows the last frame.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from html import escape, unescape

from tests.pictures.frames import INK, PAPER, Look, Row, Run, Shown

CELL, LINE, SIZE = 8.4, 18, 14
"""Width and height of a cell, and of the letters in it: six tenths of them is how wide most fonts are."""
_SIDE, _BAR = 14, 34
_FONTS = "ui-monospace,SFMono-Regular,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_DOTS = ("#ff5f57", "#febc2e", "#28c840")
Place = tuple[int, Row]
"""A row, and which of the screen's it is."""


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def animated(shown: Sequence[Shown], *, title: str, said: str, columns: int) -> str:
    """The picture; `title` is what stands in its bar, `said` what it shows, in words."""
    width, height = columns * CELL + 2 * _SIDE, max(len(each.frame) for each in shown) * LINE + _BAR + _SIDE
    drawing, film = _Drawing(), _Film(shown)
    groups = [
        f"<g{film.attributes(spans)}>{''.join(drawing.use(line, row) for line, row in places)}</g>"
        for spans, places in film.groups.items()
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" role="img" '
        f'xml:space="preserve" aria-label="{escape(said)}">',
        f"<title>{escape(said)}</title>",
        f"<style>{_STYLE}{drawing.style()}{film.style()}</style>",
        f"<defs>{drawing.definitions()}</defs>",
        f'<rect width="{width:g}" height="{height}" rx="9" fill="{_hex(PAPER)}"/>',
        f'<path d="M0 {_BAR - 6}V9a9 9 0 0 1 9-9h{width - 18:g}a9 9 0 0 1 9 9v{_BAR - 15}z" fill="#262b31"/>',
        *(f'<circle cx="{20 + 20 * at}" cy="14" r="6" fill="{dot}"/>' for at, dot in enumerate(_DOTS)),
        f'<text class="bar" x="{width / 2:g}" y="19">{escape(title)}</text>',
        f'<g transform="translate({_SIDE} {_BAR})">',
        *groups,
        "</g></svg>",
    ]
    return "\n".join(parts) + "\n"


_STYLE = (
    f"text{{font:{SIZE}px {_FONTS};fill:{_hex(INK)};white-space:pre}}rect{{shape-rendering:crispEdges}}"
    ".bar{font-weight:bold;fill:#b9c4d3;text-anchor:middle}.h{visibility:hidden}"
    "@media(prefers-reduced-motion:reduce){.m{animation:none!important}}"
)


class _Film:
    """Which rows are there when. Rows that come and go together are one group, with one animation."""

    def __init__(self, shown: Sequence[Shown]) -> None:
        self.seconds = sum(each.seconds for each in shown)
        spans: defaultdict[Place, list[tuple[float, float]]] = defaultdict(list)
        now = 0.0
        for each in shown:
            for place in enumerate(each.frame):
                if place[1]:
                    before = spans[place]
                    since = before.pop()[0] if before and before[-1][1] == now else now
                    before.append((since, now + each.seconds))
            now += each.seconds
        self._end = now
        self.groups: defaultdict[tuple[tuple[float, float], ...], list[Place]] = defaultdict(list)
        for place, when in spans.items():
            self.groups[tuple(when)].append(place)
        self._names = {when: f"k{at}" for at, when in enumerate(self.groups) if when != ((0.0, now),)}

    def attributes(self, spans: tuple[tuple[float, float], ...]) -> str:
        name = self._names.get(spans)
        if name is None:
            return ""
        last = "" if spans[-1][1] == self._end else " h"
        return f' class="m{last}" style="animation-name:{name}"'

    def style(self) -> str:
        if not self._names:
            return ""
        frames = (f"@keyframes {name}{{{self._stops(spans)}}}" for spans, name in self._names.items())
        return f".m{{animation:{self.seconds:.2f}s step-end infinite}}" + "".join(frames)

    def _stops(self, spans: tuple[tuple[float, float], ...]) -> str:
        stops = [] if spans[0][0] == 0 else [(0.0, "hidden")]
        for since, until in spans:
            stops += [(since, "visible"), (until, "hidden")]
        return "".join(f"{100 * at / self._end:.2f}%{{visibility:{what}}}" for at, what in stops if at < self._end)


class _Drawing:
    """The rows, each once, and the looks that they have."""

    def __init__(self) -> None:
        self._rows: dict[Row, str] = {}
        self._looks: dict[Look, str] = {}

    def use(self, line: int, row: Row) -> str:
        name = self._rows.setdefault(row, f"r{len(self._rows)}")
        return f'<use href="#{name}" y="{line * LINE}"/>'

    def definitions(self) -> str:
        return "".join(f'<g id="{name}">{"".join(map(self._run, row))}</g>\n' for row, name in self._rows.items())

    def style(self) -> str:
        for row in self._rows:
            for run in row:
                self._looks.setdefault(_of_text(run.look), f"c{len(self._looks)}")
        return "".join(f".{name}{{{_css(look)}}}" for look, name in self._looks.items())

    def _run(self, run: Run) -> str:
        x, drawn = run.column * CELL, ""
        if run.look.paper != _hex(PAPER):
            drawn = f'<rect x="{x:g}" width="{run.width * CELL:.5g}" height="{LINE}" fill="{run.look.paper}"/>'
        text = run.text.rstrip()
        if not text.strip():
            return drawn
        blank = len(text) - len(text.lstrip())
        return drawn + self._text(x + blank * CELL, text[blank:], run)

    def _text(self, x: float, text: str, run: Run) -> str:
        """With its length, so that columns stand below each other in whatever font there is."""
        long = (run.width - (len(run.text) - len(run.text.strip()))) * CELL
        look = self._looks[_of_text(run.look)]
        return f'<text x="{x:.5g}" y="13.5" textLength="{long:.5g}" class="{look}">{escape(text, quote=False)}</text>'


def _of_text(look: Look) -> Look:
    return Look(look.ink, "", look.bold, look.italic, look.underline)


def _css(look: Look) -> str:
    more = [
        *(["font-weight:bold"] if look.bold else []),
        *(["font-style:italic"] if look.italic else []),
        *(["text-decoration:underline"] if look.underline else []),
    ]
    return ";".join([f"fill:{look.ink}", *more])


def last_words(svg: str) -> str:
    """What its last frame says, as one text."""
    rows = {name: _texts(drawn) for name, drawn in re.findall(r'<g id="(r\d+)">(.*?)</g>\n', svg)}
    groups = re.findall(r'<g(?: class="m"[^>]*)?>((?:<use [^>]*/>)+)</g>', svg)
    places = [(int(y), rows[name]) for group in groups for name, y in re.findall(r'href="#(r\d+)" y="(\d+)"', group)]
    return "\n".join(words for _, words in sorted(places))


def _texts(drawn: str) -> str:
    return " ".join(unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", drawn))
