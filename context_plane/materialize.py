"""What Dagster's assets call: which windows need building, the folds over a window, and publication.

Floor 1's half of materialization. Partitions, checks and metadata are Dagster's business (`context_assets`); what is
built and when it may be seen is decided here, from the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from context_plane.bundles import fold
from context_plane.canonical import digest
from context_plane.errors import InputError
from context_plane.instants import DAY
from context_plane.parts import daily, timeline
from context_plane.parts.grain import Grain, marks, runs
from context_plane.parts.part import (
    CONTEXTS,
    DAILY,
    FULLTEXT,
    INDEXES,
    LINKS,
    MEMORIES,
    MEMORY,
    TIMELINE,
    VECTOR,
    Catalog,
    Part,
)
from context_plane.parts.publish import complete_to, publish, publishable
from context_plane.parts.snapshots import Snapshot, Snapshots

if TYPE_CHECKING:
    from context_plane.bundles.spec import ContextSpec
    from context_plane.log.history import History
    from context_plane.memory.building import Building, Kind
    from context_plane.memory.links.declared import Linking
    from context_plane.parts.files import Files
    from context_plane.parts.timeline import Built, Progress
    from context_plane.retrieval.building.embeddings import Embeddings
    from context_plane.retrieval.building.fold import Model
    from context_plane.retrieval.embedders import Embedder
    from context_plane.retrieval.text.documents import Document, Indexing


@dataclass(frozen=True)
class SearchSettings:
    """How a home wants its events to be searched."""

    indexing: Callable[[], Indexing | None]
    """What the home declares; `None` where it declares nothing, and goes on with what is published."""
    name: str
    """Of the embedder; ``none`` for no vectors."""
    embedder: Callable[[], Embedder | None]
    embeddings: Callable[[], Embeddings]
    """Opens the tenant's table of vectors."""
    limit: int = 0
    """Bytes of the largest index that readers load: of a larger one the table is made fit to be searched."""


@dataclass(frozen=True)
class MemorySettings:
    """How a home wants its memory to be kept."""

    linking: Callable[[], Linking | None]
    """What the home declares of its links; `None` where it declares nothing, and goes on with what is published."""


@dataclass(frozen=True)
class Stale:
    """What a tenant's materialization lacks."""

    tenant: str
    until: int
    """The log number that was looked at."""
    timeline: tuple[int, ...]
    """Days (since 1970) whose timeline lacks events."""
    contexts: Mapping[str, tuple[int, ...]]
    """Per spec, the days under which a pack is missing or not up to date."""
    unpublished: bool
    """Whether something is built that no snapshot holds."""
    indexes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Per kind of index, the days whose shard is missing or not up to date."""
    memory: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The same per kind of memory."""

    def __bool__(self) -> bool:
        return bool(self.days or self.unpublished)

    @property
    def days(self) -> set[int]:
        """Every day of which something is stale."""
        kinds = (*self.contexts.values(), *self.indexes.values(), *self.memory.values())
        return {*self.timeline, *(day for days in kinds for day in days)}

    def windows(self, grain: Grain) -> list[tuple[int, int]]:
        """The fewest ranges of whole windows that cover everything stale, as (first day, last day)."""
        return runs(self.days, grain)


