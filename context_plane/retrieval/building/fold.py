"""The folds of search: timelines → full-text and vector shards, one a day, compacted to months and years.

A day's shard depends on that day's timeline and on what it is indexed by; their hash decides whether it is up to date.
Neighbours across midnight are not in it: chains are joined when shards are merged. A month is compacted from its days,
a year from its months, so that a long history is read as few objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal

from context_plane.canonical import digest
from context_plane.instants import DAY, day_of, start_of
from context_plane.parts import timeline
from context_plane.parts.notes import Note, merge
from context_plane.parts.part import FULLTEXT, GRAPH, MONTHS, TIMELINE, VECTOR, YEARS, Catalog, Part, month_of
from context_plane.parts.timeline import Built, Progress
from context_plane.retrieval.shards import entities, fulltext, merging, near, vectors
from context_plane.retrieval.shards.twins import firsts, hashes
from context_plane.retrieval.text.analysis import Analyzer
from context_plane.retrieval.text.documents import Document, Indexing, documents, searched
from context_plane.store import keys
from context_plane.store.faults import reach

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from context_plane.log.history import History
    from context_plane.parts.files import Files

    Array = NDArray[Any]

FORMAT: Final = 1
VECTOR_FORMAT: Final = 2
"""Since 2 vector shards know their entities."""
_UNGRAPHED: Final = 2_048
"""Events (or a tenth of all) that come before the graph grows: so many are compared one by one meanwhile."""
_EVERY_RUN: Final = 16_384
"""Events that are compacted anew with every run, if need be: it takes less than a second."""
Level = Literal["day", "month", "year"]
Embed = Callable[[Sequence[Document]], "Array"]


@dataclass(frozen=True)
class Model:
    """The embedder that a tenant's vectors come from, as snapshots record it."""

    name: str
    """What `open_embedder` takes."""
    id: str
    """Identity of the vectors; those of two ids are never mixed."""
    dimension: int
    weight: float

    def to_json(self) -> dict[str, Any]:
        """As snapshots record it."""
        return {"name": self.name, "id": self.id, "dimension": self.dimension, "weight": self.weight}


def fulltext_about(indexing: Indexing) -> dict[str, Any]:
    """What full-text shards are indexed by: shards of another analysis or declaration do not mix with them."""
    return {"format": FORMAT, "analysis": Analyzer(indexing.analyzer).id, "indexing": indexing.to_json()}


def vector_about(model: Model) -> dict[str, Any]:
    """What vector shards are made by."""
    return {"format": VECTOR_FORMAT, "model": model.to_json()}


def stale_days(
    kind: str, about: Mapping[str, Any], tenant: str, catalog: Catalog, touched: Mapping[int, int]
) -> list[int]:
    """Days whose shard is missing or not up to date, given what the timelines will be."""
    timelines, held = catalog.of(TIMELINE), _held(kind, about, catalog)
    found = []
    for day, number in sorted(touched.items()):
        source, part = timelines.get(day), held.get(day)
        fresh = source is not None and part is not None and min(source.number, part.number) >= number
        if source is None or part is None or not fresh or part.inputs != _inputs(about, tenant, source):
            found.append(day)
    return found


def build_fulltext(
    history: History,
    files: Files,
    catalog: Catalog,
    indexing: Indexing,
    days: tuple[int, int],
    until: int,
    progress: Progress | None = None,
) -> Built:
    """Builds the full-text shards of the days first … last that are not up to date, compacts, and leaves notes."""
    analyzer, about = Analyzer(indexing.analyzer), fulltext_about(indexing)

    def make(day: date, events: pa.Table) -> tuple[bytes, int, dict[str, bool]]:
        shard = fulltext.build(documents(events, indexing), analyzer)
        meta = {"about": digest(about), "day": day.isoformat(), "tenant": history.tenant}
        return shard.encode(meta), shard.rows, {"row_count": shard.rows == searched(events).num_rows}

    return _Fold(FULLTEXT, about, history, files, catalog, make, _merge_fulltext).build(days, until, progress)


