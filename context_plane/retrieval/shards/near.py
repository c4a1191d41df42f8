"""The graph over a tenant's vectors: an HNSW index (Malkov and Yashunin 2018), by usearch.

It only finds candidates, which are compared by their exact vectors afterwards; so it keeps them in half precision, and
knows events by key, so that it stays of use while shards are merged, days rebuilt and events erased. What it does not
know is compared one by one, until enough has come for a new graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Corrupt

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from usearch.index import Index as Usearch

    Array = NDArray[Any]

LEAST: Final = 4_096
"""Events below which comparing all vectors is as fast as a graph."""
CONNECTIVITY: Final = 16
EXPANSION: Final = 128
"""How far the graph is searched while it is built."""
SEARCH: Final = 96
"""How far it is searched for candidates, at least: of the ten nearest on SciFact .99 are found, with 64 only .977."""
_BATCH: Final = 8_192


class Near:
    """A graph, opened. Safe for threads."""

    def __init__(self, index: Usearch, view: memoryview) -> None:
        """`view` is kept: the library reads from it and does not hold on to it itself."""
        self._index = index
        self._view = view
        index.expansion_search = SEARCH  # type: ignore[misc]

    def near(self, query: Array, count: int) -> Array:
        """Keys of about `count` events, u64: the nearest ones with high probability, in no particular order."""
        # The compiled method itself: the library's wrapper around it takes a tenth of the time of the search.
        keys, _, counts, *_ = self._index._compiled.search_many(  # noqa: SLF001
            query.reshape(1, -1), count=count, exact=False, threads=1
        )
        found: Array = keys[0, : counts[0]]
        return found

    def keys(self) -> Array:
        """Keys of all events in it, u64."""
        import numpy as np

        return np.atleast_1d(self._index.keys[:]) if len(self._index) else np.zeros(0, np.uint64)

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return int(self._index.memory_usage)

    def __len__(self) -> int:
        return len(self._index)


def build(keys: Array, vectors: Array, grown: Near | None = None, report: Callable[[int], None] | None = None) -> bytes:
    """The bytes of a graph over these events; `grown` gives one that already holds some of them, and no others.

    Built on one thread, so that the same events in the same order give the same graph.
    """
    import numpy as np

    index = _new(vectors.shape[1])
    if grown is not None:
        index.load(_saved(grown._index))  # noqa: SLF001 - of this class
        fresh = ~np.isin(keys, grown.keys())
        keys, vectors = keys[fresh], vectors[fresh]
    for start in range(0, len(keys), _BATCH):
        index.add(keys[start : start + _BATCH], vectors[start : start + _BATCH], threads=1)
        if report is not None:
            report(min(len(keys), start + _BATCH))
    return _saved(index)


def open_graph(view: memoryview, dimension: int, where: str) -> Near:
    """A graph over its bytes, which are not copied. Raises `Corrupt`."""
    index = _new(dimension)
    try:
        index.view(view)
    except (RuntimeError, ValueError, KeyError) as error:
        remedy = "delete the object and materialize again: it is derived from the log"
        raise Corrupt(f"the graph does not read: {error}", where=where, remedy=remedy) from error
    if index.ndim != dimension:
        what = f"the graph has {index.ndim} dimensions, {dimension} are recorded"
        raise Corrupt(what, where=where, remedy="delete the object and materialize again: it is derived from the log")
    return Near(index, view)


def _saved(index: Usearch) -> bytes:
    body = index.save()
    assert body is not None  # without a path it gives the bytes
    return bytes(body)


def _new(dimension: int) -> Usearch:
    from usearch.index import Index

    return Index(
        ndim=dimension, metric="ip", dtype="f16", connectivity=CONNECTIVITY, expansion_add=EXPANSION,
        expansion_search=SEARCH,
    )  # fmt: skip
