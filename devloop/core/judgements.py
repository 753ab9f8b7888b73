"""What `devloop doctor` makes of what it measured on this machine: clocks, disks, inotify limits, build contexts."""

from collections.abc import Sequence
from dataclasses import dataclass

from devloop.core.checkup import Check, Topic, counted, in_bytes
from devloop.core.problems import quoted

SKEW_NOTED, SKEW_FAILED = 2.0, 60.0
"""Seconds between two clocks. Tokens of registries are good for 60 s unless they say otherwise (distribution's
specification), so from there on a push is refused with a token that was just given."""
DISK_FAILED, DISK_NOTED = 200_000_000, 2_000_000_000
"""Free bytes: too few for the layers of a small image, and for those of a large one."""
_FREE_SPACE = "free some; what images and build caches take: docker system df"
LARGE_CONTEXT = 100_000_000
"""Bytes that take more than a moment when a builder gets them for the first time."""
LARGEST = 10
_LIMITS = {"max_user_watches": 524_288, "max_user_instances": 1024}
"""What people set the limits of inotify to."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What another clock told, and when it was asked by this machine's; Unix seconds."""

    sent: float
    received: float
    told: float
    resolution: float = 0.0
    """Seconds that it was rounded down by, at most: an HTTP `Date` has whole seconds."""

    @property
    def ahead(self) -> float:
        """How far the other clock is ahead, most probably: the answer was given half-way, the rounding took half."""
        return self.told + self.resolution / 2 - (self.sent + self.received) / 2

    @property
    def doubt(self) -> float:
        """How wrong `ahead` may be in either direction."""
        return (self.received - self.sent + self.resolution) / 2


def judge_skew(topic: Topic, whose: str, reading: Reading) -> Check:
    """Only what is certain counts: a slow answer proves nothing."""
    certain = abs(reading.ahead) - reading.doubt
    if certain < SKEW_NOTED:
        most = max(0.1, abs(reading.ahead) + reading.doubt)
        return topic.ok(f"the clock of {whose} differs from this machine's by {most:.1f} s at most")
    where = "ahead of" if reading.ahead > 0 else "behind"
    message = f"the clock of {whose} is {_duration(abs(reading.ahead))} {where} this machine's"
    fix = "set both by NTP (`timedatectl` shows this machine's); restart a virtual machine that slept"
    if certain < SKEW_FAILED:
        return topic.note(message, fix)
    return topic.failed(f"{message}: tokens and certificates that are new there or here are not valid", fix)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def judge_disk(what: str, folder: str, free: int) -> Check:
    """`what` is kept in `folder`."""
    message = f"{in_bytes(free)} free for {what} in {folder}"
    if free < DISK_FAILED:
        return Topic.DISK.failed(f"only {message}", _FREE_SPACE)
    if free < DISK_NOTED:
        return Topic.DISK.note(f"only {message}", _FREE_SPACE)
    return Topic.DISK.ok(message)


@dataclass(frozen=True, slots=True)
class InotifyUse:
    """Watches and instances of inotify: those needed, in use, or allowed."""

    watches: int
    instances: int


def judge_inotify(needed: InotifyUse, limit: InotifyUse, used: InotifyUse) -> Check:
    """Beyond a limit devloop polls, which is slower and stops nothing."""
    instead = "devloop would look at the files every few seconds instead"
    for key, more, most, now in (
        ("max_user_watches", needed.watches, limit.watches, used.watches),
        ("max_user_instances", needed.instances, limit.instances, used.instances),
    ):
        if now + more > most:
            noun = key.removeprefix("max_user_")
            message = f"{noun} needed: {more:,}, but {now:,} of {most:,} are in use: {instead}"
            return Topic.INOTIFY.note(message, f"sudo sysctl fs.inotify.{key}={_enough(key, now + more)}")
    return Topic.INOTIFY.ok(
        f"watches needed: {needed.watches:,} ({used.watches:,} of {limit.watches:,} are in use); "
        f"instances needed: {needed.instances:,} ({used.instances:,} of {limit.instances:,} are in use)"
    )


def _enough(key: str, number: int) -> int:
    """The usual value, or the next power of two that leaves as much again."""
    return max(_LIMITS[key], 1 << (2 * number - 1).bit_length())


def judge_file_system(folders: str, kind: str, *, silent: bool) -> Check:
    if not silent:
        return Topic.FILE_SYSTEM.ok(f"{kind} tells of changes: {folders}")
    message = f"{kind} does not tell of all changes, so devloop looks at the files every few seconds: {folders}"
    return Topic.FILE_SYSTEM.note(message, "keep the source on a file system of this machine (in WSL2: below ~)")


@dataclass(frozen=True, slots=True)
class ContextSize:
    """What a build context holds once its ignore file has been applied."""

    files: int
    size: int
    largest: tuple[tuple[str, int], ...]
    """Entries of its top and their bytes, the largest first; of a folder whose bytes are nearly all in one thing
    below it, that thing."""
    unreadable: tuple[str, ...] = ()


def judge_own_files(who: str, names: Sequence[str], ignore_file: str) -> Check:
    """devloop's own files, which are in `who`'s image."""
    verb, them = ("is", "it") if len(names) == 1 else ("are", "them")
    message = f"{who}: {' and '.join(names)} {verb} part of the image, so an edit of {them} makes another one"
    return Topic.CONTEXT_SIZE.note(message, f"leave {them} out in {ignore_file}: {quoted(names)}")


def judge_context(who: str, folder: str, ignore_file: str, context: ContextSize) -> Check:
    """`who` builds it; `ignore_file` is where something can be left out."""
    message = f"{who}: {counted(context.files, 'file')}, {in_bytes(context.size)} in {folder}"
    if context.largest:
        message += "; the largest: " + ", ".join(f"{name} {in_bytes(size)}" for name, size in context.largest[:LARGEST])
    if context.unreadable:
        shown = ", ".join(context.unreadable[:3])
        return Topic.CONTEXT_SIZE.note(
            f"{message}; not readable: {shown}, so a build that copies it fails",
            f"make it readable, or leave it out in {ignore_file}",
        )
    if context.size < LARGE_CONTEXT:
        return Topic.CONTEXT_SIZE.ok(message)
    fix = f"leave out what the image does not need in {ignore_file}, perhaps `{context.largest[0][0]}`"
    return Topic.CONTEXT_SIZE.note(message, fix)
