"""Loading: from the parts of a snapshot to the indexes that a process searches.

Here belongs the choice of parts and their merging, once for each set of parts. An index of an older snapshot answers
the same as one of a newer, because what it lacks is its tail.

What was compacted changes once a month, and is one index; the days since are few, and are another until searching two
has cost as much as merging them would. So neither a cold process nor one that meets a new snapshot merges a long
history before it answers. Documents with neighbours are merged at once: their chains cross months.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import digest
from context_plane.errors import ContextPlaneError
from context_plane.parts.daily import chosen, open_part, part_key
from context_plane.parts.part import FULLTEXT, GRAPH, VECTOR, Catalog, Part, month_of
from context_plane.retrieval.building.fold import graph_key, open_graph
from context_plane.retrieval.hot.base import EMBEDDED_AT_ONCE, Base
from context_plane.retrieval.hot.index import Index, read_only
from context_plane.retrieval.hot.merged import Merged
from context_plane.retrieval.scoring import kernels
from context_plane.retrieval.shards import fulltext, merging, vectors
from context_plane.retrieval.shards.twins import Twins, hashes
from context_plane.retrieval.text.analysis import Analyzer
from context_plane.retrieval.text.documents import Indexing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from context_plane.parts.files import Files
    from context_plane.parts.view import View
    from context_plane.retrieval.embedders import Embedder
    from context_plane.retrieval.shards.fulltext import FullText

    Array = NDArray[Any]

_KEPT: Final = 2
_APART: Final = 4_096
"""Events (or a tenth of all) that are searched apart from what was compacted."""
Key = tuple[Any, ...]
_NONE: Final = "its embedder is none: choose one (CONTEXT_PLANE_EMBEDDER, or plane.toml), or use mode bm25"


@dataclass(frozen=True)
class _Group:
    """Parts that make one index."""

    texts: tuple[Part, ...]
    vectors: tuple[Part, ...]

    @property
    def name(self) -> str:
        """What the index is known by; versions of parts say what they hold and how it was made."""
        return _name([*self.texts, *self.vectors])


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
        self.files = files
        self._merged = Merged(files.disk, tenant)
        self._indexing = indexing
        self._embedder = embedder
        self._bases: dict[Key, Base] = {}
        self._loading: set[Key] = set()
        self._failed: set[Key] = set()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of memory of all indexes."""
        return sum(base.nbytes for base in list(self._bases.values()))

    def base(self, view: View) -> Base:
        """The index for a view, loaded now where it is not yet. Raises `Corrupt` for damaged parts."""
        key = self._key(view)
        base = self._bases.get(key)
        if base is None:
            with self._lock:
                base = self._bases.get(key)
                if base is None:
                    base = self._keep(key, self._load(view))
        return base

    @property
    def loaded(self) -> bool:
        """Whether there is any index, of whichever snapshot."""
        return bool(self._bases)

    def bare(self, view: View) -> Base:
        """What is needed to search a view beside its index, without any."""
        base = Base((), view.snapshot, outdated(view), self._indexed(view.catalog))
        self._with_model(base, view.catalog)
        return base

    def later(self, view: View) -> bool:
        """Whether the index for a view is on its way: it is loaded in a thread, beginning with the first call.

        False once it is there, and where loading failed: whoever then asks for it is told why.
        """
        key = self._key(view)
        if key in self._bases or key in self._failed:
            return False
        self._in_a_thread(key, lambda: self.base(view))
        return True

    def merge_later(self, view: View, base: Base) -> None:
        """Merges the indexes of a base into one, in a thread; it then takes the base's place."""
        key = self._key(view)
        if (key, "merged") not in self._failed:
            self._in_a_thread((key, "merged"), lambda: self.merge(view, base))

    def merge(self, view: View, base: Base) -> Base:
        """The base as one index, loaded now; it takes the place of the other."""
        if len(base.indexes) < 2:
            return base
        key = self._key(view)
        with self._lock:
            known = self._bases.get(key)
            if known is None or len(known.indexes) > 1:
                known = self._keep(key, self._load(view, apart=False))
        base.superseded = True
        return known

    def _keep(self, key: Key, base: Base) -> Base:
        self._bases.pop(key, None)
        while len(self._bases) >= _KEPT:
            self._bases.pop(next(iter(self._bases)))
        self._bases[key] = base
        return base

    def _in_a_thread(self, key: Key, load: Callable[[], Any]) -> None:
        if key not in self._loading:
            self._loading.add(key)
            threading.Thread(target=self._load_later, args=(key, load), name="load-index", daemon=True).start()

    def _load_later(self, key: Key, load: Callable[[], Any]) -> None:
        try:
            load()
        except Exception:  # noqa: BLE001 - whoever asks next meets it again, in a thread that can say so
            self._failed.add(key)
        finally:
            self._loading.discard(key)

    def _key(self, view: View) -> Key:
        if view.snapshot is None:
            return (0, frozenset())
        return (view.snapshot.number, outdated(view))

    def _load(self, view: View, *, apart: bool = True) -> Base:
        """The base of a view: of two indexes where they may stay `apart` and it is worth it."""
        catalog, gone = view.catalog, outdated(view)
        indexing = self._indexed(catalog)
        texts, parts = (chosen(kind, catalog, gone) for kind in (FULLTEXT, VECTOR))
        whole = _Group(tuple(texts), tuple(parts))
        groups = self._groups(whole) if apart else [whole]
        self._fetch(catalog, groups)
        shards = [self._text(group.texts, indexing) for group in groups]
        if len(groups) > 1 and any("own" in shard.arrays for shard in shards):
            groups, shards = [whole], [self._text(whole.texts, indexing, shards)]
        indexes = tuple(Index(shard, indexing.sources) for shard in shards)
        base = Base(indexes, view.snapshot, gone, indexing, None, names=tuple(group.name for group in groups))
        self._with_vectors(base, catalog, groups)
        return self._reusing(base)

    def _indexed(self, catalog: Catalog) -> Indexing:
        about = catalog.about.get(FULLTEXT)
        return self._indexing() if about is None else Indexing.from_json(about["indexing"])

    def _groups(self, whole: _Group) -> list[_Group]:
        """All parts as one group, or what changes seldom and what came since."""
        if len(whole.texts) < 2 or self._merged.has(f"{_name(whole.texts)}.{FULLTEXT}"):
            return [whole]
        newest = month_of(whole.texts[-1].day)
        old = [part for part in whole.texts if month_of(part.day) != newest]
        old = old or [max(whole.texts, key=lambda part: part.rows)]
        new = [part for part in whole.texts if part not in old]
        rows = sum(part.rows for part in new)
        if not new or rows > max(_APART, (rows + sum(part.rows for part in old)) // 10):
            return [whole]
        return [_Group(tuple(each), tuple(_within(whole.vectors, each))) for each in (old, new)]

    def _fetch(self, catalog: Catalog, groups: Sequence[_Group]) -> None:
        """Fetches from a remote store at once what is not at hand merged."""
        wanted = []
        for group in groups:
            for kind, parts, name in (
                (FULLTEXT, group.texts, _name(group.texts)),
                (VECTOR, group.vectors, group.name),
            ):
                if len(parts) < 2 or not self._merged.has(f"{name}.{kind}"):
                    wanted += [(part_key(self._tenant, kind, part), part.version, part.size) for part in parts]
        graph = _graph(catalog)
        if graph is not None:
            wanted.append((graph_key(self._tenant, graph), graph.version, graph.size))
        self.files.prefetch(wanted)

    def _text(self, parts: Sequence[Part], indexing: Indexing, merged: Sequence[FullText] = ()) -> FullText:
        """One shard of several (of those that were merged of them), mapped where another process has merged them."""
        if not parts:
            return fulltext.build((), Analyzer(indexing.analyzer))
        name = f"{_name(parts)}.{FULLTEXT}"
        kept = self._merged.open(name) if len(parts) > 1 else None
        if kept is not None:
            return fulltext.decode(kept, name)
        if len(parts) == 1:
            return fulltext.decode(*open_part(self.files, self._tenant, FULLTEXT, parts[0]))
        shards = [fulltext.decode(*open_part(self.files, self._tenant, FULLTEXT, part)) for part in parts]
        shard = merging.merge(merged or shards, interleaved=bool(merged))
        mapped = self._merged.keep(name, shard.encode({"parts": len(parts)}))
        return shard if mapped is None else fulltext.decode(mapped, name)

    def _aligned(self, index: Index, group: _Group, width: int) -> tuple[Array, Array]:
        """The vectors of an index's events and the rows that have none, mapped where another process has made them."""
        import numpy as np

        name = f"{group.name}.{VECTOR}"
        several = len(group.vectors) > 1 or len(group.texts) > 1
        kept = self._merged.open(name) if several else None
        if kept is not None:
            return vectors.decode(kept, name).vector, np.zeros(0, np.int64)
        shards = [vectors.decode(*open_part(self.files, self._tenant, VECTOR, part)) for part in group.vectors]
        found, missing = vectors.align(index.a["key"], shards, width)
        if not several or len(missing):
            return found, missing
        mapped = self._merged.keep(name, vectors.Vectors(index.a["key"], found).encode({"parts": len(group.vectors)}))
        return found if mapped is None else vectors.decode(mapped, name).vector, missing

    def _opened(self, model: Mapping[str, Any] | None) -> tuple[Embedder | None, str]:
        """The embedder of the index's model, or why there is none."""
        try:
            embedder = self._embedder(model["name"] if model else None)
        except ContextPlaneError as error:
            return None, str(error)
        if embedder is None:
            return None, _NONE
        if model and embedder.id != model["id"]:
            return None, f"the vectors are of {model['id']}, the installed model is {embedder.id}: backfill them"
        return embedder, ""

    def _with_vectors(self, base: Base, catalog: Catalog, groups: Sequence[_Group]) -> None:
        """Gives the indexes of a base their vectors and the first its graph, or the base the reason why not."""
        import numpy as np

        embedder = self._with_model(base, catalog)
        if not base.dimension:
            return
        aligned = [self._aligned(*each, base.dimension) for each in zip(base.indexes, groups, strict=True)]
        lacking = sum(len(missing) for _, missing in aligned)
        if lacking and (embedder is None or lacking > EMBEDDED_AT_ONCE):
            what = f"{lacking:,} events have no vector yet: materialize (cortex materialize)"
            base.why_no_vectors = base.why_no_vectors or what
            return
        for index, (found, missing) in zip(base.indexes, aligned, strict=True):
            if len(missing):
                assert embedder is not None
                texts = [each[-1] for each in index.described(missing, kernels.choice.current())]
                found[missing] = embedder.embed(texts)
            index.vectors = read_only(found)
        graph, first = _graph(catalog), base.indexes[0]
        if graph is not None:
            first.graph = near = open_graph(self.files, self._tenant, graph, base.dimension)
            known = np.isin(first.a["key"], near.keys())
            assert first.vectors is not None
            hashed = hashes(first.vectors)
            known = np.isin(hashed, hashed[known])
            if len(np.unique(hashed[known])) < int(known.sum()):
                first.twins = Twins(hashed)
            first.ungraphed = np.flatnonzero(~known & first.vectors.any(axis=1)).astype(np.int32)
        base.has_vectors = True

    def _with_model(self, base: Base, catalog: Catalog) -> Embedder | None:
        """Gives a base what is known of the model of its vectors, without them."""
        model = catalog.about.get(VECTOR, {}).get("model")
        embedder, base.why_no_vectors = self._opened(model)
        base.embedder = embedder
        base.dimension = model["dimension"] if model else (embedder.dimension if embedder else 0)
        base.weight = model["weight"] if model else embedder.weight if embedder else 0.0
        base.model = model["id"] if model else embedder.id if embedder else ""
        return embedder

    def _reusing(self, base: Base) -> Base:
        """The base with the first index of an earlier one, where it is the same: it has been warm for long."""
        for known in self._bases.values():
            first, own = known.indexes[0], base.indexes[0]
            if known.names[0] == base.names[0] and (known.has_vectors, known.model) == (base.has_vectors, base.model):
                first = copy.copy(first)  # others search it with the graph that it has
                first.graph, first.ungraphed, first.twins = own.graph, own.ungraphed, own.twins
                first.__dict__.pop("sample", None)
                return replace(base, indexes=(first, *base.indexes[1:]))
        return base


def outdated(view: View) -> frozenset[int]:
    """Days whose shard still holds what a later tombstone or rewrite took away."""
    held = view.catalog.of(FULLTEXT)
    return frozenset(
        day
        for record in view.history.records(view.snapshot.log if view.snapshot else 0, view.number)
        if record.kind != "ingest"
        for day in view.history.affected(record)
        if day in held and held[day].number < record.number
    )


def _graph(catalog: Catalog) -> Part | None:
    """The graph over the vectors of a snapshot."""
    return catalog.of(GRAPH).get(0) if catalog.about.get(GRAPH) == catalog.about.get(VECTOR) else None


def _within(parts: Sequence[Part], others: Sequence[Part]) -> list[Part]:
    """Those parts that share a day with one of the others."""
    spans = [(part.day, part.day if part.last is None else part.last) for part in others]
    return [
        part
        for part in parts
        if any(part.day <= last and first <= (part.day if part.last is None else part.last) for first, last in spans)
    ]


def _name(parts: Sequence[Part]) -> str:
    """What an index merged of these parts is kept under; their versions say what they hold and how it was made."""
    return digest([part.version for part in parts]).removeprefix("sha256:")
