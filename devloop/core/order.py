"""The order of services: dependencies first, otherwise as written."""

from collections.abc import Iterable, Mapping, Sequence

Edges = Mapping[str, Sequence[str]]
"""For each service what it depends on; names that are no key are passed over."""


def dependencies_first(edges: Edges, wanted: Iterable[str] = ()) -> tuple[str, ...]:
    """The wanted services (all, when none is named) and what they depend on; a cycle is broken where it closes."""
    ordered: dict[str, None] = {}
    for name in tuple(wanted) or tuple(edges):
        _visit(name, edges, ordered, set())
    return tuple(ordered)


def _visit(name: str, edges: Edges, ordered: dict[str, None], above: set[str]) -> None:
    if name in ordered or name in above or name not in edges:
        return
    for dependency in edges[name]:
        _visit(dependency, edges, ordered, above | {name})
    ordered[name] = None


def cycles(edges: Edges) -> tuple[tuple[str, ...], ...]:
    """Each cycle once, as the path that closes it: `("a", "b", "a")`, begun at the service written first."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for name in edges:
        path = None if name in done else _way_back(name, edges)
        if path:
            found.append(path)
            done.update(path)
    return tuple(found)


def _way_back(start: str, edges: Edges) -> tuple[str, ...] | None:
    """The shortest path from a service to itself."""
    paths: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    for path in paths:
        for dependency in edges.get(path[-1], ()):
            if dependency == start:
                return (*path, start)
            if dependency in edges and dependency not in seen:
                seen.add(dependency)
                paths.append((*path, dependency))
    return None