class Builder:
    """Builds and publishes the parts of one tenant."""

    def __init__(
        self,
        history: History,
        snapshots: Snapshots,
        files: Files,
        specs: Mapping[str, ContextSpec],
        grain: Grain,
        *,
        drop: bool = True,
        search: SearchSettings | None = None,
        memory: MemorySettings | None = None,
    ) -> None:
        """Without `search` no index is built, without `memory` no part of it, and those that are published stay.

        `drop` says whether publishing leaves out packs of specs that are not among `specs`. Without any spec the
        published ones are gone on with, as readers do: a worker may have been given the store and no home.
        """
        self.history = history
        self.snapshots = snapshots
        self.files = files
        self.specs = specs or _published_specs(snapshots)
        self.grain: Grain = grain
        self._drop = drop
        self._search = search
        self._memory = memory

    def stale(self, *, checked: bool = False) -> Stale:
        """What lacks building or publishing now; with `checked` also parts whose objects are gone from the store."""
        until = self.history.refresh()
        touched = self.history.touched()
        kinds = (TIMELINE, *(CONTEXTS + name for name in self.specs), *self.indexes, *self.memories)
        current = self.snapshots.current(kinds if checked else ())
        contexts = {
            name: tuple(
                fold.stale(spec, self.history.tenant, current, fold.counted_days(spec, self.history), self.grain, until)
            )
            for name, spec in self.specs.items()
        }
        days = tuple(timeline.stale_days(self.history, current, until))
        indexes = self._stale_indexes(current, touched)
        memory = {name: tuple(self._building(name, current).stale(until)) for name in self.memories}
        return Stale(self.history.tenant, until, days, contexts, self.unpublished(), indexes, memory)

    @property
    def indexes(self) -> tuple[str, ...]:
        """The kinds of index that are to be built."""
        if self._search is None:
            return ()
        return (FULLTEXT,) if self._search.name == "none" else INDEXES

    @property
    def memories(self) -> tuple[str, ...]:
        """The kinds of memory that are to be built."""
        return () if self._memory is None else MEMORIES

    @property
    def identity(self) -> str:
        """A short hash of what indexes and memory are made by, without asking any model: another makes them stale."""
        search = {} if self._search is None else {"embedder": self._search.name, "indexing": self.indexing.to_json()}
        memory = {name: self._kind(name).about for name in self.memories}
        return digest({**search, **memory}).removeprefix("sha256:")[:16]

    @property
    def indexing(self) -> Indexing:
        """What the home declares of its sources; without a home what the published index was made by."""
        from context_plane.retrieval.text.documents import Indexing

        declared = self._search.indexing() if self._search is not None else None
        if declared is not None:
            return declared
        latest = self.snapshots.latest()
        about = latest.catalog.about.get(FULLTEXT) if latest else None
        return Indexing.from_json(about["indexing"]) if about else Indexing()

    @property
    def model(self) -> Model:
        """The embedder's model as snapshots record it."""
        from context_plane.retrieval.building.fold import Model

        embedder = self._embedder()
        assert self._search is not None
        return Model(self._search.name, embedder.id, embedder.dimension, embedder.weight)

    def _embedder(self) -> Embedder:
        embedder = self._search.embedder() if self._search is not None else None
        if embedder is None:
            raise InputError("there is no embedder", where="embedder", remedy="set CONTEXT_PLANE_EMBEDDER")
        return embedder

    @property
    def embedded(self) -> int:
        """Events of the tenant that have a vector in the table."""
        return self._embeddings().count()

    def _embeddings(self) -> Embeddings:
        if self._search is None:
            raise InputError("there is no embedder", where="embedder", remedy="set CONTEXT_PLANE_EMBEDDER")
        return self._search.embeddings()

    def _stale_indexes(self, current: Catalog, touched: Mapping[int, int]) -> dict[str, tuple[int, ...]]:
        if not self.indexes:
            return {}
        from context_plane.retrieval.building import fold as index

        found = {}
        for kind in self.indexes:
            about = index.fulltext_about(self.indexing) if kind == FULLTEXT else index.vector_about(self.model)
            found[kind] = tuple(daily.stale_days(kind, about, self.history.tenant, current, touched))
        return found

    @property
    def linking(self) -> Linking:
        """What the home declares of its links; without a home what the published ones were made by."""
        from context_plane.memory.chains.kind import published

        declared = self._memory.linking() if self._memory is not None else None
        latest = self.snapshots.latest()
        return declared or published(latest.catalog if latest else Catalog())

    def _kind(self, name: str) -> Kind[Any]:
        """How a kind of memory is built."""
        if name == MEMORY:
            from context_plane.memory.nodes.kind import nodes

            return nodes(self._embeddings if VECTOR in self.indexes else None)
        from context_plane.memory.chains.kind import links
        from context_plane.memory.links.extractor import open_extractor

        linking = self.linking
        return links(linking, open_extractor(linking.extractor))

    def links(self, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the links of the days first … last that are not up to date, and brings their table up to date."""
        return self._remember(LINKS, days, progress)

    def days_of(self, name: str) -> set[int]:
        """The days that should have a part of a kind of memory."""
        return {*self._kind(name).days(self.history, self.history.head)}

    def memory(self, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the memory nodes of the days first … last that are not up to date, and brings their table up to
        date."""
        return self._remember(MEMORY, days, progress)

    def _remember(self, name: str, days: tuple[int, int], progress: Progress | None) -> Built:
        until, current = self.history.refresh(), self.snapshots.current([name])
        return self._building(name, current).build(days, until, progress)

    def _building(self, name: str, current: Catalog) -> Building[Any]:
        from context_plane.memory.building import Building

        return Building(self._kind(name), self.history, self.files, current)

    def remember(self, days: tuple[int, int], progress: Progress | None = None) -> None:
        """Builds all memory of the days first … last: for whoever builds without Dagster."""
        for name in self.memories:
            self._remember(name, days, progress)

    def build(self, days: tuple[int, int], progress: Progress | None = None) -> None:
        """Builds everything of the days first … last that is stale, in order: for whoever builds without Dagster."""
        self.timeline(days, progress)
        for spec in self.specs:
            self.contexts(spec, days, progress)
        self.search(days, progress)
        self.remember(days, progress)

    def search(self, days: tuple[int, int], progress: Progress | None = None) -> None:
        """Builds all indexes of the days first … last that are to be built: for whoever builds without Dagster."""
        if FULLTEXT in self.indexes:
            self.fulltext(days, progress)
        if VECTOR in self.indexes:
            self.vectors(days, progress)

    def fulltext(self, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the full-text shards of the days first … last that are not up to date."""
        from context_plane.retrieval.building import fold as index

        until, current = self.history.refresh(), self.snapshots.current([FULLTEXT])
        built = index.build_fulltext(self.history, self.files, current, self.indexing, days, until, progress)
        if VECTOR in self.indexes:
            self._prepare_candidates()
        return built

    def vectors(self, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the vector shards of the days first … last that are not up to date."""
        from context_plane.retrieval.building import fold as index

        self.embed(days)  # mostly nothing is lacking; many days at once cost LanceDB little more than one
        until, current, table = self.history.refresh(), self.snapshots.current([VECTOR]), self._embeddings()
        built = index.build_vectors(
            self.history, self.files, current, self.indexing, self.model, table.vectors, days, until, progress
        )
        self._prepare_candidates()
        return built

    def _prepare_candidates(self) -> None:
        """Makes the table fit to find candidates, where the index comes to be larger than readers load: from half of
        that on, so that it is ready in time."""
        from context_plane.retrieval.building import fold as index
        from context_plane.retrieval.cold import candidates
        from context_plane.retrieval.shards import fulltext

        assert self._search is not None
        catalog, about = self.snapshots.current(), index.fulltext_about(self.indexing)
        size = sum(part.size for kind in INDEXES for part in catalog.of(kind).values())
        if size <= self._search.limit // 2 or catalog.about.get(FULLTEXT) != about:
            return
        texts, vectors = (sum(part.rows for part in catalog.of(kind).values()) for kind in (FULLTEXT, VECTOR))
        if texts != vectors:
            return  # whoever builds the other of the two comes by here again
        tenant = self.history.tenant
        parts = daily.chosen(FULLTEXT, catalog)
        shards = (fulltext.decode(*daily.open_part(self.files, tenant, FULLTEXT, part)) for part in parts)
        numbers = {day: part.number for day, part in catalog.of(FULLTEXT).items()}
        candidates.prepare(self._embeddings().table, shards, numbers, candidates.analysis_of(about), tenant)

    def embed(self, days: tuple[int, int], progress: Progress | None = None) -> int:
        """Embeds what the days first … last lack of vectors, into the tenant's table; how many texts that were."""
        from context_plane.retrieval.building import fold as index
        from context_plane.retrieval.building.embeddings import BATCH

        current, touched = self.snapshots.current(), self.history.touched(self.history.refresh())
        stale = daily.stale_days(VECTOR, index.vector_about(self.model), self.history.tenant, current, touched)
        timelines, table = current.of(TIMELINE), self._embeddings()
        wanted = [day for day in stale if days[0] <= day <= days[1] and day in timelines]
        count = 0
        rows: dict[int, int] = {day: part.rows for day, part in current.of(VECTOR).items()}
        waiting: list[Document] = []
        for done, day in enumerate(wanted, 1):
            found = self._documents(timelines[day])
            rows[day] = len(found)
            waiting += found
            if len(waiting) >= BATCH or done == len(wanted):
                count += table.add(waiting)
                waiting = []
            if progress is not None:
                progress(done, len(wanted))
        if wanted:
            self._prune(wanted, timelines, rows)
        return count

    def _documents(self, part: Part) -> list[Document]:
        from context_plane.retrieval.text.documents import documents

        return list(documents(timeline.read(self.files, self.history.tenant, part), self.indexing))

    def _prune(self, days: Sequence[int], timelines: Mapping[int, Part], rows: Mapping[int, int]) -> None:
        """Takes out of the table what these days no longer hold: most often it is seen at once that there is none.

        `rows` says how many documents days have; of others the timeline's rows are no fewer."""
        table, first, last = self._embeddings(), days[0], days[-1]
        if table.count(first * DAY, (last + 1) * DAY) > sum(
            rows.get(day, part.rows) for day, part in timelines.items() if first <= day <= last
        ):
            for day in days:
                table.prune(day * DAY, (day + 1) * DAY, self._documents(timelines[day]))

    def timeline(self, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the timelines of the days first … last that lack something."""
        until = self.history.refresh()
        current = self.snapshots.current([TIMELINE])
        return timeline.build(self.history, self.files, current, days, until, progress)

    def contexts(self, spec: str, days: tuple[int, int], progress: Progress | None = None) -> Built:
        """Builds the packs of one spec that are filed under the days first … last and are not up to date."""
        until = self.history.refresh()
        current = self.snapshots.current([CONTEXTS + spec])
        return fold.build(self.history, self.files, current, self.specs[spec], days, until, self.grain, progress)

    def publish(self) -> Snapshot | None:
        """Publishes what is built; `None` where readers already see all of it."""
        return publish(self.history, self.snapshots, self._wanted())

    def unpublished(self) -> bool:
        """Whether `publish` would make a new snapshot. A listing of the notes where nothing was built."""
        base = self.snapshots.latest()
        parts = base.catalog.parts if base else {}
        held = {name for name in parts if name.startswith(CONTEXTS) or name in DAILY}
        kept = self._wanted()
        notes = self.snapshots.notes()
        if not notes and (kept is None or held <= kept):
            return False
        catalog = publishable(self.history, base, notes, kept)
        if base is None:
            return bool(catalog.parts)
        return catalog != base.catalog or complete_to(self.history, catalog, base.log) != base.log

    def marks_in(self, days: tuple[int, int]) -> int:
        """Number of packs that a window of days should hold."""
        return sum(days[0] <= mark.day <= days[1] for mark in marks(self.history.touched(own=False), self.grain))

    def _wanted(self) -> set[str] | None:
        """Kinds of parts that are published; `None` for all there are."""
        if not self._drop:
            return None
        indexes = INDEXES if self._search is None else self.indexes
        return {*(CONTEXTS + name for name in self.specs), *indexes, *MEMORIES}


def _published_specs(snapshots: Snapshots) -> dict[str, ContextSpec]:
    from context_plane.bundles.spec import ContextSpec

    latest = snapshots.latest()
    about = latest.catalog.about if latest else {}
    return {
        name.removeprefix(CONTEXTS): ContextSpec.from_json(each["spec"])
        for name, each in about.items()
        if name.startswith(CONTEXTS)
    }
