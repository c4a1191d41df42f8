"""Adding: nodes and edges into a tenant's log, checked against all that is remembered when they come in.

Here belongs what is told twice: a call that is repeated because its answer was lost changes nothing, also while the
first one is still under way in another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from context_plane.errors import Conflict, InputError
from context_plane.instants import now
from context_plane.log.append import append
from context_plane.log.events import Limits, Normaliser
from context_plane.log.outcome import RefusedBatch
from context_plane.memory.nodes.checks import check, settled
from context_plane.memory.nodes.memory import Memory
from context_plane.memory.nodes.node import Edge, Kept, link_event

if TYPE_CHECKING:
    from context_plane.log.history import History
    from context_plane.memory.nodes.keeping import Keeper
    from context_plane.parts.snapshots import Snapshot


def add(
    history: History,
    keeper: Keeper,
    snapshot: Snapshot | None,
    nodes: Sequence[Kept],
    links: Sequence[Edge],
    limits: Limits,
) -> list[Kept]:
    """Appends what is not remembered yet, all or none, and returns the nodes as they are remembered.

    `snapshot` is what is loaded first, if nothing has been yet. Raises `InputError`, `NotFound`, `Conflict`,
    `Unavailable`.
    """
    while True:
        history.refresh()
        memory = keeper.head(snapshot)
        stated = settled(memory, nodes)
        lacking = _lacking(memory, stated, links)
        if not lacking.nodes and not lacking.edges:
            return stated
        lacking.check(memory)
        events = lacking.events(memory, stated, limits)
        try:
            append(history, events, limits=limits, guard=partial(_recheck, keeper, lacking))
            return stated
        except RefusedBatch as refused:
            # Each event is good by itself: an id was taken meanwhile, by who said the same, or by something else.
            history.refresh()
            if _lacking(keeper.head(snapshot), stated, links) == lacking:
                what = refused.commit.rejected[0].reason
                raise Conflict(what, where="id", remedy="give another id, or none") from refused


def _recheck(keeper: Keeper, lacking: _Lacking) -> None:
    lacking.check(keeper.head(None))


@dataclass(frozen=True)
class _Lacking:
    """What of a call is not remembered yet."""

    nodes: tuple[Kept, ...]
    edges: tuple[Edge, ...]

    def check(self, memory: Memory) -> None:
        """Raises what `check` does."""
        check(memory, self.nodes, self.edges)

    def events(self, memory: Memory, stated: Sequence[Kept], limits: Limits) -> list[dict[str, Any]]:
        """The events that state it. Raises `InputError` for what the log would refuse, in words of who is calling."""
        recorded = now()
        numbers = {node.id: f"node {number}" for number, node in enumerate(stated, 1)} if len(stated) > 1 else {}
        told = {numbers.get(node.id, "memory"): node.event() for node in self.nodes}
        links = [link_event(edge, memory.nodes[edge.actor].entity, recorded) for edge in self.edges]
        normalise = Normaliser(limits, internal=True)
        for where, event in (*told.items(), *(("link", event) for event in links)):
            try:
                normalise(event)
            except InputError as error:
                raise InputError(error.what, where=where, remedy=error.remedy) from error
        return [*told.values(), *links]


def _lacking(memory: Memory, stated: Sequence[Kept], links: Sequence[Edge]) -> _Lacking:
    nodes = {node.id: node for node in stated if node.id not in memory.nodes}
    return _Lacking(tuple(nodes.values()), tuple(edge for edge in links if not _is_stated(memory, edge)))


def _is_stated(memory: Memory, edge: Edge) -> bool:
    return any((e.kind, e.target) == (edge.kind, edge.target) for e in memory.by_actor.get(edge.actor, ()))
