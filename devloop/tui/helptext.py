"""What `?` shows: the keys of where one is, group by group, in two columns where there is room."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from devloop.tui.keys import Group, Key
from devloop.tui.painted import cut

_SIGNS = 10
_COLUMN = 46


def help_text(groups: Mapping[Group, Sequence[Key]], width: int) -> Text:
    blocks = [_block(group, keys) for group, keys in groups.items()]
    if width < 2 * _COLUMN - 4:
        return Text("\n").join(line for block in blocks for line in block)
    left, right = _halves(blocks)
    lines = []
    for at in range(max(len(left), len(right))):
        line = cut(left[at], _COLUMN - 2) if at < len(left) else Text()
        line.append(" " * (_COLUMN - line.cell_len))
        lines.append(line.append_text(right[at]) if at < len(right) else line)
    return Text("\n").join(lines)


def _block(group: Group, keys: Sequence[Key]) -> list[Text]:
    lines = [Text().append(f"{group}", "quiet")]
    for key in keys:
        lines.append(Text().append(f"{' '.join(key.signs):{_SIGNS}} ", "key").append(key.words))
    return [*lines, Text()]


def _halves(blocks: Sequence[list[Text]]) -> tuple[list[Text], list[Text]]:
    """Where one column becomes the other, so that the longer of them is as short as can be."""
    at = min(range(len(blocks) + 1), key=lambda n: max(sum(map(len, blocks[:n])), sum(map(len, blocks[n:]))))
    return [line for block in blocks[:at] for line in block], [line for block in blocks[at:] for line in block]
