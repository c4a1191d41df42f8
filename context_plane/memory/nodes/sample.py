"""Samples: what a tenant remembers, for people who look at the asset. Nothing here decides an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from context_plane.memory.nodes import part
from context_plane.memory.nodes.node import Kept
from context_plane.parts.daily import chosen, open_part
from context_plane.parts.part import MEMORY, Catalog

if TYPE_CHECKING:
    from context_plane.parts.files import Files

_MOST: Final = 500_000
"""Nodes beyond which nothing is sampled: they would all have to be loaded for it."""
_SHOWN: Final = 5


@dataclass(frozen=True)
class Sample:
    """What is remembered."""

    nodes: int = 0
    types: Mapping[str, int] = field(default_factory=dict)
    """How many nodes there are by type, the most frequent first."""
    recalled: tuple[tuple[Kept, int], ...] = ()
    """The nodes that were in most answers, and in how many."""


def sample(files: Files, tenant: str, catalog: Catalog) -> Sample:
    """Looks at the nodes of a catalog. Raises `Corrupt`."""
    parts = chosen(MEMORY, catalog)
    count = sum(each.rows for each in parts)
    if not 0 < count <= _MOST:
        return Sample(count)
    rows = part.merge([part.decode(*open_part(files, tenant, MEMORY, each)) for each in parts])
    known = {node.id: node for node in rows.nodes}
    often = sorted(rows.accessed.items(), key=lambda each: (-each[1], each[0]))
    recalled = [(known[id_], times) for id_, times in often if id_ in known][:_SHOWN]
    return Sample(count, dict(Counter(node.type for node in rows.nodes).most_common()), tuple(recalled))