def build_vectors(
    history: History,
    files: Files,
    catalog: Catalog,
    indexing: Indexing,
    model: Model,
    embed: Embed,
    days: tuple[int, int],
    until: int,
    progress: Progress | None = None,
) -> Built:
    """Builds the vector shards of the days first … last that are not up to date, compacts, and leaves notes."""
    import numpy as np

    about = vector_about(model)

    def make(day: date, events: pa.Table) -> tuple[bytes, int, dict[str, bool]]:
        found = list(documents(events, indexing))
        vector = embed(found)
        key = np.fromiter((each.key for each in found), np.uint64, len(found))
        length = np.linalg.norm(vector, axis=1)
        meta = {"about": digest(about), "day": day.isoformat(), "tenant": history.tenant}
        checks = {
            "row_count": vector.shape == (searched(events).num_rows, model.dimension),
            "finite": bool(np.isfinite(vector).all()),
            "unit_length": bool(((abs(length - 1) < 1e-3) | (length == 0)).all()),
        }
        shard = vectors.Vectors(key, vector, entities.of_rows([each.entity for each in found]))
        return shard.encode(meta), len(found), checks

    built = _Fold(VECTOR, about, history, files, catalog, make, _merge_vectors).build(days, until, progress)
    _grow_graph(history, files, merge(catalog, _notes_of(VECTOR, about, built, until)), about, model.dimension, until)
    return built


def _notes_of(kind: str, about: Mapping[str, Any], built: Built, until: int) -> list[Note]:
    """What a fold built, as the note that it left."""
    return [Note(kind, "", until, built.parts, about=about)]


