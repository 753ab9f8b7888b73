"""What a build context leaves out, exactly as BuildKit decides it, and what never starts a cycle.

`parse` reads an ignore file like BuildKit's reader; `Matcher` decides like moby/patternmatcher as fsutil uses it to
send a context: every pattern in order, `!` takes back, a folder's matches are inherited by what is in it, and an
ignored folder is not entered unless a `!` pattern may match below it. `NEVER` and `is_temporary` are devloop's own
and only about watching: BuildKit sends those files when no pattern ignores them.
"""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from devloop.core.ignore_pattern import BadPatternError, Test, compile_pattern

_GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go trims from a line; Python's `strip` takes a few more."""
_WILDCARDS = re.compile(r"[*\[\]?^\\]")


def parse(text: bytes | str) -> tuple[str, ...]:
    """The patterns of an ignore file, cleaned as BuildKit's reader does it; comments and empty lines are left out."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    lines = text.removeprefix("\ufeff").split("\n")
    return tuple(pattern for line in lines if (pattern := _read_line(line.removesuffix("\r"))))


def _read_line(line: str) -> str:
    # A comment starts in the first column; ` #x` is a pattern.
    pattern = "" if line.startswith("#") else line.strip(_GO_SPACE)
    if not pattern.startswith("!"):
        return _relative(pattern)
    return "!" + _relative(pattern[1:].strip(_GO_SPACE))


def _quoted(text: str) -> str:
    return f"`{text}`" if text.isprintable() else repr(text)


def _relative(pattern: str) -> str:
    cleaned = _clean(pattern) if pattern else ""
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned


def _clean(path: str) -> str:
    """Go's `filepath.Clean`; Python keeps a double slash at the start."""
    return posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern of an ignore file, ready to use."""

    text: str
    """Cleaned, with its `!`."""
    takes_back: bool
    test: Test = field(repr=False, compare=False)

    @property
    def literal_prefix(self) -> str | None:
        """The folder that it can match in, with a slash; None when a wildcard leaves that open."""
        bare = self.text.removeprefix("!").removesuffix("/**").removesuffix("/*")
        return None if _WILDCARDS.search(bare) else bare + "/"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one path is ignored, and by which pattern."""

    ignored: bool = False
    pattern: str = ""
    """The last pattern that had a say, as cleaned; empty when none had."""
    matched: tuple[bool, ...] = ()
    """For each pattern, whether it matched this path or a folder above it: what is in a folder inherits that."""
    whole: bool = False
    """An ignored folder in which nothing can be taken back: it need not be entered."""


class Matcher:
    """The patterns of one ignore file, as a whole."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns: tuple[Pattern, ...] = ()
        self.problems: tuple[str, ...] = ()
        """One sentence for each pattern that BuildKit refuses; such a pattern is left out here."""
        texts = tuple(map(_clean, patterns))
        # BuildKit sends the patterns in a header, and encodes it only when one of them is not ASCII.
        plain = all(text.isascii() for text in texts)
        for text in texts:
            self._add(text, plain)

    def _add(self, text: str, plain: bool) -> None:
        takes_back = text.startswith("!")
        bare = text[1:] if takes_back else text
        try:
            if not bare:
                raise BadPatternError("it takes nothing back")
            if plain and not text.isprintable():
                raise BadPatternError("it contains a control character")
            self.patterns += (Pattern(text, takes_back, compile_pattern(bare)),)
        except BadPatternError as error:
            self.problems += (f"BuildKit refuses the ignore pattern {_quoted(text)}: {error}",)

    @cached_property
    def _prefixes(self) -> tuple[str, ...] | None:
        """Where `!` patterns may match; None: anywhere."""
        prefixes = [pattern.literal_prefix for pattern in self.patterns if pattern.takes_back]
        known = tuple(prefix for prefix in prefixes if prefix is not None)
        return known if len(known) == len(prefixes) else None

    def decide(self, path: str, parent: Decision) -> Decision:
        """About one path, given the decision about the folder that it is in (`Decision()` at the top)."""
        if parent.whole or not self.patterns:
            return parent
        ignored, last, matched = False, "", []
        inherited = parent.matched or (False,) * len(self.patterns)
        for pattern, above in zip(self.patterns, inherited, strict=True):
            match = above or (pattern.takes_back == ignored and pattern.test(path))
            matched.append(match)
            if match:
                ignored, last = not pattern.takes_back, pattern.text
        return Decision(ignored, last, tuple(matched), ignored and not self._may_take_back_in(path))

    def _may_take_back_in(self, folder: str) -> bool:
        slashed = folder + "/"
        return self._prefixes is None or any(prefix.startswith(slashed) for prefix in self._prefixes)

    def about(self, path: str) -> Decision:
        """About a path given alone; the folders above it are decided first."""
        decision, end = Decision(), 0
        while end >= 0:
            end = path.find("/", end + 1)
            decision = self.decide(path if end < 0 else path[:end], decision)
        return decision

    def ignores(self, path: str) -> bool:
        return self.about(path).ignored

    def deciding(self, path: str) -> str:
        """The pattern that ignores the path, or took it back; empty when none says anything about it."""
        return self.about(path).pattern

    def may_contain_kept(self, folder: str) -> bool:
        """Whether anything below the folder can be in the context."""
        return not self.about(folder).whole


VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".jj", ".bzr"})
"""Folders that change with every command of a version control system, and never start a cycle.

Without a pattern BuildKit does send them, so an image that contains them is not rebuilt when only they change."""

_TEMPORARY = re.compile(
    r"""
    4913                                # Vim tries whether it may write a folder
  | \..*\.sw[a-px] | .*\.sw[opx]        # Vim's swap files
  | .+~                                 # backups of Vim, Emacs, gedit, Kate
  | \.\#.+ | \#.+\#                     # Emacs' locks and auto-saves
  | .*___jb_(?:tmp|old|bak)___          # JetBrains' safe write
  | \..*\.kate-swp | \.goutputstream-.* # Kate, GLib
  | \.nfs[0-9a-f]{16,} | \.fuse_hidden.* # deleted while open
  | \.DS_Store | \._.*                  # the Finder
    """,
    re.VERBOSE | re.DOTALL,
)


def is_temporary(name: str) -> bool:
    """Whether an editor or the system makes files of that name for a moment: they never start a cycle."""
    return _TEMPORARY.fullmatch(name) is not None


def never_triggers(path: str) -> bool:
    """Whether a change of this path can never start a cycle, whatever the ignore file says."""
    *folders, name = path.split("/")
    return is_temporary(name) or name in VERSION_CONTROL or not VERSION_CONTROL.isdisjoint(folders)
