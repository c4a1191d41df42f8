"""Links as a kind of memory's parts: what they are made by, which checks they have, what the table of chains says."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from context_plane.log.events import RESERVED
from context_plane.log.history import History
from context_plane.memory.building import Kind
from context_plane.memory.chains import part
from context_plane.memory.chains.layer import others
from context_plane.memory.links.declared import Linking
from context_plane.memory.links.extractor import Extractor
from context_plane.memory.links.fold import fold
from context_plane.memory.table import DIGEST, KEY, columns, hashed
from context_plane.parts.part import LINKS, Catalog

if TYPE_CHECKING:
    import pyarrow as pa

TABLE: Final = "memory_chains"
_AGAIN: Final = 4
"""Events of a day that are asked for their links once more: few, because an extractor may be a model."""
_TOLD: Final = ("source", "id", "entity", "actor", "kind", "target", "quote", "rule", "field")
_IDENTITY: Final = [
    "source", "id", "entity", "kind", "written", "target_entity", "target_event", "inverse", "rule", "field", "start",
    "end",
]  # fmt: skip
"""What makes a link another."""


def about(linking: Linking, extractor: Extractor) -> dict[str, Any]:
    """What parts of links are made by: those of another declaration or extractor do not mix with them."""
    return {"format": part.FORMAT, "linking": linking.to_json(), "extractor": extractor.id}


def published(catalog: Catalog) -> Linking:
    """What the parts of a catalog were made by, for whoever was given no home."""
    made_by = catalog.about.get(LINKS)
    return Linking.from_json(made_by["linking"]) if made_by else Linking()


def links(linking: Linking, extractor: Extractor) -> Kind[pa.Table]:
    """The kind, by what is declared."""
    return Kind(
        LINKS,
        about(linking, extractor),
        partial(part.rows_of, linking=linking, extractor=extractor),
        part.merge,
        part.encode,
        part.decode,
        partial(check, linking=linking, extractor=extractor),
        count,
        TABLE,
        schema,
        lambda days: {day: told(rows) for day, rows in days.items()},
        History.touched,
    )


def count(rows: pa.Table) -> int:
    """How many links there are among the rows of a part."""
    return len(part.links_of(rows))


def check(events: pa.Table, rows: pa.Table, linking: Linking, extractor: Extractor) -> dict[str, bool]:
    """The checks of a day: rows against the timeline, links against their events, and whether they come out again."""
    import numpy as np
    import pyarrow.compute as pc

    found = part.links_of(rows)
    told = events.filter(pc.invert(pc.starts_with(events["type"], RESERVED)))
    known = set(zip(told["source"].to_pylist(), told["id"].to_pylist(), strict=True))
    stated = list(zip(found["source"].to_pylist(), found["id"].to_pylist(), strict=True))
    some = told.take(np.unique(np.linspace(len(told) - 1, 0, _AGAIN).astype(int))[::-1]) if len(told) else told
    asked = set(zip(some["source"].to_pylist(), some["id"].to_pylist(), strict=True))
    said = [link for link, _ in part.links_in(found) if (link.source, link.id) in asked]
    return {
        "row_count": len(rows) - len(found) == pc.count_distinct(told["entity"]).as_py(),
        "stated": known.issuperset(stated),
        "deterministic": fold(some, linking, extractor) == said,
    }


@cache
def schema() -> pa.Schema:
    """The columns of the table of chains, one row a link."""
    import pyarrow as pa

    text = pa.string()
    return columns(*(pa.field(name, text, nullable=False) for name in _TOLD))


def told(rows: pa.Table) -> pa.Table:
    """The links of a part as the table has them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = part.links_of(rows).combine_chunks()
    other, entity = others(found), found["entity"]
    keys = [hashed(list(row.values())) for row in found.select(_IDENTITY).to_pylist()]
    said = zip(keys, found["time"].cast(pa.int64()).to_pylist(), found["quote"].to_pylist(), strict=True)
    made = {
        KEY: pa.array(keys, pa.string()),
        "actor": pc.if_else(found["inverse"], other, entity),
        "target": pc.if_else(found["inverse"], entity, other),
        DIGEST: pa.array([hashed(list(each)) for each in said], pa.string()),
    }
    return pa.table([made[name] if name in made else found[name] for name in schema().names], schema=schema())
