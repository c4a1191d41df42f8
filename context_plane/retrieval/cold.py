"""Cold searches: of a few entities of a tenant whose parts are in a remote store, before they are fetched.

Here belongs the choice. Fetching an index of a hundred thousand events takes seconds, reading one entity's rows by
ranges some hundredths of one. Whoever goes on searching pays for ranges again and again, so once what was read comes to
what the parts weigh, the index is loaded in a thread: nobody pays more than twice what he had to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.instants import DAY
from context_plane.parts.part import FULLTEXT, VECTOR, Part
from context_plane.retrieval import fulltext, slices
from context_plane.retrieval.fold import chosen, part_key
from context_plane.retrieval.index import Index
from context_plane.retrieval.ranged import Reader
from context_plane.retrieval.vectors import align

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from context_plane.parts.files import Object
    from context_plane.parts.view import View
    from context_plane.retrieval.base import Base
    from context_plane.retrieval.filters import Filters
    from context_plane.retrieval.loading import Loader
    from context_plane.retrieval.question import Question

    Array = NDArray[Any]

_FEW: Final = 16
"""Entities that are read by ranges, at most."""


@dataclass(frozen=True)
class _Parts:
    """The parts of one snapshot."""

    base: Base
    texts: Sequence[Object]
    vectors: Sequence[Object]
    end: int
    """Every event in them is before this."""

    @property
    def size(self) -> int:
        return sum(size for _, _, size in (*self.texts, *self.vectors))


class Cold:
    """Searches of one tenant that need no index. Safe for threads."""

    def __init__(self, tenant: str, loader: Loader) -> None:
        self._tenant = tenant
        self._loader = loader
        self._reader = Reader(loader.files)
        self._last: tuple[View, _Parts | None] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of memory of what was read."""
        return self._reader.nbytes

    def base(self, view: View, filters: Filters) -> Base | None:
        """What such a search needs beside an index; `None` where the index is there, or has to be."""
        if self._loader.files.store.local or self._loader.loaded:
            return None
        if filters.entities is None or len(filters.entities) > _FEW:
            return None
        parts = self._of(view)
        if parts is None or view.as_of < parts.end:
            return None
        if self._reader.fetched > parts.size and not self._loader.later(view):
            return None
        return parts.base

    def index(self, view: View, filters: Filters, question: Question) -> Index | None:
        """An index of the entities' events in the parts; `None` where the parts have to be fetched.

        Raises `Corrupt`, `NotFound`, `Unavailable`.
        """
        parts = self._of(view)
        assert parts is not None
        assert filters.entities is not None
        base, near = parts.base, parts.vectors if question.vector is not None else ()
        read = slices.read(self._reader, parts.texts, near, filters.entities, question.hashes)
        if read is not None:
            shard = read.shard or fulltext.build((), base.analyzer)
            vectors, missing = align(shard.arrays["key"], read.vectors, base.dimension) if near else (None, ())
            if not len(missing):
                return Index(shard, base.indexing.sources, vectors=vectors, whole=read.whole)
        self._last = view, None
        return None

    def _of(self, view: View) -> _Parts | None:
        """The parts of a view; `None` where they are on this machine, or hold events without a vector."""
        last = self._last
        if last is None or last[0] is not view:
            last = self._last = view, self._parts(view)
        return last[1]

    def _parts(self, view: View) -> _Parts | None:
        base, files = self._loader.bare(view), self._loader.files
        texts, vectors = (chosen(kind, view.catalog, base.outdated) for kind in (FULLTEXT, VECTOR))
        if sum(part.rows for part in vectors) == sum(part.rows for part in texts):
            base.has_vectors = base.dimension > 0
        elif base.dimension:
            return None
        parts = _Parts(base, self._objects(FULLTEXT, texts), self._objects(VECTOR, vectors), _end(texts))
        here = all(files.has(key, version) for key, version, _ in (*parts.texts, *parts.vectors))
        return None if here else parts

    def _objects(self, kind: str, parts: Sequence[Part]) -> list[Object]:
        return [(part_key(self._tenant, kind, part), part.version, part.size) for part in parts]


def _end(parts: Sequence[Part]) -> int:
    """Before what instant all events of parts are."""
    return max((((part.day if part.last is None else part.last) + 1) * DAY for part in parts), default=0)
