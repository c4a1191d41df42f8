"""Loading: from the parts of a snapshot to the index that a process searches, and to the events that it lacks.

Here belongs the choice of parts and their merging, once for each set of parts. An index of an older snapshot answers
the same as one of a newer, because what it lacks is its tail.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import digest
from context_plane.errors import ContextPlaneError
from context_plane.parts.part import FULLTEXT, GRAPH, VECTOR, Catalog, Part
from context_plane.parts.timeline import read_rows, table
from context_plane.parts.view import tail_of
from context_plane.retrieval import fulltext, kernels, vectors
from context_plane.retrieval.analysis import Analyzer
from context_plane.retrieval.documents import Indexing
from context_plane.retrieval.fold import chosen, open_graph, open_part
from context_plane.retrieval.index import Index, read_only
from context_plane.retrieval.merged import Merged

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from context_plane.parts.files import Files
    from context_plane.parts.snapshots import Snapshot
    from context_plane.parts.view import View
    from context_plane.retrieval.embedders import Embedder
    from context_plane.retrieval.fulltext import FullText

    Array = NDArray[Any]

EMBEDDED_AT_ONCE: Final = 20_000
"""Events without a vector that a reader embeds itself; of more it waits for materialization."""
_KEPT: Final = 2


@dataclass(eq=False)
class Base:
    """An index of parts, and what is needed to search it together with what came since."""

    index: Index
    snapshot: Snapshot | None
    """Whose parts it holds; `None` for none."""
    outdated: frozenset[int]
    indexing: Indexing
    embedder: Embedder | None
    dimension: int
    model: str
    has_vectors: bool
    weight: float
    """Share of cosines in hybrid scores."""
    why_no_vectors: str = ""
    _known: dict[str, Array] = field(default_factory=dict)

    @cached_property
    def analyzer(self) -> Analyzer:
        """The analyzer that the parts were made with."""
        return Analyzer(self.indexing.analyzer)

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
            return replace(view, as_of=view.clock).events()
        tail = tail_of(view.history, self.snapshot, view.number, FULLTEXT)
        return table(list(read_rows(view.history, (ref for refs in tail.segments.values() for ref in refs))))


class Loader:
    """Loads the indexes of one tenant. Safe for threads."""

    def __init__(
        self,
        tenant: str,
        files: Files,
        indexing: Callable[[], Indexing],
        embedder: Callable[[str | None], Embedder | None],
    ) -> None:
        """`indexing` says what the home declares; `embedder` opens one by name, the home's own for `None`."""
        self._tenant = tenant
        self._files = files
        self._merged = Merged(files.cache, tenant)
        self._indexing = indexing
        self._embedder = embedder
        self._bases: dict[tuple[Any, ...], Base] = {}
        self._loading: set[tuple[Any, ...]] = set()
        self._failed: set[tuple[Any, ...]] = set()
        self._lock = threading.Lock()

    def base(self, view: View) -> Base:
        """The index for a view, loaded now where it is not yet. Raises `Corrupt` for damaged parts."""
        key = self._key(view)
        base = self._bases.get(key)
        if base is None:
            with self._lock:
                base = self._bases.get(key)
                if base is None:
                    base = self._load(view)
                    while len(self._bases) >= _KEPT:
                        self._bases.pop(next(iter(self._bases)))
                    self._bases[key] = base
        return base

    def later(self, view: View) -> bool:
        """Whether the index for a view is on its way: it is loaded in a thread, beginning with the first call.

        False once it is there, and where loading failed: whoever then asks for it is told why.
        """
        key = self._key(view)
        if key in self._bases or key in self._failed:
            return False
        if key not in self._loading:
            self._loading.add(key)
            threading.Thread(target=self._load_later, args=(key, view), name="load-index", daemon=True).start()
        return True

    def _load_later(self, key: tuple[Any, ...], view: View) -> None:
        try:
            self.base(view)
        except Exception:  # noqa: BLE001 - whoever asks next meets it again, in a thread that can say so
            self._failed.add(key)
        finally:
            self._loading.discard(key)

    def _key(self, view: View) -> tuple[Any, ...]:
        if view.snapshot is None:
            return (0, frozenset())
        return (view.snapshot.number, self._outdated(view))

    def _outdated(self, view: View) -> frozenset[int]:
        """Days whose shard still holds what a later tombstone or rewrite took away."""
        held = view.catalog.of(FULLTEXT)
        return frozenset(
            day
            for record in view.history.records(view.snapshot.log if view.snapshot else 0, view.number)
            if record.kind != "ingest"
            for day in view.history.affected(record)
            if day in held and held[day].number < record.number
        )

    def _load(self, view: View) -> Base:
        catalog, outdated = view.catalog, self._outdated(view)
        about = catalog.about.get(FULLTEXT)
        indexing = self._indexing() if about is None else Indexing.from_json(about["indexing"])
        shard = self._text(chosen(FULLTEXT, catalog, outdated), indexing)
        return self._with_vectors(Index(shard, indexing.sources), view.snapshot, catalog, outdated, indexing)

    def _text(self, parts: Sequence[Part], indexing: Indexing) -> FullText:
        """One shard of several, mapped where another process has merged them."""
        if not parts:
            return fulltext.build((), Analyzer(indexing.analyzer))
        name = f"{_name(parts)}.{FULLTEXT}"
        kept = self._merged.open(name) if len(parts) > 1 else None
        if kept is not None:
            return fulltext.decode(kept, name)
        shard = fulltext.merge(
            [fulltext.decode(*open_part(self._files, self._tenant, FULLTEXT, part)) for part in parts]
        )
        if len(parts) > 1:
            self._merged.keep(name, shard.encode({"parts": len(parts)}))
        return shard

    def _aligned(self, index: Index, texts: Sequence[Part], parts: Sequence[Part], width: int) -> tuple[Array, Array]:
        """The vectors of an index's events and the rows that have none, mapped where another process has made them."""
        import numpy as np

        name = f"{_name([*texts, *parts])}.{VECTOR}"
        kept = self._merged.open(name) if len(parts) > 1 else None
        if kept is not None:
            return vectors.decode(kept, name).vector, np.zeros(0, np.int64)
        shards = [vectors.decode(*open_part(self._files, self._tenant, VECTOR, part)) for part in parts]
        found, missing = vectors.align(index.a["key"], shards, width)
        if len(parts) > 1 and not len(missing):
            self._merged.keep(name, vectors.Vectors(index.a["key"], found).encode({"parts": len(parts)}))
        return found, missing

    def _opened(self, model: Mapping[str, Any] | None) -> tuple[Embedder | None, str]:
        """The embedder of the index's model, or why there is none."""
        try:
            embedder = self._embedder(model["name"] if model else None)
        except ContextPlaneError as error:
            return None, str(error)
        if model and embedder is not None and embedder.id != model["id"]:
            return None, f"the vectors are of {model['id']}, the installed model is {embedder.id}: backfill them"
        return embedder, ""

    def _with_vectors(
        self, index: Index, snapshot: Snapshot | None, catalog: Catalog, outdated: frozenset[int], indexing: Indexing
    ) -> Base:
        model = catalog.about.get(VECTOR, {}).get("model")
        embedder, why = self._opened(model)
        import numpy as np

        dimension = model["dimension"] if model else (embedder.dimension if embedder else 0)
        weight = model["weight"] if model else embedder.weight if embedder else 0.0
        base = Base(index, snapshot, outdated, indexing, embedder, dimension, "", False, weight, why)
        if not dimension:
            return base
        texts, parts = (chosen(kind, catalog, outdated) for kind in (FULLTEXT, VECTOR))
        found, missing = self._aligned(index, texts, parts, dimension)
        if len(missing) and (embedder is None or len(missing) > EMBEDDED_AT_ONCE):
            base.why_no_vectors = why or f"{len(missing):,} events have no vector yet: materialize (cortex materialize)"
            return base
        if len(missing):
            assert embedder is not None
            found[missing] = embedder.embed([each[-1] for each in index.described(missing, kernels.choice.current())])
        index.vectors = read_only(found)
        graph = catalog.of(GRAPH).get(0) if catalog.about.get(GRAPH) == catalog.about.get(VECTOR) else None
        if graph is not None:
            index.graph = near = open_graph(self._files, self._tenant, graph, dimension)
            known = np.isin(index.a["key"], near.keys())
            index.ungraphed = np.flatnonzero(~known & found.any(axis=1)).astype(np.int32)
        base.has_vectors, base.model = True, model["id"] if model else embedder.id  # type: ignore[union-attr]
        return base


def _name(parts: Sequence[Part]) -> str:
    """What an index merged of these parts is kept under; their versions say what they hold and how it was made."""
    return digest([part.version for part in parts]).removeprefix("sha256:")
