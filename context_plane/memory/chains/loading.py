"""Loading: the graph of a view out of the parts of its snapshot and the log's tail.

Here belongs the choice of what is read. Parts answer for what they were made by: where links are declared otherwise
now, or a snapshot has no parts of links yet, all events of the view are folded, which gives the same and takes longer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from context_plane.canonical import digest
from context_plane.memory.chains import part
from context_plane.memory.chains.graph import Graph
from context_plane.memory.chains.kind import about, published
from context_plane.memory.chains.layer import Layer
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.extractor import open_extractor
from context_plane.parts.daily import chosen, open_part, part_key
from context_plane.parts.part import LINKS
from context_plane.parts.timeline import read_rows, table
from context_plane.parts.view import tail_of

if TYPE_CHECKING:
    from context_plane.parts.view import View

CACHED: Final = "links"
"""How layers of parts are called in the cache."""


@dataclass(frozen=True)
class Seen:
    """What the graphs of a log number and snapshot are made of, whatever instant they are cut at."""

    identity: tuple[int, int, str]
    layers: tuple[Layer, ...]
    graph: Graph
    """The last one."""


def graph_of(view: View, declared: Linking | None, seen: dict[str, Seen]) -> Graph:
    """The graph of a view, by what the home declares; without a home by what its parts were made by.

    `seen` keeps what the last view of each tenant is made of. Raises what the extractor does, `Corrupt`, `NotFound`.
    """
    linking = published(view.catalog) if declared is None else declared
    snapshot = view.snapshot.number if view.snapshot else 0
    identity = (view.history.news(view.number), snapshot, digest(linking.to_json()))
    known = seen.get(view.tenant)
    same = known is not None and known.identity == identity
    if known is None or not same or known.graph.cut != view.as_of:
        layers = known.layers if known is not None and same else _layers(view, linking)
        known = seen[view.tenant] = Seen(identity, layers, Graph(layers, view.as_of))
    return known.graph


def _layers(view: View, linking: Linking) -> tuple[Layer, ...]:
    extractor = open_extractor(linking.extractor)
    if view.catalog.about.get(LINKS) != about(linking, extractor):
        events = replace(view, end=view.history.beyond(view.number) or 0).events()
        return (Layer([part.rows_of(events, linking, extractor)]),)
    tail = tail_of(view.history, view.snapshot, view.number, LINKS, lambda record: record.own)
    refs = (ref for refs in tail.segments.values() for ref in refs)
    fresh = table(list(read_rows(view.history, refs)))
    held = _of_parts(view, tail.outdated)
    return (held, Layer([part.rows_of(fresh, linking, extractor)])) if len(fresh) else (held,)


def _of_parts(view: View, outdated: Collection[int]) -> Layer:
    """The layer of the snapshot's parts but for those of some days."""
    parts = chosen(LINKS, view.catalog, outdated)

    def load() -> Layer:
        view.files.prefetch((part_key(view.tenant, LINKS, each), each.version, each.size) for each in parts)
        read = (open_part(view.files, view.tenant, LINKS, each) for each in parts)
        return Layer([part.decode(*each) for each in read])

    layer: Layer = view.files.memory.obtain((CACHED, view.tenant, digest([each.version for each in parts])), load)
    return layer
