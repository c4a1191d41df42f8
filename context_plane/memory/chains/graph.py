"""The graph of a view: things (entities, events) and the links between them, each known by the events that state it.

Here belongs which of two linked things came first. A link says what its event's entity does; what it refers to was
there before, but for the few kinds that lead onward.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from context_plane.log.events import RESERVED
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.fold import fold
from context_plane.memory.links.link import Link

if TYPE_CHECKING:
    import pyarrow as pa

ONWARD: Final = frozenset({"led_to"})
"""Kinds of which the target comes after what the link is said of."""
WEAKEST: Final = "refs"
"""Said of whatever no more is said of: left out where the same two have a link of another kind."""
_TITLE: Final = 100


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
    """Things and links of one view. Immutable."""

    def __init__(self, things: Mapping[str, Thing], edges: Iterable[Edge]) -> None:
        """Of several statements of the same the first is kept."""
        self._things = dict(things)
        first: dict[tuple[str, str, str], Edge] = {}
        for edge in sorted(edges):
            if edge.actor != edge.target:
                first.setdefault((edge.actor, edge.kind, edge.target), edge)
        typed = {(a, b) for a, kind, b in first if kind != WEAKEST}
        kept = [e for (a, kind, b), e in first.items() if kind != WEAKEST or not {(a, b), (b, a)} & typed]
        self._before: dict[str, list[Edge]] = {}
        self._after: dict[str, list[Edge]] = {}
        for edge in kept:
            self._before.setdefault(edge.later, []).append(edge)
            self._after.setdefault(edge.earlier, []).append(edge)
        self.edges = len(kept)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._things

    def __len__(self) -> int:
        return len(self._things)

    def thing(self, id_: str) -> Thing:
        """What is known of an id; of one that the view does not have no more than that."""
        return self._things.get(id_) or Thing(id_)

    def before(self, id_: str) -> list[Edge]:
        """Links to what came before a thing, in order of time."""
        return self._before.get(id_, [])

    def after(self, id_: str) -> list[Edge]:
        """Links to what came after it, in order of time."""
        return self._after.get(id_, [])


def of_events(events: pa.Table, linking: Linking) -> Graph:
    """The graph of what the events of a timeline state, by the extractor that is declared. The plane's own events are
    left out. Takes some 20 µs an event."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = pc.starts_with(events["type"], RESERVED)
    events = events.filter(pc.invert(own))
    links = fold(events, linking)
    columns = (events["entity"], events["time"].cast(pa.int64()), events["text"], events["source"], events["id"])
    things: dict[str, Thing] = {}
    rows: dict[tuple[str, str], int] = {}
    for row, (entity, time, text, source, id_) in enumerate(zip(*(each.to_pylist() for each in columns), strict=True)):
        known = things.get(entity)
        if known is None or known.since is None or time < known.since:
            things[entity] = Thing(entity, time, _title(text))
        rows[source, id_] = row
    data = events["data"]
    return Graph(things, (_edge(link, data[rows[link.source, link.id]].as_py()) for link in links))


def _edge(link: Link, data: str | None) -> Edge:
    """The edge of a link that an event with these data (JSON) states."""
    actor, kind, target = link.edge
    quote = ""
    if link.evidence.span is not None and data:
        start, end = link.evidence.span
        quote = str(json.loads(data).get(link.evidence.field, ""))[start:end]
    return Edge(link.time, kind, actor, target, link, " ".join(quote.split()))


def _title(text: str | None) -> str:
    line = next((line.strip() for line in (text or "").splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rstrip()}…"
