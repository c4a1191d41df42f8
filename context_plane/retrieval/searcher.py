"""The searcher of one tenant: from a view and a query to hits.

Here belongs the order of steps. Parts are turned into an index by `loading`, what they lack by `tail`; each index gives
its best by `scoring`, and the best of these are the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import inf, sqrt
from typing import TYPE_CHECKING, Any, Final, Literal

from context_plane.errors import Infeasible, InputError
from context_plane.retrieval.cold.unloaded import Unloaded
from context_plane.retrieval.filters import Filters
from context_plane.retrieval.hit import Hit, Scores
from context_plane.retrieval.hot.base import Base
from context_plane.retrieval.hot.index import Index
from context_plane.retrieval.hot.loading import Loader
from context_plane.retrieval.hot.tail import Joined, join
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.scoring.chained import ChainedSearch
from context_plane.retrieval.scoring.fusion import fuse
from context_plane.retrieval.scoring.question import Mode, Question, ask, statistics
from context_plane.retrieval.scoring.search import Found, Search
from context_plane.retrieval.text.documents import documents

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from context_plane.parts.view import View

    Array = NDArray[Any]

Asked = Literal["auto", "bm25", "vector", "hybrid"]
MODES: Final = ("auto", "bm25", "vector", "hybrid")
MOST: Final = 10_000
"""Hits that one search may ask for."""
_TAILS_KEPT: Final = 4
_LEAST_SQUARE: Final = 1e-20


@dataclass(frozen=True)
class Query:
    """A search as the façade takes it in."""

    text: str
    filters: Filters
    mode: Asked = "auto"
    k: int = 10
    vector: Any = None
    """A ready query vector, instead of the text's own."""

    def checked(self) -> Query:
        """The query. Raises `InputError` for what cannot be asked."""
        if self.mode not in MODES:
            raise InputError(f"there is no mode {self.mode!r}", where="mode", remedy=f"use one of {', '.join(MODES)}")
        if type(self.k) is not int or not 0 <= self.k <= MOST:
            raise InputError(f"k is {self.k!r}", where="k", remedy=f"give a number from 0 to {MOST:,}")
        if not isinstance(self.text, str):
            raise InputError(f"the query is {type(self.text).__name__}, not text", where="query", remedy="pass text")
        return self


