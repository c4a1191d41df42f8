"""Scoring: BM25 and cosine of documents, exact where the filters leave few, from postings and a graph where many.

Here belongs how candidates are found in one index and scored. BM25 is the same to the last bit whichever way it is
computed; cosines of what is returned are computed once more in double precision, so that answers depend neither on the
way nor on the machine.

Documents of which neighbours count are ranked by `chained`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from context_plane.retrieval.filters import Filters
from context_plane.retrieval.hot.index import Index, read_only
from context_plane.retrieval.hot.room import Room
from context_plane.retrieval.scoring.fusion import Fusion
from context_plane.retrieval.scoring.kernels.costs import COMPARED, HOPEFUL, LOOKUP, NEIGHBOURS, POSTING, VISITED
from context_plane.retrieval.scoring.question import Mode, Question, Statistics

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Ranked = tuple[Array, Array, Array, Array]  # rows, BM25, cosine and score of the best

MARGIN: Final = 8
"""Candidates beyond k, so that rounding cannot decide what is among the k best."""
_FURTHER: Final = 8
"""How many times as many events the graph is asked for, where it went astray, before all are compared."""
_TRUSTED: Final = 10
"""Of the events that the graph found the one that has to be nearer than what it did not find."""
POOL: Final = 100
"""Events that the graph is asked for in a hybrid search."""
MOST_COMPARED: Final = 4_096
"""Events whose vectors a hybrid search over many compares, at most."""


class Found(NamedTuple):
    """The best of one index, the best first, of equal ones in timeline order."""

    rows: Array
    bm25: Array
    cosine: Array
    score: Array
    """What they are ranked by, rounded."""


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
        """The k best documents and a few more."""
        room = self.index.lend_room()
        rows = self.index.select(self.filters, self.cut, self.kernels, room)
        ranked = self._best(room, rows, k)
        self.index.take_back(room)  # one in which something failed is dropped
        return Found._make(ranked)

    def exercise(self, k: int) -> None:
        """Goes every way to the best, whatever costs less."""
        room = self.index.lend_room()
        rows = self.index.select(self.filters, self.cut, self.kernels, room)
        self.rank_rows(room, self.index.all_rows if rows is None else rows, k)
        found, split = (_NO_ROWS(), 0) if self.mode == "bm25" else self._nearest(k)
        if self.mode != "vector":
            self.rank_postings(room, None, found, split, k)
            self.rank_postings(room, rows, found, split, k)
        if rows is not None:
            self._allowed(room, self.lent_to(room, found), rows)
        self.index.take_back(room)

    def _best(self, room: Room, rows: Array | None, k: int) -> Ranked:
        most = k + MARGIN
        if self.mode == "bm25":
            if rows is None:
                return self.rank_postings(room, None, _NO_ROWS(), 0, most)[0]
            return self.rank_rows(room, rows, most)
        pool = max(POOL if self.mode == "hybrid" else most, 2 * k)
        everything = self.index.all_rows if rows is None else rows
        if self._few(len(everything), pool):
            return self.rank_rows(room, everything, most)
        if self.mode == "vector":
            return self.rank_rows(room, self._near(room, rows, pool), most)
        found, split = self._nearest(pool)
        ranked, unsure = self.rank_postings(room, rows, found, split, most)
        if not unsure or rows is None:
            return ranked
        return _merged(ranked, self.rank_rows(room, self._near(room, rows, pool), most), most)

    def _few(self, count: int, pool: int) -> bool:
        """Whether comparing all of so many rows costs less than asking the graph."""
        vectors = self.index.vectors
        if self.index.graph is None or vectors is None or self.question.vector is None:
            return True
        width = vectors.shape[1]
        compared, other = count * width * COMPARED, pool * (VISITED + NEIGHBOURS * width * COMPARED)
        if self.mode == "hybrid":
            other += self.postings * POSTING + HOPEFUL * width * COMPARED
            compared += min(self.postings * POSTING, count * len(self.terms) * LOOKUP)
        return bool(compared <= other)

    def _nearest(self, pool: int) -> tuple[Array, int]:
        """The nearest rows of the whole index: first those that the graph finds, whose number is given too, then of
        those that it does not know."""
        import numpy as np

        index, vector = self.index, self.question.vector
        assert index.graph is not None
        assert vector is not None
        wanted = min(index.rows, pool)
        found = self._by_graph(vector, wanted)
        while wanted < index.rows and self._astray(found):
            wanted = min(index.rows, _FURTHER * wanted) if wanted == pool else index.rows
            found = index.all_rows if wanted == index.rows else self._by_graph(vector, wanted)
        if index.ungraphed is None or not len(index.ungraphed):
            return found, len(found)
        others = index.ungraphed[self.kernels.top(self.dots(index.ungraphed), index.ungraphed, pool)]
        return np.concatenate([found, others]), len(found)

    def _by_graph(self, vector: Array, wanted: int) -> Array:
        """Rows that the graph finds near a vector, and those that have the very vectors of these."""
        assert self.index.graph is not None
        found = self.index.rows_of(self.index.graph.near(vector, wanted), self.kernels)
        return found if self.index.twins is None else self.index.twins.of(found)

    def _astray(self, found: Array) -> bool:
        """Whether the graph has not come near the vector: a few rows taken at random are nearer than what it found. It
        may never get from one cluster of vectors to another, and then all that it finds is wrong."""
        if not len(found):
            return True  # how near the rest is must be known
        return bool(self.kernels.astray(*self._vectors, found, _TRUSTED, *self.index.sample))

    def _near(self, room: Room, rows: Array | None, pool: int) -> Array:
        """The nearest of these rows (of all), found by the graph; all of them where the filters leave it too little."""
        count = self.index.rows if rows is None else len(rows)
        wanted = pool if rows is None else int(pool * self.index.rows / count * 1.3) + 10
        if rows is not None and self._few(count, wanted):
            return rows
        found, _ = self._nearest(wanted)
        found = self._allowed(room, self.lent_to(room, found), rows)
        if len(found) < min(pool // 2, count):
            return self.index.all_rows if rows is None else rows
        return found

    def _allowed(self, room: Room, candidates: Array, rows: Array | None) -> Array:
        """Those candidates that are among the rows."""
        import numpy as np

        if rows is None:
            return candidates
        stamp = room.next_stamps()
        self.kernels.mark(rows, room.stamps, stamp)
        out = np.empty(len(candidates), np.int32)
        return out[: self.kernels.keep(candidates, room.stamps, stamp, out)]

    # Ranking, and what documents with neighbours do otherwise (`chained`)

    def rank_rows(self, room: Room, rows: Array, k: int) -> Ranked:
        """The k best of these rows, all of which are scored."""
        norm = self.statistics
        ranked: Ranked = self.kernels.rank_rows(
            rows, *self._forward, *self._postings,
            self.terms, self.weights, norm.a, norm.b, *self._vectors, *self.fuse, k, room.buffer, room.more,
        )  # fmt: skip
        return ranked

    def rank_postings(self, room: Room, rows: Array | None, found: Array, split: int, k: int) -> tuple[Ranked, bool]:
        """The k best of these rows (of all) by their words, of the `found` nearest and of what can be as good as they;
        and whether rows without any of the words could be."""
        norm, everything = self.statistics, rows is None
        *ranked, unsure = self.kernels.rank_postings(
            found if rows is None else rows, everything, found, split, MOST_COMPARED, *self._forward, *self._postings,
            self.terms, self.weights, norm.a, norm.b, *self._vectors, *self.fuse, k, room.buffer, room.more, room.kept,
            room.stamps, room.next_stamps(),
        )  # fmt: skip
        return tuple(ranked), bool(unsure)

    def lent_to(self, room: Room, rows: Array) -> Array:  # noqa: ARG002 - documents with neighbours need the room
        """The rows, and all that one of them lends to."""
        return rows

    @cached_property
    def postings(self) -> int:
        """How many postings the terms have here."""
        start = self.index.a["post_start"]
        return int((start[self.terms + 1] - start[self.terms]).sum())

    @property
    def _forward(self) -> tuple[Array, ...]:
        a = self.index.a
        return a["fwd_start"], a["fwd_term"], a["fwd_tf"]

    @property
    def _postings(self) -> tuple[Array, ...]:
        a = self.index.a
        return a["post_start"], a["post_row"], a["post_tf"], self.index.span(self.cut)

    @property
    def _vectors(self) -> tuple[Array, Array]:
        """The index's vectors and the question's: none of either where they do not count."""
        vectors, vector = self.index.vectors, self.question.vector
        return _nothing() if vectors is None or vector is None else (vectors, vector)

    def dots(self, rows: Array) -> Array:
        """Cosines of rows by their own vectors."""
        import numpy as np

        out = np.empty(len(rows), np.float32)
        self.kernels.dots(*self._vectors, rows, out)
        return out


def _merged(one: Ranked, other: Ranked, k: int) -> Ranked:
    """The k best of two lists that may share rows."""
    import numpy as np

    rows, bm25, cosine, score = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    _, places = np.unique(rows, return_index=True)
    best = places[np.argsort(-score[places], kind="stable")[:k]]
    return rows[best], bm25[best], cosine[best], score[best]


def _NO_ROWS() -> Array:  # noqa: N802 - a constant that must not import numpy when this module is imported
    import numpy as np

    return np.zeros(0, np.int32)


def _nothing() -> tuple[Array, Array]:
    """No vectors, of the kind that the loops are compiled for."""
    import numpy as np

    global _known_nothing
    if _known_nothing is None:
        _known_nothing = read_only(np.zeros((0, 0), np.float32)), read_only(np.zeros(0, np.float32))
    return _known_nothing


_known_nothing: tuple[Array, Array] | None = None
