"""The faults of the soak: what is broken, for how long, and what mends it."""

import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.e2e.proxies import Proxy
from tests.e2e.shop import Shop
from tests.faults.control import Control
from tests.faults.httpproxy import HttpProxy, uploads
from tests.faults.soak.sources import Source


def nothing() -> None: ...


@dataclass(frozen=True)
class Trouble:
    """One fault; `asks` names the service that a person brings back with one command afterwards, without a save."""

    kind: str
    begin: Callable[[], None]
    end: Callable[[], None]
    seconds: float
    asks: str = ""


@dataclass(frozen=True)
class Reach:
    """All that can be broken."""

    shop: Shop
    sources: list[Source]
    registry: HttpProxy
    api: Proxy
    control: Control
    signals: Callable[[signal.Signals], None]


def trouble(reach: Reach, kind: str, chance: random.Random) -> Trouble:
    """A fault of that kind, of a length and on a service that chance chooses."""
    source, seconds = chance.choice(reach.sources), chance.uniform(1, 4)
    begin, end = KINDS[kind](reach, source, chance)
    return Trouble(kind, begin, end, seconds, source.name if kind in _ASKING else "")


Pair = tuple[Callable[[], None], Callable[[], None]]
Make = Callable[[Reach, Source, random.Random], Pair]


def _errors(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return lambda: reach.registry.answer(500), reach.registry.mend


def _limited(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return lambda: reach.registry.answer(429, only=uploads, times=3, Retry_After="1"), reach.registry.mend


def _slow(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return lambda: reach.registry.slow(chance.uniform(0.2, 1.0)), reach.registry.mend


def _cut(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return reach.registry.cut, nothing


def _api_cut(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return reach.api.cut, nothing


def _api_refused(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return reach.api.refuse, reach.api.mend


def _api_hangs(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return reach.api.hang, reach.api.mend


def _stopped(component: str) -> Make:
    return lambda reach, *_: (lambda: reach.control.stop(component), lambda: reach.control.mend(component))


def _paused(component: str) -> Make:
    return lambda reach, *_: (lambda: reach.control.pause(component), lambda: reach.control.mend(component))


def _engine_hangs(reach: Reach, source: Source, chance: random.Random) -> Pair:
    def begin() -> None:
        source.require()
        reach.control.pause("dockerd")

    return begin, lambda: reach.control.mend("dockerd")


def _pod_deleted(reach: Reach, source: Source, chance: random.Random) -> Pair:
    def begin() -> None:
        names = sorted(pod["metadata"]["name"] for pod in reach.shop.pods(source.name))
        reach.shop.run("delete", "pod", chance.choice(names), "--wait=false", "--ignore-not-found")

    return begin, nothing


def _scaled(reach: Reach, source: Source, chance: random.Random) -> Pair:
    def to(replicas: int) -> None:
        reach.shop.run("scale", f"deployment/{source.name}", f"--replicas={replicas}")

    return lambda: to(source.replicas + chance.randint(1, 2)), lambda: to(source.replicas)


def _drifted(reach: Reach, source: Source, chance: random.Random) -> Pair:
    """Somebody puts the pull policy back: nodes may start what they have, which devloop reports and does not undo."""
    body = '{"spec":{"template":{"spec":{"containers":[{"name":"%s","imagePullPolicy":"IfNotPresent"}]}}}}'
    return lambda: _run(reach, "patch", f"deployment/{source.name}", "-p", body % source.name), nothing


def _run(reach: Reach, *args: str) -> None:
    reach.shop.run(*args)


def _broken(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return lambda: source.write(broken=True), source.write


def _full(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return source.require, nothing


def _suspended(reach: Reach, source: Source, chance: random.Random) -> Pair:
    return lambda: reach.signals(signal.SIGSTOP), lambda: reach.signals(signal.SIGCONT)


KINDS: dict[str, Make] = {
    "registry answers 500": _errors,
    "registry answers 429": _limited,
    "registry is slow": _slow,
    "registry connections cut": _cut,
    "registry stopped": _stopped("registry"),
    "API connections cut": _api_cut,
    "API refused": _api_refused,
    "API hangs": _api_hangs,
    "API server stopped": _stopped("apiserver"),
    "API server hung": _paused("apiserver"),
    "engine hung in a build": _engine_hangs,
    "Pod deleted": _pod_deleted,
    "scaled": _scaled,
    "policy drifted": _drifted,
    "build broken": _broken,
    "full build": _full,
    "process suspended": _suspended,
}
_ASKING = {"policy drifted"}
RARE = {"registry stopped", "API server stopped"}
"""Takes the cluster some ten seconds."""


def deck(chance: random.Random) -> Iterator[str]:
    """Kinds of faults in an order of chance, again and again; each of them comes before any comes too often."""
    kinds = [kind for kind in KINDS for _ in range(1 if kind in RARE else 3)]
    while True:
        chance.shuffle(kinds)
        yield from kinds