class Searcher:
    """Searches one tenant. Safe for threads."""

    def __init__(self, tenant: str, loader: Loader, grown: Callable[[], None], limit: int) -> None:
        """`grown` is called when the searcher has come to take more memory; `limit` is how many bytes an index may
        take to be loaded."""
        self._tenant = tenant
        self._loader = loader
        self._unloaded = Unloaded(tenant, loader, limit)
        self._grown = grown
        self._tails: dict[int, tuple[Base, Joined]] = {}
        self._last: tuple[View, Base, Joined] | None = None
        self._lock = threading.Lock()

    def search(self, view: View, query: Query) -> list[Hit]:
        """The hits of a view for a query, the best first; of equal ones in timeline order.

        Raises `Infeasible` where vectors are asked for and there are none, `InputError` for a vector of another model.
        """
        if query.k == 0:
            return []
        base = self._unloaded.base(view, query.filters)
        if base is not None:
            mode, question = self._asked(query, base)
            if question.empty:
                return []
            loops = kernels.choice.current()
            index = self._unloaded.index(view, query.filters, question, mode, query.k, loops)
            if index is not None:
                return self._answer(view, query, base, mode, question, (index, *self._joined(view, base).indexes))
        base, joined = self._current(view)
        base.searches += 1
        mode, question = self._asked(query, base)
        return [] if question.empty else self._answer(view, query, base, mode, question, joined.indexes)

    def _asked(self, query: Query, base: Base) -> tuple[Mode, Question]:
        mode, vector = self._mode(query, base)
        return mode, ask("" if mode == "vector" else query.text, base.analyzer, vector)

    def _answer(
        self, view: View, query: Query, base: Base, mode: Mode, question: Question, indexes: Sequence[Index]
    ) -> list[Hit]:
        loops = kernels.choice.current()
        numbers = statistics(question, indexes, view.end, loops)
        combine = fuse(mode, numbers.bound, base.weight)
        found = []
        for index, (places, terms) in zip(indexes, numbers.terms, strict=True):
            weights = numbers.weights[places]
            way = ChainedSearch if index.chained else Search
            search = way(index, terms, weights, question, numbers, query.filters, view.end, mode, combine, loops)
            found.append((index, search.best(query.k)))
        return self._hits(mode, found, query.k, loops)

    @property
    def nbytes(self) -> int:
        """Bytes of memory of all indexes and tails; memory-mapped files are not counted."""
        tails = sum(joined.nbytes for _, joined in list(self._tails.values()))
        return self._loader.nbytes + self._unloaded.nbytes + tails

    def warm(self, view: View) -> None:
        """Loads what the first search would have to wait for: index, tail, embedder and compiled loops.

        An index that is too large is not loaded."""
        base = self._unloaded.base(view, Filters())
        if base is not None:
            self._joined(view, base)
        else:
            base, _ = self._current(view, wait=True)
        if len(base.indexes) > 1:
            self._loader.merge(view, base)
            base, _ = self._current(view, wait=True)
        kernels.choice.load()
        if base.embedder is not None:
            base.embedder.embed(["warm"])

    def _mode(self, query: Query, base: Base) -> tuple[Mode, Array | None]:
        """What is scored, and the query's vector where vectors are."""
        if query.mode == "bm25":
            return "bm25", None
        if not base.has_vectors or (query.vector is None and base.embedder is None):
            if query.mode == "auto" and query.vector is None:
                return "bm25", None
            raise Infeasible(
                f"tenant {self._tenant} has no vectors to search",
                where=f"mode {query.mode}",
                remedy=base.why_no_vectors or "materialize with an embedder (cortex materialize), or use mode bm25",
            )
        vector = self._vector(query, base)
        if not vector.any() and query.mode != "vector":
            return "bm25", None  # the model finds nothing in the text, such as in one of punctuation alone
        return "hybrid" if query.mode == "auto" else query.mode, vector

    def _vector(self, query: Query, base: Base) -> Array:
        import numpy as np

        if query.vector is None:
            assert base.embedder is not None
            own: Array = base.embedder.embed([query.text])[0]
            return own
        try:
            with np.errstate(over="ignore"):
                vector = np.ascontiguousarray(query.vector, np.float32)
                square = float(vector @ vector) if vector.shape == (base.dimension,) else inf
            if not _LEAST_SQUARE < square < 1 / _LEAST_SQUARE:  # seldom: is it the numbers, or what they are kept in?
                return _unit(np.asarray(query.vector, np.float64), base)
        except (TypeError, ValueError, OverflowError) as error:
            raise _no_vector("the vector is not made of numbers", base) from error
        return vector / np.float32(sqrt(square))

    def _current(self, view: View, *, wait: bool = False) -> tuple[Base, Joined]:
        """The index for a view, and with it what came since.

        Where only another snapshot was published meanwhile, the index in use answers the same: it goes on serving while
        the new one is loaded in a thread.
        """
        last = self._last
        if last is not None and last[0] is view and not (wait or last[1].superseded or last[1].worth_merging):
            return last[1], last[2]
        if last is not None and not wait and last[0].number == view.number and self._loader.later(view):
            return last[1], last[2]
        base = self._loader.base(view)
        if base.worth_merging:
            base.searches = 0
            self._loader.merge_later(view, base)
        joined = self._joined(view, base)
        self._last = view, base, joined
        self._grown()
        return base, joined

    def _joined(self, view: View, base: Base) -> Joined:
        """The base with what it lacks of the log up to the view's number."""
        number = view.history.heard(view.number)
        known = self._tails.get(number)
        if known is None or known[0] is not base:
            with self._lock:
                known = self._tails.get(number)
                if known is None or known[0] is not base:
                    known = base, self._join(view, base)
                    while len(self._tails) >= _TAILS_KEPT:
                        self._tails.pop(next(iter(self._tails)))
                    self._tails[number] = known
        return known[1]

    def _join(self, view: View, base: Base) -> Joined:
        events = base.fresh(view)
        fresh = documents(events, base.indexing) if events.num_rows else ()
        return join(base.indexes, fresh, base.analyzer, base.indexing.sources, base.embed)

    def _hits(self, mode: Mode, found: Sequence[tuple[Index, Found]], k: int, loops: ModuleType) -> list[Hit]:
        """The k best of all indexes: by score, then in timeline order."""
        tenant, hits = self._tenant, list[Hit]()
        for index, best in found:
            score = best.score[:k].tolist()
            while mode == "bm25" and score and score[-1] <= 0:
                score.pop()
            count = len(score)
            bm25 = best.bm25[:count].tolist() if mode != "vector" else repeat(None)
            cosine = best.cosine[:count].tolist() if mode != "bm25" else repeat(None)
            about = index.described(best.rows[:count], loops)
            hits += [  # `_make`, because it takes half the time of naming every field
                Hit._make((tenant, id_, entity, at, kind, text, value, Scores._make(both), source))
                for (entity, at, source, id_, kind, text), value, both in zip(
                    about, score, zip(bm25, cosine, strict=False), strict=False
                )
            ]
        if len(found) > 1:
            hits.sort(key=lambda hit: (-hit.score, hit.entity, hit.at, hit.source, hit.event_id))
            del hits[k:]
        return hits


def _unit(vector: Array, base: Base) -> Array:
    """The vector with length 1, whatever its numbers; one of nothing but zeros as it is. Raises `InputError`."""
    import numpy as np

    if vector.shape != (base.dimension,):
        raise _no_vector(f"the vector has shape {vector.shape}", base)
    if not np.isfinite(vector).all():
        raise _no_vector("the vector is not finite", base)
    largest = float(abs(vector).max())
    scaled = vector / largest if largest else vector
    found: Array = (scaled / (np.linalg.norm(scaled) or 1.0)).astype(np.float32)
    return found


def _no_vector(what: str, base: Base) -> InputError:
    return InputError(what, where="vector", remedy=f"give {base.dimension} finite numbers of {base.model}")
