"""Chained documents: those of which neighbours count, such as the turns of a conversation (ADR 7).

Here belongs what differs from documents that stand alone: BM25 with the neighbours' words as a field that weighs less,
and the mean of a document's cosine and its neighbours'.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from context_plane.retrieval.hot.room import Room
from context_plane.retrieval.scoring.kernels import plain
from context_plane.retrieval.scoring.kernels.costs import LOOKUP, POSTING
from context_plane.retrieval.scoring.search import MOST_COMPARED, Search

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from context_plane.retrieval.scoring.search import Ranked

    Array = NDArray[Any]

MOST_STEPS: Final = 20
"""How many neighbours on a side a source may declare (`log.mapping`)."""


class ChainedSearch(Search):
    """One question to an index of documents with neighbours."""

    def rank_rows(self, room: Room, rows: Array, k: int) -> Ranked:
        """The k best of these rows, all of which are scored."""
        import numpy as np

        bm25 = np.zeros(len(rows), np.float32)
        if self.fuse.text and len(self.terms) and len(rows):
            dirty = self._fill(room, rows)
            self.kernels.gather(room.buffer, rows, bm25)
            self.kernels.clear(room.buffer, dirty)
        return self._ranked(room, rows, bm25, k)

    def rank_postings(
        self,
        room: Room,
        rows: Array | None,
        found: Array,
        split: int,  # noqa: ARG002 - of the bound that there is none of here
        k: int,
    ) -> tuple[Ranked, bool]:
        """The k best of the rows found and of the best by BM25 among these rows (among all): means of cosines cannot be
        bounded by the graph's answer."""
        import numpy as np

        dirty = self._fill(room, None)
        allowed = self._allowed(room, dirty, rows)
        best = allowed[self.kernels.top(self._written(room, allowed), allowed, max(k, MOST_COMPARED // 4))]
        candidates = np.union1d(best, self._allowed(room, self.lent_to(room, found), rows)).astype(np.int32)
        bm25 = self._written(room, candidates)
        self.kernels.clear(room.buffer, dirty)
        return self._ranked(room, candidates, bm25, k), len(candidates) < k

    def lent_to(self, room: Room, rows: Array) -> Array:
        """The rows, and all that one of them lends to."""
        return self._spread(room, rows, *self.index.reach)

    def _ranked(self, room: Room, rows: Array, bm25: Array, k: int) -> Ranked:
        import numpy as np

        cosine = np.zeros(len(rows), np.float32)
        near = self.fuse.near != 0 and self.index.vectors is not None and len(rows) > 0
        if near:
            cosine = self._cosine(room, rows, self.dots)
        best = self.kernels.top(self.fuse(bm25, cosine), rows, k)
        rows, bm25, cosine = rows[best], bm25[best], cosine[best]
        if near:
            cosine = self._cosine(room, rows, self._exact_dots)
        return plain.ordered(rows, bm25, cosine, self.fuse(bm25.astype(np.float64), cosine.astype(np.float64)))

    def _written(self, room: Room, rows: Array) -> Array:
        import numpy as np

        out = np.empty(len(rows), np.float32)
        self.kernels.gather(room.buffer, rows, out)
        return out

    def _fill(self, room: Room, rows: Array | None) -> Array:
        """Writes BM25 into the buffer, for these rows at least; gives the rows where something may be written."""
        a, norm = self.index.a, self.statistics
        span = self.index.span(self.cut)
        asked = (self.terms, self.weights, norm.a, norm.b)
        if rows is not None and len(rows) * len(self.terms) * LOOKUP < self.postings * POSTING:
            forward = (a["fwd_start"], a["fwd_term"], a["fwd_tf"], a["fwd_own"])
            self.kernels.by_rows_lent(*forward, span, rows, *asked, *self._chains, room.buffer)
            return rows
        postings = (a["post_start"], a["post_row"], a["post_tf"], a["post_own"])
        count = self.kernels.by_postings_lent(
            *postings, span, *asked, *self._chains, room.sums, room.found, room.buffer, room.more
        )
        touched: Array = room.more[:count]
        return touched

    @cached_property
    def _chains(self) -> tuple[Any, ...]:
        """What the loops must know of neighbours."""
        a = self.index.a
        return (a["prev"], a["next"], a["source"], *self.index.reach, _shares(), a["time"], self.cut)

    def _cosine(self, room: Room, rows: Array, dots: Callable[[Array], Array]) -> Array:
        """Cosines of rows, each the mean of its own and its neighbours' before the cut, weighted by their shares."""
        import numpy as np

        lenders = self._spread(room, rows, *reversed(self.index.reach))
        room.cosines[lenders] = dots(lenders)
        out = np.empty(len(rows), np.float32)
        self.kernels.lend(room.cosines, rows, *self._chains, out)
        return out

    def _exact_dots(self, rows: Array) -> Array:
        import numpy as np

        out = np.empty(len(rows), np.float32)
        self.kernels.exact_dots(*self._vectors, rows, out)
        return out

    def _spread(self, room: Room, rows: Array, before: Array, after: Array) -> Array:
        """The rows, and those that are at most so far before and after one of them."""
        import numpy as np

        a = self.index.a
        widest = 1 + int(before.max()) + int(after.max())
        out = np.empty(min(self.index.rows, widest * len(rows)), np.int32)
        count = self.kernels.spread(
            rows, a["prev"], a["next"], a["source"], before, after, room.stamps, room.next_stamps(), out
        )
        return out[:count]


def _shares() -> Array:
    """What a neighbour counts, by its distance: a half, halved with every further step. Sums of these are exact."""
    import numpy as np

    global _known_shares
    if _known_shares is None:
        _known_shares = np.array([0.5**step for step in range(1, MOST_STEPS + 1)], np.float32)
    return _known_shares


_known_shares: Array | None = None
