"""What search is measured beside: LanceDB called for every query, BM25 over bare arrays, and other engines.

The others where they are installed: ``pip install bm25s tantivy`` into the same environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench import corpus
from bench.clock import timed
from bench.corpus import Corpus
from context_plane.instants import parse_instant


class Lance:
    """A table with every index that it can use; hybrid is its own, fused by ranks."""

    def __init__(self, folder: Path, made: Corpus) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.index import FTS, BTree, IvfFlat

        flat = pa.FixedSizeListArray.from_arrays(pa.array(made.vectors.ravel()), made.vectors.shape[1])
        data = {
            "id": pa.array(range(len(made.texts))),
            "entity": [corpus.entity(each) for each in made.entity],
            "time": pa.array(made.time),
            "text": pa.array(made.texts),
            "vector": flat,
        }
        self._made = made
        self._table = lancedb.connect(folder).create_table("corpus", pa.table(data))
        self._table.create_index("text", config=FTS())
        self._table.create_index("entity", config=BTree())
        self._table.create_index("time", config=BTree())
        if len(made.texts) > 50_000:
            self._table.create_index("vector", config=IvfFlat(distance_type="dot"))

    def vector(self, number: int) -> Any:
        """The ten nearest."""
        return self._table.search(self._made.query_vectors[number]).limit(10).to_arrow()

    def text(self, number: int) -> Any:
        """The ten best by words."""
        return self._table.search(self._made.query_texts[number], query_type="fts").limit(10).to_arrow()

    def hybrid(self, number: int, where: str | None = None) -> Any:
        """The ten best by both."""
        search = self._table.search(query_type="hybrid").vector(self._made.query_vectors[number])
        search = search.text(self._made.query_texts[number])
        return (search.where(where) if where else search).limit(10).to_arrow()

    def filtered(self, kept: Sequence[dict[str, Any]]) -> Callable[[int], Any]:
        """Hybrid under the filters of each query."""
        return lambda number: self.hybrid(number, _sql(kept[number]))


def _sql(filters: dict[str, Any]) -> str | None:
    parts = []
    if "entity" in filters:
        parts.append("entity IN (" + ", ".join(f"'{each}'" for each in filters["entity"]) + ")")
    if "since" in filters:
        since, until = (parse_instant(filters[name]) // 1_000_000 for name in ("since", "until"))
        parts.append(f"time >= {since} AND time < {until}")
    return " AND ".join(parts) or None


def text(made: Corpus) -> Iterator[dict[str, Any]]:
    """BM25 of words as they stand: over postings of bare arrays with the scores precomputed, and by other engines."""
    yield timed("text, numpy over postings", _postings(made))
    if find_spec("bm25s"):
        yield timed("text, bm25s", _bm25s(made))
    if find_spec("tantivy"):
        yield timed("text, tantivy", _tantivy(made))


def _postings(made: Corpus) -> Callable[[int], Any]:
    count = len(made.texts)
    words = [text.split() for text in made.texts]
    number: dict[str, int] = {}
    terms = np.array([number.setdefault(word, len(number)) for each in words for word in each])
    rows = np.repeat(np.arange(count), [len(each) for each in words])
    pairs, often = np.unique(terms * count + rows, return_counts=True)
    term, row = np.divmod(pairs, count)
    starts = np.searchsorted(term, np.arange(len(number) + 1))
    held = np.diff(starts)
    length = np.bincount(rows, minlength=count)
    idf = np.log1p((count - held + 0.5) / (held + 0.5))
    score = (idf[term] * often / (often + 1.2 * (0.25 + 0.75 * length[row] / length.mean()))).astype(np.float32)

    def call(asked: int) -> Any:
        total = np.zeros(count, np.float32)
        for word in made.query_texts[asked].split():
            first, last = starts[number[word]], starts[number[word] + 1]
            total[row[first:last]] += score[first:last]
        return np.argpartition(total, -10)[-10:]

    return call


def _bm25s(made: Corpus) -> Callable[[int], Any]:
    import bm25s

    engine = bm25s.BM25()
    engine.index([text.split() for text in made.texts], show_progress=False)
    asked = [[text.split()] for text in made.query_texts]
    return lambda number: engine.retrieve(asked[number], k=10, show_progress=False, n_threads=0)


def _tantivy(made: Corpus) -> Callable[[int], Any]:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=False)
    index = tantivy.Index(builder.build())
    writer = index.writer()
    for each in made.texts:
        writer.add_document(tantivy.Document(text=[each]))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    return lambda number: searcher.search(index.parse_query(made.query_texts[number], ["text"]), 10)
