"""Scoring: BM25 and cosine of documents, exact where the filters leave few, from postings and a graph where many.

Here belongs how candidates are found in one index and scored. BM25 is the same to the last bit whichever way it is
computed; cosines of what is returned are computed once more in double precision, so that answers depend neither on the
way nor on the machine.

Where documents are chained, their neighbours count (ADR 7), since what is asked for and what is answered often stand in
different turns of a conversation: their words as a field of the document that weighs less, their vectors in a mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.filters import Filters
from context_plane.retrieval.fusion import Fusion
from context_plane.retrieval.index import Index, Room
from context_plane.retrieval.question import Mode, Question, Statistics

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_STEPS: Final = 20
"""How many neighbours on a side a source may declare (`log.mapping`)."""
MARGIN: Final = 8
"""Candidates beyond k, so that rounding cannot decide what is among the k best."""
_SCALE: Final = 1e6
"""Scores are rounded to six digits: what lies beyond differs between processors, and would decide ties."""
POOL: Final = 100
"""Candidates that each side of a hybrid search brings where not all documents are scored."""
_EXACT: Final = 300_000
"""Up to this many multiplications all vectors are compared; beyond it the graph is asked."""
_POSTING: Final = 3.0
_LOOKUP: Final = 9.0
"""Nanoseconds for a posting, and for a look-up of one term in one document."""


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates of one index."""

    rows: Array
    bm25: Array
    cosine: Array
    score: Array
    """What they are ranked by."""


