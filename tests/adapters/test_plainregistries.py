"""Which registries are plain HTTP while the engine cannot be asked."""

from devloop.adapters.plainregistries import RememberedRegistries
from tests.adapters.memory import Memory

LISTED = frozenset({"registry.test:5000", "10.0.0.0/8"})


class Engine:
    def __init__(self) -> None:
        self.listed: frozenset[str] | None = LISTED

    async def ask(self) -> frozenset[str] | None:
        return self.listed


async def test_what_the_engine_listed_last_counts_while_it_is_away() -> None:
    engine, state = Engine(), Memory()
    assert await RememberedRegistries(engine.ask, state)() == LISTED
    engine.listed = None
    assert await RememberedRegistries(engine.ask, state)() == LISTED


async def test_what_it_lists_no_longer_is_forgotten() -> None:
    engine, state = Engine(), Memory()
    remembered = RememberedRegistries(engine.ask, state)
    await remembered()
    engine.listed = frozenset()
    assert await remembered() == frozenset()
    engine.listed = None
    assert await remembered() == frozenset()


async def test_nothing_is_known_of_an_engine_that_was_never_there() -> None:
    engine, state = Engine(), Memory()
    engine.listed = None
    assert await RememberedRegistries(engine.ask, state)() is None
    state.store("insecure registries", b"{")
    assert await RememberedRegistries(engine.ask, state)() is None
