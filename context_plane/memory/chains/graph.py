"""The graph of a view: things (entities, events) and the links between them, each known by the events that state it.

Here belongs which of two linked things came first, and what several layers say together. A link says what its event's
entity does; what it refers to was there before, but for the few kinds that lead onward.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from context_plane.memory.chains.layer import Layer
from context_plane.memory.chains.part import rows_of
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.link import Link

if TYPE_CHECKING:
    import pyarrow as pa

ONWARD: Final = frozenset({"led_to"})
"""Kinds of which the target comes after what the link is said of."""
WEAKEST: Final = "refs"
"""Said of whatever no more is said of: left out where the same two have a link of another kind."""
_END: Final = 1 << 62
"""Behind all times."""


@dataclass(frozen=True)
class Thing:
    """Something that links lead from or to."""

    id: str
    """An entity, or the id of an event, or a reference as it is written where it is neither."""
    since: int | None = None
    """Time of its first event in the view, in microseconds; `None` for what the view does not have."""
    title: str = ""
    """The first line of its first event's text."""


@dataclass(frozen=True, order=True)
class Edge:
    """A statement that one thing does something to another, with where it stands."""

    time: int
    kind: str
    actor: str
    target: str
    link: Link = field(compare=False)
    quote: str = field(default="", compare=False)
    """The words that say so; empty for a column."""

    @property
    def later(self) -> str:
        """Which of the two came after the other."""
        return self.target if self.kind in ONWARD else self.actor

    @property
    def earlier(self) -> str:
        """Which of the two was there before."""
        return self.actor if self.kind in ONWARD else self.target


class Graph:
    """Things and links of one view. Safe for threads.

    Nothing is computed of things that nobody asks for: of each the few links that lead from or to it are put together
    when it is come to.
    """

    def __init__(self, layers: Sequence[Layer], before: int = _END) -> None:
        """Of what `layers` say of the time before an instant (microseconds)."""
        self._layers = tuple(layers)
        self.cut = before
        self._kept: dict[str, list[Edge]] = {}
        self._things: dict[str, Thing] = {}

    def __contains__(self, id_: str) -> bool:
        return self.thing(id_).since is not None

    def thing(self, id_: str) -> Thing:
        """What is known of an id; of one that the view does not have no more than that."""
        known = self._things.get(id_)
        if known is None:
            found = [first for each in self._layers if (first := each.first(id_)) is not None and first.time < self.cut]
            first = min(found, default=None)
            known = self._things[id_] = Thing(id_) if first is None else Thing(id_, first.time, first.title)
        return known

    def before(self, id_: str) -> list[Edge]:
        """Links to what came before a thing, in order of time."""
        return [edge for edge in self._edges(id_) if edge.later == id_]

    def after(self, id_: str) -> list[Edge]:
        """Links to what came after it, in order of time."""
        return [edge for edge in self._edges(id_) if edge.earlier == id_]

    def entities(self) -> list[str]:
        """All entities that have an event, sorted."""
        found: set[str] = set()
        for layer in self._layers:
            found.update(layer.entities[at] for at in (layer.since < self.cut).nonzero()[0])
        return sorted(found)

    def edges(self) -> Iterator[Edge]:
        """All links, thing by thing; each once."""
        for id_ in sorted({name for layer in self._layers for name in layer.names}):
            yield from self.before(id_)

    def _edges(self, id_: str) -> list[Edge]:
        """The links from or to a thing. Of several statements of the same the first is kept, and a mere reference is
        left out where more is said of the same two."""
        known = self._kept.get(id_)
        if known is None:
            links = [each for layer in self._layers for each in layer.links(id_, self.cut)]
            edges = [_edge(*each) for each in sorted(links, key=lambda each: each[0])]
            first: dict[tuple[str, str, str], Edge] = {}
            for edge in sorted(edges):
                if edge.actor != edge.target:
                    first.setdefault((edge.actor, edge.kind, edge.target), edge)
            typed = {frozenset((a, b)) for a, kind, b in first if kind != WEAKEST}
            known = [e for (a, kind, b), e in first.items() if kind != WEAKEST or frozenset((a, b)) not in typed]
            self._kept[id_] = known
        return known


def of_events(events: pa.Table, linking: Linking) -> Graph:
    """The graph of what the events of a timeline state, by the extractor that is declared. The plane's own events are
    left out. Takes some 20 µs an event."""
    return Graph([Layer([rows_of(events, linking)])])


def _edge(link: Link, quote: str) -> Edge:
    actor, kind, target = link.edge
    return Edge(link.time, kind, actor, target, link, quote)
