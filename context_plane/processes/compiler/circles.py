"""Circles: what in a graph of names leads back to itself.

Here belongs finding them: each set of names that all lead to each other, and the shortest way around in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Edges = Mapping[str, Mapping[str, Any]]


def circles(edges: Edges) -> Iterator[tuple[list[str], list[str]]]:
    """Each set of names that lead to each other: all of them, and the shortest way around from the first by name."""
    for group in _groups(edges):
        yield group, _shortest(edges, min(group), group)


class _Search:
    """Tarjan's algorithm, with a stack of its own."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._index: dict[str, int] = {}
        self._low: dict[str, int] = {}
        self._open: dict[str, None] = {}

    def groups(self) -> Iterator[list[str]]:
        for root in sorted(self._edges):
            todo = [] if root in self._index else [self._enter(root)]
            while todo:
                at, after = todo[-1]
                step = next(after, None)
                if step is None:
                    todo.pop()
                    if todo:
                        self._reach(todo[-1][0], self._low[at])
                    yield from self._closed(at)
                elif step not in self._index:
                    todo.append(self._enter(step))
                elif step in self._open:
                    self._reach(at, self._index[step])

    def _enter(self, name: str) -> tuple[str, Iterator[str]]:
        self._index[name] = self._low[name] = len(self._index)
        self._open[name] = None
        return name, iter(sorted(self._edges.get(name, ())))

    def _reach(self, name: str, index: int) -> None:
        self._low[name] = min(self._low[name], index)

    def _closed(self, name: str) -> Iterator[list[str]]:
        """The group that began with a name, if all of it is known now."""
        if self._low[name] != self._index[name]:
            return
        group: list[str] = []
        while not group or group[-1] != name:
            group.append(next(reversed(self._open)))
            del self._open[group[-1]]
        if len(group) > 1 or name in self._edges.get(name, ()):
            yield group


def _groups(edges: Edges) -> Iterator[list[str]]:
    return _Search(edges).groups()


def _shortest(edges: Edges, first: str, group: Iterable[str]) -> list[str]:
    inside = set(group)
    paths = deque([[first]])
    seen: set[str] = set()
    while paths:
        path = paths.popleft()
        for after in sorted(inside & set(edges[path[-1]])):
            if after == first:
                return path
            if after not in seen:
                seen.add(after)
                paths.append([*path, after])
    return [first]
