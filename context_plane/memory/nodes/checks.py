"""Checks: what must hold of nodes and edges before they are added to what is remembered.

They are made against everything that was committed before, and again when another writer came first: a graph that two
writers could make cyclic together would be one that no reader can walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from context_plane.errors import Conflict, InputError, NotFound
from context_plane.memory.nodes.memory import Memory
from context_plane.memory.nodes.node import UNORDERED, Edge, Kept

_SHOWN = 12


def check(memory: Memory, nodes: Sequence[Kept], links: Iterable[Edge] = ()) -> None:
    """Raises `NotFound` for an edge from or to a node that is not there, and `InputError` for one that would close a
    circle, with the path of it."""
    new = {node.id: node for node in nodes}
    edges = [edge for node in nodes for edge in node.edges] + list(links)
    for edge in edges:
        for id_ in (edge.actor, edge.target):
            if id_ not in memory.nodes and id_ not in new:
                what = f"{edge.actor} {edge.kind} {edge.target}, but there is no memory {id_!r:.80}"
                raise NotFound(what, where=edge.kind, remedy="remember that first, or check the id")
    added: dict[str, list[str]] = {}
    followed: set[str] = set()
    for edge in edges:
        if edge.kind in UNORDERED:
            continue
        # Mostly nothing comes after the later one yet, and then a chain of thousands need not be gone back.
        follows = edge.later in followed or _is_followed(memory, edge.later)
        path = _path(memory, added, edge.earlier, edge.later) if follows else None
        if path is not None:
            shown = [*path[: _SHOWN - 1], "…", path[-1]] if len(path) > _SHOWN else path
            what = f"{edge.actor} {edge.kind} {edge.target} would close a circle: {' comes after '.join(shown)}"
            remedy = "a memory cannot come after what came of it: leave the link out, or remember something new"
            raise InputError(what, where=edge.kind, remedy=remedy)
        added.setdefault(edge.later, []).append(edge.earlier)
        followed.add(edge.earlier)


def settled(memory: Memory, nodes: Iterable[Kept]) -> list[Kept]:
    """Nodes as they are remembered already where the same was told before: by a call that is repeated because its
    answer was lost, or earlier in the same one. Raises `Conflict` for an id that says something else."""
    told: dict[str, Kept] = {}
    found = []
    for node in nodes:
        known = memory.nodes.get(node.id) or told.setdefault(node.id, node)
        if not _same(node, known):
            what = f"memory {node.id} says something else already"
            raise Conflict(what, where="id", remedy="give another id, or none; supersedes takes its place")
        found.append(known)
    return found


def _same(node: Kept, known: Kept) -> bool:
    """Whether a node says what is known. When it was told does not count, nor from when on it holds where that is when
    it was told."""
    at = known.at if node.at == node.recorded else node.at
    return replace(node, recorded=known.recorded, at=at) == known


def _is_followed(memory: Memory, id_: str) -> bool:
    """Whether something is known to come after a node."""
    return any(
        edge.earlier == id_ and edge.kind not in UNORDERED
        for edges in (memory.by_actor.get(id_, ()), memory.by_target.get(id_, ()))
        for edge in edges
    )


def _path(memory: Memory, added: dict[str, list[str]], start: str, end: str) -> list[str] | None:
    """A way from a node back in time to another, both included; `None` where there is none."""
    came_from: dict[str, str] = {start: ""}
    todo = [start]
    while todo:
        at = todo.pop()
        if at == end:
            path = [at]
            while came_from[path[-1]]:
                path.append(came_from[path[-1]])
            return path[::-1]
        for near in (*_earlier(memory, at), *added.get(at, ())):
            if near not in came_from:
                came_from[near] = at
                todo.append(near)
    return None


def _earlier(memory: Memory, id_: str) -> Iterable[str]:
    for edges in (memory.by_actor.get(id_, ()), memory.by_target.get(id_, ())):
        for edge in edges:
            if edge.kind not in UNORDERED and edge.later == id_:
                yield edge.earlier
