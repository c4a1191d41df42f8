"""Bases: the indexes over the parts of one snapshot, and what is needed to search them with what came since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from context_plane.parts.part import FULLTEXT
from context_plane.parts.timeline import read_rows, table
from context_plane.parts.view import tail_of
from context_plane.retrieval.hot.index import Index
from context_plane.retrieval.text.analysis import Analyzer
from context_plane.retrieval.text.documents import Indexing

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from context_plane.parts.snapshots import Snapshot
    from context_plane.parts.view import View
    from context_plane.retrieval.embedders import Embedder

    Array = NDArray[Any]

EMBEDDED_AT_ONCE: Final = 20_000
"""Events without a vector that a reader embeds itself; of more it waits for materialization."""
_MERGED: Final = 2e-5
"""Seconds that merging takes a document."""
_SECOND: Final = 1.5e-4
"""Seconds that a search takes longer over two indexes than over one."""


@dataclass(eq=False)
class Base:
    """Indexes of parts, and what is needed to search them together with what came since."""

    indexes: tuple[Index, ...]
    """One over everything; or, not yet merged, one over what was compacted and one over the days since."""
    snapshot: Snapshot | None
    """Whose parts they hold; `None` for none."""
    outdated: frozenset[int]
    indexing: Indexing
    embedder: Embedder | None = None
    names: tuple[str, ...] = ()
    """What each index was made of."""
    dimension: int = 0
    model: str = ""
    has_vectors: bool = False
    weight: float = 0.0
    """Share of cosines in hybrid scores."""
    why_no_vectors: str = ""
    searches: int = 0
    """How many were made since it was last asked whether merging is worth it."""
    superseded: bool = False
    """Whether one index has been merged of these."""
    _known: dict[str, Array] = field(default_factory=dict)

    @cached_property
    def analyzer(self) -> Analyzer:
        """The analyzer that the parts were made with."""
        return Analyzer(self.indexing.analyzer)

    @property
    def worth_merging(self) -> bool:
        """Whether searching two indexes has by now cost as much as merging them would: whoever pays for the one until
        it comes to the price of the other never pays more than twice what he had to."""
        return len(self.indexes) > 1 and self.searches * _SECOND > sum(each.rows for each in self.indexes) * _MERGED

    @property
    def nbytes(self) -> int:
        """Bytes of memory that are this process's own: memory-mapped files are not."""
        return sum(each.held for each in self.indexes) + sum(each.nbytes for each in list(self._known.values()))

    @property
    def embed(self) -> Callable[[Sequence[str]], Array] | None:
        """Turns texts into vectors of the index's model; `None` where vectors do not count."""
        return self._embed if self.has_vectors and self.embedder is not None else None

    def _embed(self, texts: Sequence[str]) -> Array:
        """Vectors of texts; those of the tail are kept, since it is made anew with every commit."""
        import numpy as np

        assert self.embedder is not None
        lacking = list(dict.fromkeys(text for text in texts if text not in self._known))
        if len(self._known) + len(lacking) > 4 * EMBEDDED_AT_ONCE:
            self._known.clear()
            lacking = list(dict.fromkeys(texts))
        if lacking:
            self._known.update(zip(lacking, self.embedder.embed(lacking), strict=True))
        return np.stack([self._known[text] for text in texts])

    def fresh(self, view: View) -> pa.Table:
        """The events up to the view's number that the parts lack, whatever `as_of` cuts off."""
        if self.snapshot is None or not self.snapshot.catalog.of(FULLTEXT):
            return replace(view, end=view.history.beyond(view.number) or 0).events()
        tail = tail_of(view.history, self.snapshot, view.number, FULLTEXT, lambda record: record.silent)
        return table(list(read_rows(view.history, (ref for refs in tail.segments.values() for ref in refs))))
