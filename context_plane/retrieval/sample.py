"""Samples of what was built: how scores are spread, how long a search takes, what the graph finds.

Here belongs measuring an index on a few of its own documents, for people who look at the assets and for the check of
the graph. Nothing here decides an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from context_plane.parts.daily import chosen, open_part
from context_plane.parts.part import FULLTEXT, GRAPH, VECTOR, Catalog
from context_plane.retrieval.building.fold import open_graph
from context_plane.retrieval.filters import Filters
from context_plane.retrieval.hot.index import END, Index
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.scoring.fusion import fuse
from context_plane.retrieval.scoring.question import ask, statistics
from context_plane.retrieval.scoring.search import Search
from context_plane.retrieval.shards import fulltext, merging, vectors
from context_plane.retrieval.shards.twins import hashes
from context_plane.retrieval.text.analysis import Analyzer
from context_plane.retrieval.text.documents import Indexing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.parts.files import Files

    Array = NDArray[Any]

QUERIES: Final = 64
_WORDS: Final = 8
_MOST: Final = 500_000
"""Events beyond which nothing is sampled: the index would have to be loaded for it."""
CANDIDATES: Final = (10, 20, 50, 100)
_ROUNDING: Final = 1e-5


@dataclass(frozen=True)
class TextSample:
    """Searches for the first words of some documents."""

    documents: int = 0
    terms: int = 0
    mean_length: float = 0.0
    scores: tuple[float, ...] = ()
    """BM25 of the hits, as shares of what the question's could be at most."""
    milliseconds: tuple[float, ...] = ()
    """Of each search, in numpy."""


@dataclass(frozen=True)
class VectorSample:
    """Some vectors compared with all others."""

    vectors: int = 0
    pairs: tuple[float, ...] = ()
    """Cosines of events taken at random."""
    nearest: tuple[float, ...] = ()
    """Cosines of events and the ones nearest to them."""
    recall: Mapping[int, float] = field(default_factory=dict)
    """Share of the ten nearest that the graph finds, by how many candidates it is asked for; empty without a graph."""


def sample_text(files: Files, tenant: str, catalog: Catalog) -> TextSample:
    """Measures the full-text shards of a catalog. Raises `Corrupt`."""
    import numpy as np

    parts = chosen(FULLTEXT, catalog)
    if not 0 < sum(part.rows for part in parts) <= _MOST:
        return TextSample(sum(part.rows for part in parts))
    shard = merging.merge([fulltext.decode(*open_part(files, tenant, FULLTEXT, part)) for part in parts])
    indexing = Indexing.from_json(catalog.about[FULLTEXT]["indexing"])
    index, analyzer = Index(shard, indexing.sources), Analyzer(indexing.analyzer)
    loops = kernels.choice.current()
    scores: list[float] = []
    times: list[float] = []
    rows = np.random.default_rng(0).choice(shard.rows, min(QUERIES, shard.rows), replace=False)
    for *_, text in index.described(rows, loops):
        began = perf_counter()
        question = ask(" ".join(text.split()[:_WORDS]), analyzer, None)
        numbers = statistics(question, [index], END, loops)
        weights = numbers.weights[numbers.terms[0][0]]
        search = Search(
            index,
            numbers.terms[0][1],
            weights,
            question,
            numbers,
            Filters(),
            END,
            "bm25",
            fuse("bm25", 1.0, 0.0),
            loops,
        )
        found = search.best(10)
        times.append((perf_counter() - began) * 1_000)
        scores += (found.score / max(numbers.bound, 1e-9)).tolist()
    return TextSample(shard.rows, len(shard.arrays["terms"]), shard.tokens / shard.rows, tuple(scores), tuple(times))


def sample_vectors(files: Files, tenant: str, catalog: Catalog) -> VectorSample:
    """Measures the vector shards and the graph of a catalog. Raises `Corrupt`."""
    import numpy as np

    parts = chosen(VECTOR, catalog)
    count = sum(part.rows for part in parts)
    if not 1 < count <= _MOST:
        return VectorSample(count)
    dimension = catalog.about[VECTOR]["model"]["dimension"]
    merged = vectors.merge([vectors.decode(*open_part(files, tenant, VECTOR, part)) for part in parts], dimension)
    useful = np.flatnonzero(merged.vector.any(axis=1))
    if len(useful) < 2:
        return VectorSample(count)
    chance = np.random.default_rng(0)
    rows = np.sort(chance.choice(useful, min(QUERIES, len(useful)), replace=False))
    cosines = merged.vector[rows] @ merged.vector[useful].T
    pairs = cosines[:, chance.choice(len(useful), min(QUERIES, len(useful)), replace=False)].ravel()
    cosines[np.arange(len(rows)), np.searchsorted(useful, rows)] = -2  # itself
    graph = catalog.of(GRAPH).get(0) if catalog.about.get(GRAPH) == catalog.about[VECTOR] else None
    recall: dict[int, float] = {}
    if graph is not None:
        near, keys = open_graph(files, tenant, graph, dimension), merged.key[useful]
        hashed = hashes(merged.vector[useful])
        best = min(10, len(useful) - 1)
        for asked in CANDIDATES:
            nearest = [np.isin(keys, near.near(merged.vector[row], asked + 1)) for row in rows]
            found = [np.isin(hashed, hashed[each]) for each in nearest]  # with all that have the same vector
            shares = [_share(each, held, best) for each, held in zip(cosines, found, strict=True)]
            recall[asked] = sum(shares) / len(shares)
    return VectorSample(count, tuple(pairs.tolist()), tuple(cosines.max(axis=1).tolist()), recall)


def _share(cosines: Array, found: Array, best: int) -> float:
    """Share of the best that was found. Of equal ones any will do: a thousand events may have one text."""
    import numpy as np

    least = np.partition(cosines, -best)[-best] - _ROUNDING
    return min(best, int(np.count_nonzero(cosines[found] >= least))) / best
