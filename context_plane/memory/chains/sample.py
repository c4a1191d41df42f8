"""Samples: what the links of a tenant are like, for people who look at the asset. Nothing here decides an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from context_plane.memory.chains import part
from context_plane.memory.chains.graph import Graph
from context_plane.memory.chains.layer import Layer
from context_plane.memory.chains.walk import Walk, walk
from context_plane.parts.daily import chosen, open_part
from context_plane.parts.part import LINKS, Catalog

if TYPE_CHECKING:
    from context_plane.parts.files import Files

_MOST: Final = 500_000
"""Links beyond which nothing is sampled: they would all have to be loaded for it."""
_SHOWN: Final = 5
_DEPTH: Final = 3


@dataclass(frozen=True)
class Sample:
    """What links are like."""

    links: int = 0
    rules: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many links there are, by kind and rule, the most frequent first."""
    walks: tuple[tuple[int, Walk], ...] = ()
    """Of the entities with most links: how many these are, and what came of the entity, three links deep."""


def sample(files: Files, tenant: str, catalog: Catalog) -> Sample:
    """Looks at the links of a catalog. Raises `Corrupt`."""
    parts = chosen(LINKS, catalog)
    count = sum(each.rows for each in parts)
    if not 0 < count <= _MOST:
        return Sample(count)
    tables = [part.decode(*open_part(files, tenant, LINKS, each)) for each in parts]
    rules = Counter[tuple[str, str]]()
    for each in tables:
        links = part.links_of(each)
        rules.update(zip(links["kind"].to_pylist(), links["rule"].to_pylist(), strict=True))
    layer = Layer(tables)
    graph = Graph([layer])
    most = [name for name in layer.most() if name in graph][:_SHOWN]
    walks = [(len(graph.before(name)) + len(graph.after(name)), walk(graph, name, "forward", _DEPTH)) for name in most]
    return Sample(count, dict(rules.most_common()), tuple(walks))
