"""Nodes as a kind of memory's parts: which checks they have, what the table of nodes says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from context_plane.log.history import History
from context_plane.memory.building import Beside, Kind
from context_plane.memory.nodes import part
from context_plane.memory.nodes.node import PREFIX, SOURCE
from context_plane.memory.nodes.part import Rows
from context_plane.memory.table import DIGEST, columns, hashed
from context_plane.parts.part import MEMORY

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.retrieval.building.embeddings import Embeddings

TABLE: Final = "memory_nodes"
EDGES: Final = "memory_edges"
VECTOR: Final = "vector"


def nodes(embeddings: Callable[[], Embeddings] | None) -> Kind[Rows]:
    """The kind. The table has the vectors of texts that the table of embeddings has, where there is one."""
    return Kind(
        MEMORY,
        {"format": part.FORMAT},
        part.rows_of,
        part.merge,
        part.encode,
        part.decode,
        check,
        count,
        TABLE,
        lambda: schema(None if embeddings is None else embeddings().dimension),
        partial(told, embeddings=embeddings),
        History.touched_by_own,
        Beside(EDGES, edge_schema, lambda days: {day: _edges(rows) for day, rows in days.items()}),
    )


def count(rows: Rows) -> int:
    """How many nodes a part has."""
    return len(rows.nodes)


def check(events: pa.Table, rows: Rows) -> dict[str, bool]:
    """The checks of a day: rows against the timeline, and whether they come out again."""
    import numpy as np
    import pyarrow.compute as pc

    own = pc.and_(pc.starts_with(events["type"], PREFIX), pc.equal(events["source"], SOURCE))
    again = part.rows_of(events.take(np.arange(len(events))[::-1]))
    return {
        "row_count": (pc.sum(own).as_py() or 0) == len(rows),
        "deterministic": part.encode(again, {}) == part.encode(rows, {}),
    }


def schema(dimension: int | None = None) -> pa.Schema:
    """The columns of the table of nodes, one row a node, with vectors where there are such."""
    import pyarrow as pa

    text, instant, several = pa.string(), pa.timestamp("us", tz="UTC"), pa.list_(pa.string())
    vector = [] if dimension is None else [pa.field(VECTOR, pa.list_(pa.float32(), dimension))]
    return columns(
        pa.field("recorded", instant, nullable=False),
        pa.field("entity", text, nullable=False),
        pa.field("type", text, nullable=False),
        pa.field("text", text, nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("session", text, nullable=False),
        pa.field("origin", text, nullable=False),
        pa.field("about", several, nullable=False),
        *vector,
    )


def told(days: Mapping[int, Rows], embeddings: Callable[[], Embeddings] | None) -> dict[int, pa.Table]:
    """The nodes of parts as the table has them; `key` is a node's id, `time` from when on it holds."""
    if embeddings is None:
        return {day: _table(rows, {}, None, "") for day, rows in days.items()}
    table = embeddings()
    known = table.known([node.text for rows in days.values() for node in rows.nodes])
    return {day: _table(rows, known, table.dimension, table.model) for day, rows in days.items()}


def _table(rows: Rows, vectors: Mapping[str, Any], dimension: int | None, model: str) -> pa.Table:
    import pyarrow as pa

    found = schema(dimension)
    values: list[dict[str, Any]] = [
        {
            "key": node.id, "time": node.at, "recorded": node.recorded, "entity": node.entity, "type": node.type,
            "text": node.text, "confidence": node.confidence, "session": node.session, "origin": node.origin,
            "about": list(node.about),
        }
        for node in rows.nodes
    ]  # fmt: skip
    for row in values:
        vector = vectors.get(row["text"])
        row[DIGEST] = hashed([*row.values(), "" if vector is None else model])
        row[VECTOR] = None if vector is None else vector.tolist()
    return pa.table(
        {name: pa.array([row[name] for row in values], found.field(name).type) for name in found.names}, found
    )


def edge_schema() -> pa.Schema:
    """The columns of the table of typed edges, one row an edge; `event` is the id of the event that states it."""
    import pyarrow as pa

    return columns(*(pa.field(name, pa.string(), nullable=False) for name in ("actor", "kind", "target", "event")))


def _edges(rows: Rows) -> pa.Table:
    import pyarrow as pa

    edges = [*(edge for node in rows.nodes for edge in node.edges), *rows.links]
    said = [[edge.actor, edge.kind, edge.target, edge.event] for edge in edges]
    keys = [hashed(each) for each in said]
    values = [keys, [edge.at for edge in edges], *([each[at] for each in said] for at in range(4)), keys]
    found = edge_schema()
    return pa.table(
        {name: pa.array(column, found.field(name).type) for name, column in zip(found.names, values, strict=True)},
        found,
    )
