"""What a view shows of memory: nodes and edges stated before an instant, what is current of them, and their chains.

Here belongs meaning: a node is superseded once a node that is seen supersedes it; several that do so, or an edge
`contradicts` between two that are current, are a conflict, which is shown and never resolved by itself. A chain is all
nodes that edges connect, whatever their direction, and is known by its earliest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from context_plane.errors import NotFound
from context_plane.instants import format_instant
from context_plane.memory.nodes.memory import Memory
from context_plane.memory.nodes.node import CONTRADICTS, SUPERSEDES, Edge, Kept


@dataclass(frozen=True, eq=False)
class Node:
    """A node as a view shows it."""

    kept: Kept
    superseded_by: tuple[str, ...]
    """Nodes that take its place; the first came first."""
    accesses: int
    """In how many answers it was, up to the view's log number."""
    seen: Seen

    @property
    def id(self) -> str:
        """What it is known by, and its event's id."""
        return self.kept.id

    @property
    def entity(self) -> str:
        """The entity that it is about; others are in `about`."""
        return self.kept.entity

    @property
    def type(self) -> str:
        """One of `TYPES`."""
        return self.kept.type

    @property
    def text(self) -> str:
        """What is remembered."""
        return self.kept.text

    @property
    def at(self) -> int:
        """From when on it holds, microseconds since 1970."""
        return self.kept.at

    @property
    def time(self) -> str:
        """The same in RFC 3339."""
        return format_instant(self.kept.at)

    @property
    def recorded(self) -> str:
        """When it was told, RFC 3339."""
        return format_instant(self.kept.recorded)

    @property
    def confidence(self) -> float:
        """From 0 to 1, as it was told."""
        return self.kept.confidence

    @property
    def session(self) -> str:
        """In which session it was told; empty where that was not said."""
        return self.kept.session

    @property
    def about(self) -> tuple[str, ...]:
        """Further entities that it is about."""
        return self.kept.about

    @property
    def current(self) -> bool:
        """Whether nothing supersedes it."""
        return not self.superseded_by

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges from it, in order of time."""
        return tuple(self.seen.edges_from(self.id))

    @cached_property
    def conflicts(self) -> tuple[str, ...]:
        """Nodes that are current, like this one, and do not agree with it."""
        return () if self.superseded_by else self.seen.conflicts(self.id)

    @property
    def chain(self) -> str:
        """The id of its chain: that of the earliest node in it."""
        return self.seen.chain_of(self.id)

    def to_json(self) -> dict[str, Any]:
        """As `cortex memory show --json` prints it."""
        kept = self.kept
        return {
            "id": kept.id, "entity": kept.entity, "about": list(kept.about), "type": kept.type, "text": kept.text,
            "time": self.time, "recorded": self.recorded, "confidence": kept.confidence, "session": kept.session,
            "origin": kept.origin, "current": self.current, "superseded_by": list(self.superseded_by),
            "conflicts": list(self.conflicts), "accesses": self.accesses, "chain": self.chain,
            "edges": [{"kind": e.kind, "target": e.target, "time": format_instant(e.at)} for e in self.edges],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Seen:
    """Memory, cut at an instant."""

    memory: Memory
    cut: int
    """The first instant that is not seen, microseconds since 1970."""
    number: int
    """The last commit that is seen."""
    _superseded: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """What was found already, as in the next two: of a list of nodes the same is asked of many."""
    _heirs: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _chains: dict[str, str] = field(default_factory=dict, repr=False)

    def __contains__(self, id_: str) -> bool:
        kept = self.memory.nodes.get(id_)
        return kept is not None and kept.at < self.cut and self._known(id_)

    def _known(self, event: str) -> bool:
        return self.memory.since.get(event, 0) <= self.number

    def kept(self, id_: str) -> Kept:
        """A node as it was told. Raises `NotFound` for one that is not seen."""
        kept = self.memory.nodes.get(id_) if isinstance(id_, str) else None
        if kept is None or id_ not in self:
            future = kept is not None and self._known(id_)
            what = f"memory {id_} holds from {_time(kept)} on" if future and kept else f"there is no memory {id_!r:.80}"
            raise NotFound(what, where="memory", remedy="check the id; a later as_of or known_at may know it")
        return kept

    def node(self, id_: str) -> Node:
        """A node, with what is to be said of it. Raises `NotFound`."""
        return self.described(self.kept(id_))

    def described(self, kept: Kept) -> Node:
        """What is to be said of a node that is seen."""
        return Node(kept, self.superseded_by(kept.id), self._accesses(kept.id), self)

    def _accesses(self, id_: str) -> int:
        later = bisect_right(self.memory.later.get(id_, ()), self.number)
        return self.memory.accessed.get(id_, 0) + later

    def edges_from(self, id_: str) -> Iterator[Edge]:
        """Edges whose actor it is, in order of time."""
        return self._seen(self.memory.by_actor.get(id_, ()))

    def edges_to(self, id_: str) -> Iterator[Edge]:
        """Edges whose target it is, in order of time."""
        return self._seen(self.memory.by_target.get(id_, ()))

    def _seen(self, edges: Iterable[Edge]) -> Iterator[Edge]:
        return (e for e in edges if e.at < self.cut and self._known(e.event) and e.actor in self and e.target in self)

    def superseded_by(self, id_: str) -> tuple[str, ...]:
        """The nodes that take its place, the first first."""
        known = self._superseded.get(id_)
        if known is None:
            found = dict.fromkeys(edge.actor for edge in self.edges_to(id_) if edge.kind == SUPERSEDES)
            known = self._superseded[id_] = tuple(found)
        return known

    def conflicts(self, id_: str) -> tuple[str, ...]:
        """Of a current node: the current ones that contradict it, or in the end take the place of the same as it."""
        found = {e.target for e in self.edges_from(id_) if e.kind == CONTRADICTS}
        found |= {e.actor for e in self.edges_to(id_) if e.kind == CONTRADICTS}
        found = {other for other in found if not self.superseded_by(other)}
        for edge in self.edges_from(id_):
            if edge.kind == SUPERSEDES:
                found |= self._rivals(edge.target)
        return tuple(sorted(found - {id_}))

    def _rivals(self, id_: str) -> frozenset[str]:
        """The current nodes that in the end take the place of a node, or of what that took the place of."""
        known = self._heirs.get(id_)
        if known is None:
            before = self._along({id_}, lambda each: (e.target for e in self.edges_from(each) if e.kind == SUPERSEDES))
            after = self._along(before, self.superseded_by)
            known = self._heirs[id_] = frozenset(each for each in after if not self.superseded_by(each))
        return known

    def _along(self, start: set[str], near: Callable[[str], Iterable[str]]) -> set[str]:
        """Some nodes, and all that are come to from them."""
        found, todo = set(start), list(start)
        while todo:
            fresh = set(near(todo.pop())) - found
            found |= fresh
            todo += fresh
        return found

    def chain_of(self, id_: str) -> str:
        """The id of a node's chain: that of the earliest node in it. Raises `NotFound`."""
        if id_ not in self._chains:
            chain = self.chain(id_)
            self._chains.update((kept.id, chain[0].id) for kept in chain)
        return self._chains[id_]

    def chain(self, id_: str) -> list[Kept]:
        """All nodes that edges connect with one, in order. Raises `NotFound`."""
        found = self._along({self.kept(id_).id}, self._near)
        return sorted(map(self.kept, found), key=lambda kept: kept.order)

    def _near(self, id_: str) -> Iterator[str]:
        yield from (edge.target for edge in self.edges_from(id_))
        yield from (edge.actor for edge in self.edges_to(id_))

    def about(self, entity: str) -> list[Kept]:
        """The nodes about an entity, in order."""
        held = self.memory.by_entity.get(entity, ())
        return [self.memory.nodes[id_] for at, id_ in held if at < self.cut and self._known(id_)]

    def all(self) -> list[Kept]:
        """All nodes, in order."""
        held = list(self.memory.nodes.values())
        return sorted((each for each in held if each.at < self.cut and self._known(each.id)), key=lambda k: k.order)


def _time(kept: Kept) -> str:
    return format_instant(kept.at)
