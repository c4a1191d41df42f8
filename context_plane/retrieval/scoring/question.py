"""Questions: a query as the scorer takes it in, and the statistics of the tenant that it is asked of.

Here belongs what depends on the query and the whole tenant alone. A search over several indexes asks them all the same
question with the same statistics, so that it ranks as one index over everything would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from context_plane.retrieval.hot.index import Index, read_only
from context_plane.retrieval.text.analysis import Analyzer, term_hash

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    Array = NDArray[Any]

Mode = Literal["bm25", "vector", "hybrid"]
K1: Final = 1.2
B: Final = 0.75


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    hashes: Array
    """u64, ascending: the distinct terms."""
    counts: Array
    """f64: how often the query has each."""
    vector: Array | None = None
    """f32, of length 1; `None` where vectors do not count."""

    @property
    def empty(self) -> bool:
        """Whether nothing can answer it: it has no words, and no direction."""
        return not len(self.hashes) and (self.vector is None or not self.vector.any())


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 must know of a whole tenant."""

    documents: int
    tokens: float
    """Sum of the spans of all documents."""
    weights: Array
    """f64 by term of the question: how often the query has it, times its inverse document frequency."""
    terms: tuple[tuple[Array | slice, Array], ...]
    """By index: which terms of the question it holds (places in `weights`), and their numbers there."""

    @property
    def a(self) -> float:
        """The constant part of a document's norm."""
        return K1 * (1 - B)

    @property
    def b(self) -> float:
        """What each token adds to the norm."""
        return K1 * B * self.documents / self.tokens if self.tokens else 0.0

    @property
    def bound(self) -> float:
        """What no document's score can exceed."""
        return float(self.weights.sum())


def ask(text: str, analyzer: Analyzer, vector: Array | None) -> Question:
    """The question of a text; one of no words for an empty text."""
    import numpy as np

    if not text:
        return Question(_NO_HASHES(), _NO_COUNTS(), None if vector is None else read_only(vector))
    counts = Counter(map(_hash, analyzer.asked(text)))
    ordered = sorted(counts)
    hashes, often = np.array(ordered, np.uint64), np.array([counts[each] for each in ordered], np.float64)
    return Question(hashes, often, None if vector is None else read_only(vector))


_ALL: Final = slice(None)
_hash = lru_cache(maxsize=65_536)(term_hash)


def statistics(question: Question, indexes: Sequence[Index], cut: int, kernels: ModuleType) -> Statistics:
    """The statistics of the documents before `cut` in all indexes together, for the terms of a question."""
    import numpy as np

    if not len(question.hashes):
        return Statistics(0, 0.0, question.counts, ((_NO_TERMS(), _NO_TERMS()),) * len(indexes))
    documents, tokens = 0, 0.0
    frequency = np.zeros(len(question.hashes), np.int64)
    held: list[tuple[Array | slice, Array]] = []
    for index in indexes:
        counted, length = totals(index, cut)
        documents, tokens = documents + counted, tokens + length
        held.append(_held(index, question.hashes, frequency, cut, kernels))
    weights = np.log1p((documents - frequency + 0.5) / (frequency + 0.5)) * question.counts
    return Statistics(documents, tokens, weights, tuple(held))


def _held(index: Index, hashes: Array, frequency: Array, cut: int, kernels: ModuleType) -> tuple[Array | slice, Array]:
    """Which of the terms an index holds, and their numbers there; adds to `frequency` how many documents hold each."""
    import numpy as np

    numbers, whole = np.empty(len(hashes), np.int64), index.counted is None and cut > index.last
    if index.whole is not None:
        kernels.lookup(index.a["terms"], index.a["post_start"], hashes, numbers, np.zeros(len(hashes), np.int64))
        frequency += index.whole.frequency
        places = (numbers >= 0).nonzero()[0]
        return places, numbers[places]
    found = frequency if whole else np.zeros(len(hashes), np.int64)
    count = kernels.lookup(index.a["terms"], index.a["post_start"], hashes, numbers, found)
    if count == len(hashes) and whole:
        return _ALL, numbers
    places = (numbers >= 0).nonzero()[0]
    terms = numbers[places]
    if not whole and len(terms):
        frequency[places] += _frequencies(index, terms, cut, kernels)
    return places, terms


def totals(index: Index, cut: int) -> tuple[int, float]:
    """How many documents before `cut` count, and the sum of the spans of those that are answered from this index."""
    import numpy as np

    if index.whole is not None:
        return index.whole.documents, index.whole.tokens
    cut = min(cut, index.last + 1)
    known = index.totals.get(cut)
    if known is None:
        before = index.a["time"] < cut
        counted = before if index.counted is None else before & (index.counted != 0)
        answered = before if index.hidden is None else before & (index.hidden == 0)
        known = int(np.count_nonzero(counted)), float(index.span(cut)[answered].sum(dtype=np.float64))
        if len(index.totals) >= 64:
            index.totals.clear()
        index.totals[cut] = known
    return known


def _frequencies(index: Index, terms: Array, cut: int, kernels: ModuleType) -> Array:
    """How many documents before `cut` hold each term."""
    import numpy as np

    start = index.a["post_start"]
    if index.counted is None:
        out = np.empty(len(terms), np.int64)
        kernels.count_before(start, index.a["post_row"], index.a["time"], terms, cut, out)
        return out
    row, time, counted = index.a["post_row"], index.a["time"], index.counted
    spans = [row[start[term] : start[term + 1]] for term in terms.tolist()]
    return np.fromiter(
        (np.count_nonzero((time[each] < cut) & (counted[each] != 0)) for each in spans), np.int64, len(spans)
    )


def _NO_TERMS() -> Array:  # noqa: N802 - a constant that must not import numpy when this module is imported
    import numpy as np

    return np.zeros(0, np.int64)


def _NO_HASHES() -> Array:  # noqa: N802
    import numpy as np

    return np.zeros(0, np.uint64)


def _NO_COUNTS() -> Array:  # noqa: N802
    import numpy as np

    return np.zeros(0, np.float64)
