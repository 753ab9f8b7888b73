"""What an edit of the configuration changes of the services of a session that runs. Pure.

Services are compared as they are resolved, so that what is written another way and means the same changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from devloop.core.service import BuildSpec, Service

_WITHOUT_A_CYCLE = frozenset({"depends_on"})
"""Keys that say nothing of the image, of what runs it, or of what is watched."""
_OF_FILES = frozenset({"watch", "ignore", "build.context", "build.dockerfile"})


@dataclass(frozen=True, slots=True)
class Changed:
    """A service that is there before and after."""

    old: Service
    new: Service
    keys: tuple[str, ...]
    """What the file says otherwise, as it names it: `build.args`."""

    @property
    def needs_cycle(self) -> bool:
        """Whether what runs by the old settings is of no use any more."""
        return not _WITHOUT_A_CYCLE.issuperset(self.keys)

    @property
    def needs_watch(self) -> bool:
        """Whether other files are watched, or others of them count."""
        return not _OF_FILES.isdisjoint(self.keys)


@dataclass(frozen=True, slots=True)
class Difference:
    """From the services that run to those that are wanted."""

    added: tuple[Service, ...] = ()
    changed: tuple[Changed, ...] = ()
    removed: tuple[Service, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def outdated(self) -> frozenset[str]:
        """Services whose running cycle is of no use any more."""
        return frozenset(each.name for each in self.removed) | {c.new.name for c in self.changed if c.needs_cycle}

    @property
    def begun(self) -> tuple[Service, ...]:
        """Services that have a cycle to run by what is new, as they are wanted."""
        return (*self.added, *(each.new for each in self.changed if each.needs_cycle))

    @property
    def watched(self) -> tuple[Service, ...]:
        """Services whose files are watched anew."""
        return (*self.added, *(each.new for each in self.changed if each.needs_watch))


def difference(running: Iterable[Service], wanted: Iterable[Service]) -> Difference:
    """Compare by name; the order of services, which decides nothing but who is first, is no difference."""
    before, after = ({each.name: each for each in services} for services in (running, wanted))
    both = [(before[name], new) for name, new in after.items() if name in before and before[name] != new]
    return Difference(
        tuple(new for name, new in after.items() if name not in before),
        tuple(Changed(old, new, tuple(_keys(old, new))) for old, new in both),
        tuple(old for name, old in before.items() if name not in after),
    )


def _keys(old: Service, new: Service) -> Iterator[str]:
    yield from _of_images(old, new)
    if old.load is not new.load:
        yield "load"
    elif old.pin is not new.pin:
        yield "pin"
    if [key.namespace for key in old.workloads[:1]] != [key.namespace for key in new.workloads[:1]]:
        yield "namespace"
    if [str(key) for key in old.workloads] != [str(key) for key in new.workloads]:
        yield "workload"
    if old.containers != new.containers:
        yield "container"
    for field in fields(BuildSpec):
        if getattr(old.build, field.name) != getattr(new.build, field.name) and not _follows(field.name, old, new):
            yield f"build.{field.name}"
    for key in ("watch", "ignore", "depends_on"):
        if getattr(old, key) != getattr(new, key) and not _follows(key, old, new):
            yield key


def _follows(key: str, old: Service, new: Service) -> bool:
    """Whether it is what comes with the build context, before and after: then nobody wrote it otherwise."""
    if key == "watch":
        return all(each.watch == (each.build.context,) for each in (old, new))
    return key == "dockerfile" and all(
        each.build.dockerfile == each.build.context / "Dockerfile" for each in (old, new)
    )


def _of_images(old: Service, new: Service) -> Iterator[str]:
    if old.image.name != new.image.name:
        yield "image"
    if old.image.effective_tag != new.image.effective_tag:
        yield "tag"
    is_the_image = old.push == old.image and new.push == new.image
    if old.push.name != new.push.name and not is_the_image:
        yield "push_image"
