"""The folds of search: timelines → full-text and vector shards, one a day, compacted to months and years.

Here belongs what a shard is made of; when it is made, and what of several, is `parts.daily`'s. Neighbours across
midnight are not in a day's shard: chains are joined when shards are merged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import digest
from context_plane.parts.daily import Fold, chosen, open_part
from context_plane.parts.notes import Note, merge
from context_plane.parts.part import FULLTEXT, GRAPH, VECTOR, Catalog, Part, month_of
from context_plane.parts.timeline import Built, Progress
from context_plane.retrieval.shards import entities, fulltext, merging, near, vectors
from context_plane.retrieval.shards.twins import firsts, hashes
from context_plane.retrieval.text.analysis import Analyzer
from context_plane.retrieval.text.documents import Document, Indexing, documents, searched
from context_plane.store import keys
from context_plane.store.faults import reach

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from context_plane.log.history import History
    from context_plane.parts.files import Files

    Array = NDArray[Any]

FORMAT: Final = 1
VECTOR_FORMAT: Final = 2
"""Since 2 vector shards know their entities."""
_UNGRAPHED: Final = 2_048
"""Events (or a tenth of all) that come before the graph grows: so many are compared one by one meanwhile."""
Embed = Callable[[Sequence[Document]], "Array"]


@dataclass(frozen=True)
class Model:
    """The embedder that a tenant's vectors come from, as snapshots record it."""

    name: str
    """What `open_embedder` takes."""
    id: str
    """Identity of the vectors; those of two ids are never mixed."""
    dimension: int
    weight: float

    def to_json(self) -> dict[str, Any]:
        """As snapshots record it."""
        return {"name": self.name, "id": self.id, "dimension": self.dimension, "weight": self.weight}


def fulltext_about(indexing: Indexing) -> dict[str, Any]:
    """What full-text shards are indexed by: shards of another analysis or declaration do not mix with them."""
    return {"format": FORMAT, "analysis": Analyzer(indexing.analyzer).id, "indexing": indexing.to_json()}


def vector_about(model: Model) -> dict[str, Any]:
    """What vector shards are made by."""
    return {"format": VECTOR_FORMAT, "model": model.to_json()}


def build_fulltext(
    history: History,
    files: Files,
    catalog: Catalog,
    indexing: Indexing,
    days: tuple[int, int],
    until: int,
    progress: Progress | None = None,
) -> Built:
    """Builds the full-text shards of the days first … last that are not up to date, compacts, and leaves notes."""
    analyzer, about = Analyzer(indexing.analyzer), fulltext_about(indexing)

    def make(day: date, events: pa.Table) -> tuple[bytes, int, dict[str, bool]]:
        shard = fulltext.build(documents(events, indexing), analyzer)
        meta = {"about": digest(about), "day": day.isoformat(), "tenant": history.tenant}
        return shard.encode(meta), shard.rows, {"row_count": shard.rows == searched(events).num_rows}

    return Fold(FULLTEXT, about, history, files, catalog, make, _merge_fulltext).build(days, until, progress)


def build_vectors(
    history: History,
    files: Files,
    catalog: Catalog,
    indexing: Indexing,
    model: Model,
    embed: Embed,
    days: tuple[int, int],
    until: int,
    progress: Progress | None = None,
) -> Built:
    """Builds the vector shards of the days first … last that are not up to date, compacts, and leaves notes."""
    import numpy as np

    about = vector_about(model)

    def make(day: date, events: pa.Table) -> tuple[bytes, int, dict[str, bool]]:
        found = list(documents(events, indexing))
        vector = embed(found)
        key = np.fromiter((each.key for each in found), np.uint64, len(found))
        length = np.linalg.norm(vector, axis=1)
        meta = {"about": digest(about), "day": day.isoformat(), "tenant": history.tenant}
        checks = {
            "row_count": vector.shape == (searched(events).num_rows, model.dimension),
            "finite": bool(np.isfinite(vector).all()),
            "unit_length": bool(((abs(length - 1) < 1e-3) | (length == 0)).all()),
        }
        shard = vectors.Vectors(key, vector, entities.of_rows([each.entity for each in found]))
        return shard.encode(meta), len(found), checks

    built = Fold(VECTOR, about, history, files, catalog, make, _merge_vectors).build(days, until, progress)
    _grow_graph(history, files, merge(catalog, _notes_of(VECTOR, about, built, until)), about, model.dimension, until)
    return built


def _notes_of(kind: str, about: Mapping[str, Any], built: Built, until: int) -> list[Note]:
    """What a fold built, as the note that it left."""
    return [Note(kind, "", until, built.parts, about=about)]


def _grow_graph(
    history: History, files: Files, catalog: Catalog, about: Mapping[str, Any], dimension: int, until: int
) -> None:
    """Adds to the graph what has come since, or builds it anew where much of it is gone, once enough has changed."""
    import numpy as np

    shards = [vectors.decode(*open_part(files, history.tenant, VECTOR, part)) for part in chosen(VECTOR, catalog)]
    merged = vectors.merge(shards, dimension)
    useful = merged.vector.any(axis=1)
    key, vector = merged.key[useful], merged.vector[useful]
    if len(key) < near.LEAST:
        return
    hashed = hashes(vector)
    old = catalog.of(GRAPH).get(0) if catalog.about.get(GRAPH) == about else None
    grown = None if old is None else open_graph(files, history.tenant, old, dimension)
    if grown is not None:
        held = grown.keys()
        known = np.isin(hashed, hashed[np.isin(key, held)])
        gone, lacking = len(np.setdiff1d(held, key)), int(np.count_nonzero(~known))
        if lacking <= max(_UNGRAPHED, len(key) // 10) and gone <= len(key) // 4:
            return
        grown = None if gone else grown
    rows = firsts(hashed)
    if grown is not None:  # those that it has stay, one for each other vector comes
        rows = np.concatenate([np.flatnonzero(np.isin(key, held)), rows[~known[rows]]])
    body = near.build(key[rows], vector[rows], grown)
    version = hashlib.sha256(body).hexdigest()
    files.put(keys.graph(history.tenant, version), version, body)
    reach("index.graph-written")
    history.store.sync()
    part = Part(0, version, len(body), len(rows), until, digest([each.version for each in chosen(VECTOR, catalog)]))
    Note(GRAPH, month_of(0), until, (part,), about=about).write(history.store, history.tenant)


def open_graph(files: Files, tenant: str, part: Part, dimension: int) -> near.Near:
    """The graph of a snapshot. Raises `Corrupt`, `NotFound`."""
    key = graph_key(tenant, part)
    return near.open_graph(files.map(key, part.version, part.size), dimension, key)


def graph_key(tenant: str, part: Part) -> str:
    """Where a graph lies in the store."""
    return keys.graph(tenant, part.version)


def _merge_fulltext(views: Sequence[tuple[memoryview, str]], meta: Mapping[str, Any]) -> tuple[bytes, int]:
    shard = merging.merge([fulltext.decode(*each) for each in views])
    return shard.encode(meta), shard.rows


def _merge_vectors(views: Sequence[tuple[memoryview, str]], meta: Mapping[str, Any]) -> tuple[bytes, int]:
    shards = [vectors.decode(*each) for each in views]
    merged = vectors.merge(shards, shards[0].dimension)
    return merged.encode(meta), len(merged.key)