def _grow_graph(
    history: History, files: Files, catalog: Catalog, about: Mapping[str, Any], dimension: int, until: int
) -> None:
    """Adds to the graph what has come since, or builds it anew where much of it is gone, once enough has changed."""
    import numpy as np

    shards = [vectors.decode(*open_part(files, history.tenant, VECTOR, part)) for part in chosen(VECTOR, catalog)]
    merged = vectors.merge(shards, dimension)
    useful = merged.vector.any(axis=1)
    key, vector = merged.key[useful], merged.vector[useful]
    if len(key) < near.LEAST:
        return
    hashed = hashes(vector)
    old = catalog.of(GRAPH).get(0) if catalog.about.get(GRAPH) == about else None
    grown = None if old is None else open_graph(files, history.tenant, old, dimension)
    if grown is not None:
        held = grown.keys()
        known = np.isin(hashed, hashed[np.isin(key, held)])
        gone, lacking = len(np.setdiff1d(held, key)), int(np.count_nonzero(~known))
        if lacking <= max(_UNGRAPHED, len(key) // 10) and gone <= len(key) // 4:
            return
        grown = None if gone else grown
    rows = firsts(hashed)
    if grown is not None:  # those that it has stay, one for each other vector comes
        rows = np.concatenate([np.flatnonzero(np.isin(key, held)), rows[~known[rows]]])
    body = near.build(key[rows], vector[rows], grown)
    version = hashlib.sha256(body).hexdigest()
    files.put(keys.graph(history.tenant, version), version, body)
    reach("index.graph-written")
    history.store.sync()
    part = Part(0, version, len(body), len(rows), until, digest([each.version for each in chosen(VECTOR, catalog)]))
    Note(GRAPH, month_of(0), until, (part,), about=about).write(history.store, history.tenant)


def open_graph(files: Files, tenant: str, part: Part, dimension: int) -> near.Near:
    """The graph of a snapshot. Raises `Corrupt`, `NotFound`."""
    key = graph_key(tenant, part)
    return near.open_graph(files.map(key, part.version, part.size), dimension, key)


def graph_key(tenant: str, part: Part) -> str:
    """Where a graph lies in the store."""
    return keys.graph(tenant, part.version)


def _merge_fulltext(views: Sequence[tuple[memoryview, str]], meta: Mapping[str, Any]) -> tuple[bytes, int]:
    shard = merging.merge([fulltext.decode(*each) for each in views])
    return shard.encode(meta), shard.rows


def _merge_vectors(views: Sequence[tuple[memoryview, str]], meta: Mapping[str, Any]) -> tuple[bytes, int]:
    shards = [vectors.decode(*each) for each in views]
    merged = vectors.merge(shards, shards[0].dimension)
    return merged.encode(meta), len(merged.key)


Make = Callable[[date, "pa.Table"], tuple[bytes, int, dict[str, bool]]]
Merge = Callable[[Sequence[tuple[memoryview, str]], Mapping[str, Any]], tuple[bytes, int]]


@dataclass(frozen=True)
class _Fold:
    """The building of one kind of shard."""

    kind: str
    about: Mapping[str, Any]
    history: History
    files: Files
    catalog: Catalog
    make: Make
    merge: Merge

    def build(self, days: tuple[int, int], until: int, progress: Progress | None) -> Built:
        """Builds, compacts, and leaves notes for the publisher."""
        tenant, touched = self.history.tenant, self.history.touched(until)
        inside = [day for day in touched if days[0] <= day <= days[1]]
        timelines = self.catalog.of(TIMELINE)
        stale = {*stale_days(self.kind, self.about, tenant, self.catalog, touched)}
        wanted = [day for day in sorted(stale.intersection(inside)) if day in timelines]
        held = _held(self.kind, self.about, self.catalog)
        parts: list[Part] = []
        for done, day in enumerate(wanted, 1):
            parts.append(self._day(timelines[day], held.get(day)))
            reach("index.day-written")
            if progress is not None:
                progress(done, len(wanted))
        compacted = self._compacted({**held, **{part.day: part for part in parts if part.passed}}, touched)
        if parts or any(compacted.values()):
            self.history.store.sync()
            reach("index.synced")
            self._note(self.kind, parts, until)
            for name, found in compacted.items():
                self._note(name, found, until)
            reach("index.noted")
        built = tuple(part for part in parts if part.day not in held or held[part.day].version != part.version)
        return Built(built, len(inside) - len(wanted), until)

    def _day(self, source: Part, held: Part | None) -> Part:
        inputs = _inputs(self.about, self.history.tenant, source)
        if held is not None and held.inputs == inputs:
            return replace(held, number=source.number)  # a commit touched the day without changing what it holds
        events = timeline.read(self.files, self.history.tenant, source)
        body, rows, checks = self.make(source.date, events)
        return self._put("day", body, Part(source.day, "", 0, rows, source.number, inputs, checks=checks))

    def _put(self, level: Level, body: bytes, part: Part) -> Part:
        version = hashlib.sha256(body).hexdigest()
        key = keys.index(self.history.tenant, self.kind, part.date, level, version)
        self.files.put(key, version, body)
        return replace(part, version=version, size=len(body))

    def _compacted(self, held: Mapping[int, Part], touched: Mapping[int, int]) -> dict[str, list[Part]]:
        """Months and years that are over and whose compacted part is missing or out of date: not only those of this
        run's days, because a month is over with the first day of the next. Of the running month the days before the
        newest; a large one once for each newest day, because late events would have it made again with every run."""
        newest = max(touched, default=0)
        found: dict[str, list[Part]] = {}
        below: Mapping[int, Part] = held
        levels: tuple[tuple[Literal["month", "year"], str], ...] = (("month", MONTHS), ("year", YEARS))
        for level, name in ((level, self.kind + suffix) for level, suffix in levels):
            old = _held(name, self.about, self.catalog)
            made: dict[int, Part] = {}
            for first, last in sorted({period(day, level) for day in touched}):
                if last >= newest:
                    last = newest - 1
                    known = old.get(first)
                    if level == "year" or (known is not None and known.last == last and known.rows > _EVERY_RUN):
                        continue
                inside = [below[day] for day in sorted(below) if first <= day <= last]
                if len(inside) > 1 and all(day in held for day in touched if first <= day <= last):
                    made.update(self._compact((first, last), level, inside, old.get(first)))
            found[name] = list(made.values())
            months = {**old, **made}
            below = {**_uncovered(held, months), **months} if level == "month" else below
        return found

    def _compact(self, span: tuple[int, int], level: Level, parts: Sequence[Part], old: Part | None) -> dict[int, Part]:
        first, last = span
        inputs = compaction(parts)
        if old is not None and old.inputs == inputs:
            return {}
        views = [open_part(self.files, self.history.tenant, self.kind, part) for part in parts]
        meta = {"about": digest(self.about), level: day_of(first * DAY).isoformat(), "tenant": self.history.tenant}
        body, rows = self.merge(views, meta)
        number = max(part.number for part in parts)
        part = Part(first, "", 0, rows, number, inputs, last=last)
        return {first: self._put(level, body, part)}

    def _note(self, name: str, parts: Sequence[Part], until: int) -> None:
        for month in sorted({month_of(part.day) for part in parts}):
            mine = tuple(part for part in parts if month_of(part.day) == month)
            Note(name, month, until, mine, about=self.about).write(self.history.store, self.history.tenant)


def open_part(files: Files, tenant: str, kind: str, part: Part) -> tuple[memoryview, str]:
    """A shard's bytes, and the key they lie under. Raises `Corrupt`, `NotFound`."""
    key = part_key(tenant, kind, part)
    return files.map(key, part.version, part.size), key


def part_key(tenant: str, kind: str, part: Part) -> str:
    """Where a shard lies in the store."""
    level: Level = "day" if part.last is None else "month" if part.last - part.day < 31 else "year"
    return keys.index(tenant, kind, part.date, level, part.version)


def chosen(kind: str, catalog: Catalog, outdated: Collection[int] = ()) -> list[Part]:
    """The fewest shards of a kind that hold what its days hold, oldest first.

    A compacted one stands in for its days only where it was made of exactly these, and none of them is outdated.
    """
    below = dict(catalog.of(kind))
    for name in (kind + MONTHS, kind + YEARS):
        for part in catalog.of(name).values():
            assert part.last is not None
            inside = [day for day in sorted(below) if part.day <= day <= part.last]
            if compaction([below[day] for day in inside]) == part.inputs and not any(
                part.day <= day <= part.last for day in outdated
            ):
                for day in inside:
                    del below[day]
                below[part.day] = part
    return [below[day] for day in sorted(below) if below[day].last is not None or day not in outdated]


def compaction(parts: Sequence[Part]) -> str:
    """What a compacted part is made of: the versions of its parts, oldest first."""
    return digest([part.version for part in parts])


def _inputs(about: Mapping[str, Any], tenant: str, source: Part) -> str:
    return digest({"about": dict(about), "tenant": tenant, "timeline": source.version})


def _held(kind: str, about: Mapping[str, Any], catalog: Catalog) -> Mapping[int, Part]:
    """The parts of a kind that were made by this analysis or model."""
    return catalog.made_by(kind, about)


def _uncovered(days: Mapping[int, Part], months: Mapping[int, Part]) -> dict[int, Part]:
    covered = {month_of(day) for day in months}
    return {day: part for day, part in days.items() if month_of(day) not in covered}


def period(day: int, level: Literal["month", "year"]) -> tuple[int, int]:
    """First and last day (since 1970) of the month or year that a day lies in."""
    at = day_of(day * DAY)
    if level == "year":
        first, after = at.replace(month=1, day=1), at.replace(year=at.year + 1, month=1, day=1)
    else:
        first = at.replace(day=1)
        after = first.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
    return start_of(first) // DAY, start_of(after) // DAY - 1