@dataclass
class Search:
    """One question to one index."""

    index: Index
    terms: Array
    """Numbers of the question's terms in this index, ascending."""
    weights: Array
    """What each counts."""
    question: Question
    statistics: Statistics
    filters: Filters
    cut: int
    mode: Mode
    fuse: Fusion
    kernels: ModuleType

    def best(self, k: int) -> Found:
        """The k best documents and a few more, in no particular order."""
        with self.index.room() as room:
            rows = self.index.select(self.filters, self.cut, self.kernels, room)
            if rows is not None and not len(rows):
                return self._scored(room, rows, k)
            if self.mode == "bm25":
                candidates = self._with_terms(room, rows, k)
            elif self._few(rows):
                candidates = self.index.all_rows if rows is None else rows
            else:
                candidates = self._near_or_with_terms(room, rows, max(POOL, 2 * k))
            return self._scored(room, candidates, k)

    def _few(self, rows: Array | None) -> bool:
        """Whether comparing all vectors costs less than asking the graph."""
        vectors, graph = self.index.vectors, self.index.graph
        count = self.index.rows if rows is None else len(rows)
        return vectors is None or graph is None or count * vectors.shape[1] <= _EXACT

    def _near_or_with_terms(self, room: Room, rows: Array | None, pool: int) -> Array:
        """Candidates of a search over many documents: the best by BM25 and the nearest by vector."""
        import numpy as np

        near = self._near(room, rows, pool)
        if self.mode == "vector":
            return near
        return np.union1d(self._with_terms(room, rows, pool), near)

    def _with_terms(self, room: Room, rows: Array | None, pool: int) -> Array:
        """The best by BM25 of those rows (of all) that hold a term of the question, or whose neighbour does."""
        if not len(self.terms):
            return self.index.all_rows[:0]
        if rows is not None and self._by_rows(rows):
            found = rows
            scores = self._bm25(room, rows)
        else:
            dirty = self._fill(room, None)
            found = self._allowed(room, dirty, rows)
            scores = self._written(room, found)
            self.kernels.clear(room.buffer, dirty)
        best = self.kernels.top(scores, pool)
        good: Array = found[best][scores[best] > 0]
        return good.copy()  # rows of the room would be overwritten

    def _near(self, room: Room, rows: Array | None, pool: int) -> Array:
        """The nearest by vector, found by the graph; all rows where the filters leave it too little."""
        import numpy as np

        index, vector = self.index, self.question.vector
        assert index.graph is not None
        assert vector is not None
        share = 1.0 if rows is None else len(rows) / index.rows
        count = min(index.rows, int(pool / share * 1.3) + 10 if rows is not None else pool)
        found = index.rows_of(index.graph.near(vector, count))
        if index.ungraphed is not None and len(index.ungraphed):
            found = np.concatenate([found, self._nearest(index.ungraphed, pool)])
        found = self._allowed(room, self._lent_to(room, found), rows)
        if len(found) < min(pool // 2, index.rows if rows is None else len(rows)):
            return index.all_rows if rows is None else rows.copy()
        return found

    def _nearest(self, rows: Array, pool: int) -> Array:
        """The nearest of these rows by their own vectors."""
        nearest: Array = rows[self.kernels.top(self._dots(rows), pool)]
        return nearest

    def _allowed(self, room: Room, candidates: Array, rows: Array | None) -> Array:
        """Those candidates that are among the rows."""
        import numpy as np

        if rows is None:
            return candidates
        stamp = room.next_stamp()
        self.kernels.mark(rows, room.stamps, stamp)
        out = np.empty(len(candidates), np.int32)
        return out[: self.kernels.keep(candidates, room.stamps, stamp, out)]

    # Scores

    def _scored(self, room: Room, candidates: Array, k: int) -> Found:
        import numpy as np

        nothing = np.zeros(len(candidates), np.float32)  # also where there are no candidates
        with_bm25 = self.mode != "vector" and len(candidates) > 0
        bm25 = self._bm25(room, candidates) if with_bm25 else nothing
        near = self._has_vectors and len(candidates) > 0
        cosine = self._cosine(room, candidates, self._dots) if near else nothing
        best = self.kernels.top(self.fuse(bm25, cosine), k + MARGIN)
        rows, bm25 = candidates[best], bm25[best]
        cosine = self._cosine(room, rows, self._exact_dots) if near else cosine[best]
        score = self.fuse(bm25.astype(np.float64), cosine.astype(np.float64))
        return Found(rows, bm25, cosine, np.rint(score * _SCALE) / _SCALE)

    @property
    def _has_vectors(self) -> bool:
        return self.mode != "bm25" and self.index.vectors is not None and self.question.vector is not None

    def _bm25(self, room: Room, rows: Array) -> Array:
        """BM25 of rows; where documents are chained, with their neighbours as a field."""
        dirty = self._fill(room, rows)
        scores = self._written(room, rows)
        self.kernels.clear(room.buffer, dirty)
        return scores

    def _written(self, room: Room, rows: Array) -> Array:
        import numpy as np

        out = np.empty(len(rows), np.float32)
        self.kernels.gather(room.buffer, rows, out)
        return out

    def _fill(self, room: Room, rows: Array | None) -> Array:
        """Writes BM25 into the buffer, for these rows at least; gives the rows where something may be written."""
        a, norm = self.index.a, self.statistics
        span, kernels = self.index.span(self.cut), self.kernels
        asked = (self.terms, self.weights, norm.a, norm.b)
        if rows is not None and self._by_rows(rows):
            forward = (a["fwd_start"], a["fwd_term"], a["fwd_tf"])
            if self.index.chained:
                kernels.by_rows_lent(*forward, a["fwd_own"], span, rows, *asked, *self._chains, room.buffer)
            else:
                kernels.by_rows(*forward, span, rows, *asked, room.buffer)
            return rows
        postings = (a["post_start"], a["post_row"], a["post_tf"])
        if self.index.chained:
            count = kernels.by_postings_lent(
                *postings, a["post_own"], span, *asked, *self._chains, room.sums, room.found, room.buffer, room.more
            )
        else:
            count = kernels.by_postings(*postings, span, *asked, room.buffer, room.more)
        touched: Array = room.more[:count]
        return touched

    @cached_property
    def _chains(self) -> tuple[Any, ...]:
        """What the loops must know of neighbours."""
        a = self.index.a
        return (a["prev"], a["next"], a["source"], *self.index.reach, _shares(), a["time"], self.cut)

    def _by_rows(self, rows: Array) -> bool:
        """Whether looking the terms up in the rows costs less than going through the terms' postings."""
        return len(rows) * len(self.terms) * _LOOKUP < self.postings * _POSTING

    @cached_property
    def postings(self) -> int:
        """How many postings the terms have here."""
        start = self.index.a["post_start"]
        return int((start[self.terms + 1] - start[self.terms]).sum())

    def _cosine(self, room: Room, rows: Array, dots: Callable[[Array], Array]) -> Array:
        """Cosines of rows, with what neighbours lend."""
        if not self.index.chained:
            return dots(rows)
        lenders = self._lenders(room, rows)
        room.cosines[lenders] = dots(lenders)
        return self._lent(room.cosines, rows)

    def _dots(self, rows: Array) -> Array:
        import numpy as np

        out = np.empty(len(rows), np.float32)
        self.kernels.dots(self.index.vectors, self.question.vector, rows, out)
        return out

    def _exact_dots(self, rows: Array) -> Array:
        import numpy as np

        vectors, vector = self.index.vectors, self.question.vector
        assert vectors is not None
        assert vector is not None
        found: Array = np.einsum("ij,j->i", vectors[rows], vector, dtype=np.float64, casting="same_kind")
        return found.astype(np.float32)

    # Neighbours

    def _lenders(self, room: Room, rows: Array) -> Array:
        """The rows, and all that lend to one of them."""
        return self._spread(room, rows, *reversed(self.index.reach)) if self.index.chained else rows

    def _lent_to(self, room: Room, rows: Array) -> Array:
        """The rows, and all that one of them lends to."""
        return self._spread(room, rows, *self.index.reach) if self.index.chained else rows

    def _spread(self, room: Room, rows: Array, before: Array, after: Array) -> Array:
        import numpy as np

        a = self.index.a
        widest = 1 + int(before.max()) + int(after.max())
        out = np.empty(min(self.index.rows, widest * len(rows)), np.int32)
        count = self.kernels.spread(
            rows, a["prev"], a["next"], a["source"], before, after, room.stamps, room.next_stamp(), out
        )
        return out[:count]

    def _lent(self, scores: Array, rows: Array) -> Array:
        """The mean of each row's score and its neighbours' before the cut, these weighted by their shares."""
        import numpy as np

        out = np.empty(len(rows), np.float32)
        self.kernels.lend(scores, rows, *self._chains, out)
        return out


def _shares() -> Array:
    """What a neighbour counts, by its distance: a half, halved with every further step. Sums of these are exact."""
    import numpy as np

    global _known_shares
    if _known_shares is None:
        _known_shares = np.array([0.5**step for step in range(1, MOST_STEPS + 1)], np.float32)
    return _known_shares


_known_shares: Array | None = None
