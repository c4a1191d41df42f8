"""Searches without an index: of a tenant whose parts are in a remote store and not fetched yet, or whose index takes
more memory than it may.

Here belongs the choice, by cost. A few entities are read by ranges (`slices`): some hundredths of a second, where
fetching the index of a hundred thousand events takes seconds. Whoever goes on searching pays for ranges again and
again, so once what was read comes to what the parts weigh, the index is loaded in a thread: nobody pays more than
twice what he had to. An index that is too large is never loaded; LanceDB finds the candidates (`candidates`). Either
way there comes a small index, made for one question, that the usual scorer ranks with the statistics of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Corrupt
from context_plane.instants import DAY
from context_plane.parts.daily import chosen, part_key
from context_plane.parts.part import FULLTEXT, GRAPH, VECTOR, Part
from context_plane.retrieval.building.lance import open_table, table_name
from context_plane.retrieval.cold import candidates, slices
from context_plane.retrieval.cold.candidates import Asked, Candidates, analysis_of
from context_plane.retrieval.cold.ranged import Reader
from context_plane.retrieval.cold.slices import Slice, Source
from context_plane.retrieval.filters import Filters, matching
from context_plane.retrieval.hot.index import Index
from context_plane.retrieval.scoring.fusion import fuse
from context_plane.retrieval.scoring.question import Mode, Question, statistics
from context_plane.retrieval.shards import fulltext
from context_plane.retrieval.shards.vectors import align

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from context_plane.parts.view import View
    from context_plane.retrieval.hot.base import Base
    from context_plane.retrieval.hot.loading import Loader

    Array = NDArray[Any]

_FEW: Final = 16
"""Entities that are read by ranges, at most."""


@dataclass(frozen=True)
class _Parts:
    """The parts of one snapshot, and how they may be searched."""

    base: Base
    texts: Sequence[Source]
    vectors: Sequence[Source]
    size: int
    large: bool
    """Whether they are never to be loaded."""
    table: Candidates | None
    numbers: dict[int, int]
    """By day: the log number up to which its shard was built."""

    @property
    def end(self) -> int:
        """Every event in them is before this."""
        return max((each.end for each in self.texts), default=0)


class Unloaded:
    """Searches of one tenant that need no index. Safe for threads."""

    def __init__(self, tenant: str, loader: Loader, limit: int) -> None:
        """`limit` is how many bytes an index may take."""
        self._tenant = tenant
        self._loader = loader
        self._limit = limit
        self._reader = Reader(loader.files)
        self._last: tuple[View, _Parts | None] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of memory of what was read."""
        return self._reader.nbytes

    def base(self, view: View, filters: Filters) -> Base | None:
        """What such a search needs beside an index; `None` where the index is there, or has to be.

        Raises `Unavailable`.
        """
        parts = self._of(view)
        if parts is None:
            return None
        few = filters.entities is not None and len(filters.entities) <= _FEW
        if parts.large:
            return parts.base if few or parts.table is not None else None
        if not few or self._loader.loaded or view.end < parts.end:
            return None
        if self._reader.fetched > parts.size and not self._loader.later(view):
            return None
        return parts.base

    def index(
        self, view: View, filters: Filters, question: Question, mode: Mode, k: int, loops: ModuleType
    ) -> Index | None:
        """An index of the events in the parts that can be among the k best; `None` where the parts have to be loaded.

        Raises `Corrupt`, `NotFound`, `Unavailable`.
        """
        parts = self._of(view)
        if parts is None:  # another search has found out meanwhile
            return None
        few = filters.entities is not None and len(filters.entities) <= _FEW
        found = self._of_entities(parts, view, filters, question) if few else None
        if found is None and parts.table is not None:
            found = self._of_candidates(parts, view, filters, question, mode, k, loops)
        if found is None:
            self._last = view, None
        return found

    def _of_entities(self, parts: _Parts, view: View, filters: Filters, question: Question) -> Index | None:
        near = parts.vectors if question.vector is not None else ()
        read = self._read(parts, view, near, filters.entities or (), question.hashes)
        if read is None:
            return None
        shard = read.shard or fulltext.build((), parts.base.analyzer)
        vectors, missing = align(shard.arrays["key"], read.vectors, parts.base.dimension) if near else (None, ())
        if len(missing):
            return None
        return Index(shard, parts.base.indexing.sources, vectors=vectors, whole=read.whole)

    def _of_candidates(
        self, parts: _Parts, view: View, filters: Filters, question: Question, mode: Mode, k: int, loops: ModuleType
    ) -> Index | None:
        read = self._read(parts, view, (), (), question.hashes)
        if read is None:
            return None
        assert parts.table is not None
        sources, empty = parts.base.indexing.sources, fulltext.build((), parts.base.analyzer)
        numbers = statistics(question, (Index(empty, sources, whole=read.whole),), view.end, loops)
        until = view.end if filters.until is None else min(filters.until, view.end)
        types = matching(self._types(parts), filters.types)
        assert view.snapshot is not None
        sql = candidates.where(replace(filters, until=until), types, parts.base.outdated, view.snapshot.newest)
        combine = fuse(mode, numbers.bound, parts.base.weight)
        asked = Asked(question, numbers.weights, mode, combine, k, sql, parts.numbers)
        try:
            shard, vectors = parts.table.find(asked)
        except Corrupt:
            return None  # the parts have it all, with checksums
        if shard is None:
            return Index(empty, sources, whole=read.whole)
        return Index(shard, sources, vectors=vectors, whole=read.whole)

    def _read(
        self, parts: _Parts, view: View, near: Sequence[Source], names: Sequence[str], hashes: Array
    ) -> Slice | None:
        return slices.read(self._reader, parts.texts, near, names, hashes, view.end)

    def _types(self, parts: _Parts) -> list[str]:
        opened = self._reader.open([each.object for each in parts.texts]) or ()
        return sorted({name for each in opened for name in each.meta["types"]})

    def _of(self, view: View) -> _Parts | None:
        """The parts of a view; `None` where their index is to be loaded."""
        last = self._last
        if last is None or last[0] is not view:
            last = self._last = view, self._parts(view)
        return last[1]

    def _parts(self, view: View) -> _Parts | None:
        files, catalog = self._loader.files, view.catalog
        size = sum(part.size for kind in (FULLTEXT, VECTOR, GRAPH) for part in catalog.of(kind).values())
        large = size > self._limit
        if not catalog.of(FULLTEXT) or (not large and (files.store.local or self._loader.loaded)):
            return None
        base = self._loader.bare(view)
        texts, vectors = (chosen(kind, catalog, base.outdated) for kind in (FULLTEXT, VECTOR))
        rows = sum(part.rows for part in texts)
        if sum(part.rows for part in vectors) == rows:
            base.has_vectors = base.dimension > 0
        elif base.dimension:
            return None  # they are embedded while they are loaded
        held = [self._sources(*each) for each in ((FULLTEXT, texts), (VECTOR, vectors))]
        here = all(files.has(*each.object[:2]) for sources in held for each in sources)
        if here and not large:
            return None
        numbers = {day: part.number for day, part in catalog.of(FULLTEXT).items()}
        table = self._table(view, base, rows) if large and base.has_vectors else None
        return _Parts(base, held[0], held[1], size, large, table, numbers)

    def _sources(self, kind: str, parts: Sequence[Part]) -> list[Source]:
        return [
            Source(
                (part_key(self._tenant, kind, part), part.version, part.size),
                part.day * DAY,
                ((part.day if part.last is None else part.last) + 1) * DAY,
            )
            for part in parts
        ]

    def _table(self, view: View, base: Base, rows: int) -> Candidates | None:
        """The table of embeddings; `None` where it was not made fit for this snapshot."""
        assert view.snapshot is not None
        table = open_table(self._loader.files.store, self._tenant, table_name(base.model))
        found = None if table is None else Candidates(table, self._tenant)
        analysis = analysis_of(view.catalog.about[FULLTEXT])
        return found if found is not None and found.complete(analysis, view.snapshot.newest, rows) else None
