"""Exercise: every compiled loop called once, over arrays of the kinds that searches have.

A loop is compiled, or read from where it was kept, when it is first called: some seconds for all of them, and a second
where they are kept. Here belongs that no search of a caller has to wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from context_plane.instants import DAY
from context_plane.retrieval.filters import Filters
from context_plane.retrieval.hot.index import END, Index
from context_plane.retrieval.scoring.chained import ChainedSearch
from context_plane.retrieval.scoring.fusion import fuse
from context_plane.retrieval.scoring.question import Mode, ask, statistics
from context_plane.retrieval.scoring.search import Search
from context_plane.retrieval.shards import fulltext
from context_plane.retrieval.text.analysis import Analyzer
from context_plane.retrieval.text.documents import Declared, Document

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    Array = NDArray[Any]

_ROWS: Final = 64
_WIDTH: Final = 8
_K: Final = 5


class _Nearest:
    """A graph that finds what stands first."""

    def __init__(self, keys: Array) -> None:
        self._keys = keys

    def near(self, query: Array, count: int) -> Array:  # noqa: ARG002 - a graph's own signature
        """The first keys."""
        return self._keys[:count]


def exercise(loops: ModuleType) -> None:
    """Calls every loop that a search may call."""
    for chained in (False, True):
        index = _index(chained=chained)
        for mode in ("bm25", "vector", "hybrid"):
            for cut in (END, _ROWS // 2 * DAY):
                _search(index, mode, cut, loops)


def _index(*, chained: bool) -> Index:
    import numpy as np

    analyzer = Analyzer("none")
    shard = fulltext.build([_document(number, chained=chained) for number in range(_ROWS)], analyzer)
    vectors = np.random.default_rng(0).normal(size=(_ROWS, _WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sources = {"exercise": Declared(before=1, after=1)} if chained else {}
    some = np.arange(_ROWS - 4, _ROWS, dtype=np.int32)
    return Index(shard, sources, vectors=vectors, graph=_Nearest(shard.arrays["key"]), ungraphed=some)


def _document(number: int, *, chained: bool) -> Document:
    words = f"alpha note {number % 7} beta{number % 3}"
    entity, chain = f"thing/{number % 4}", number % 4 + 1 if chained else 0
    return Document(entity, number * DAY, "exercise", str(number), f"type.{number % 2}", (), words, words, "", chain)


def _search(index: Index, mode: Mode, cut: int, loops: ModuleType) -> None:
    assert index.vectors is not None
    vector = None if mode == "bm25" else index.vectors[3].copy()
    question = ask("" if mode == "vector" else "alpha beta1 note", Analyzer("none"), vector)
    numbers = statistics(question, (index,), cut, loops)
    places, terms = numbers.terms[0]
    way = ChainedSearch if index.chained else Search
    for filters in (Filters(), Filters(entities=("thing/1",)), Filters(types=("type.1",))):
        search = way(
            index, terms, numbers.weights[places], question, numbers, filters, cut, mode,
            fuse(mode, numbers.bound, 0.3), loops,
        )  # fmt: skip
        found = search.best(_K)
        search.exercise(_K)
        index.described(found.rows, loops)
