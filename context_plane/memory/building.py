"""Building: timelines → parts of memory, one a day, compacted to months and years; and their tables in LanceDB.

Here belongs what all kinds of memory have in common; what their rows are, `chains.kind` and `nodes.kind` say. When
a part is made, and what of several, is `parts.daily`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from context_plane.canonical import digest
from context_plane.instants import DAY, start_of
from context_plane.memory.table import Rows
from context_plane.parts import daily
from context_plane.parts.daily import Fold, open_part
from context_plane.parts.part import Catalog, Part
from context_plane.parts.timeline import Built, Progress
from context_plane.store.faults import reach

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.log.history import History
    from context_plane.parts.files import Files

R = TypeVar("R")


@dataclass(frozen=True)
class Kind(Generic[R]):
    """One kind of memory's parts: what its rows are, how they are written, and what a table says of them."""

    name: str
    """Of the kind of parts (`parts.part`)."""
    about: Mapping[str, Any]
    """What parts are made by: those of another do not mix with them."""
    fold: Callable[[pa.Table], R]
    """The rows that a day's timeline gives."""
    merge: Callable[[Sequence[R]], R]
    """The rows of several parts, the oldest first, as those of one."""
    encode: Callable[[R, Mapping[str, Any]], bytes]
    decode: Callable[[memoryview, str], R]
    check: Callable[[pa.Table, R], dict[str, bool]]
    """Verdicts on rows, given the timeline they were made of."""
    count: Callable[[R], int]
    """How many rows of the table they are."""
    table: str
    """Name of the table."""
    schema: Callable[[], pa.Schema]
    """Its columns (`table.columns`)."""
    told: Callable[[Mapping[int, R]], Mapping[int, pa.Table]]
    """Rows by day, as the table has them."""
    days: Callable[[History, int], Mapping[int, int]]
    """Days that should have a part at a log number, with the highest commit number that touched them."""
    beside: Beside[R] | None = None
    """A second table."""


@dataclass(frozen=True)
class Beside(Generic[R]):
    """A table of what else the rows of a kind say."""

    table: str
    schema: Callable[[], pa.Schema]
    told: Callable[[Mapping[int, R]], Mapping[int, pa.Table]]
    """Rows by day, as the table has them."""


@dataclass(frozen=True)
class Building(Generic[R]):
    """The building of one kind of one tenant."""

    kind: Kind[R]
    history: History
    files: Files
    catalog: Catalog
    """What is built already."""
    _made: dict[int, R] = field(default_factory=dict)
    """Rows of the days that were built."""

    def stale(self, until: int) -> list[int]:
        """Days whose part is missing or not up to date at a log number."""
        kind = self.kind
        return daily.stale_days(
            kind.name, kind.about, self.history.tenant, self.catalog, kind.days(self.history, until)
        )

    def build(self, days: tuple[int, int], until: int, progress: Progress | None = None) -> Built:
        """Builds the parts of the days first … last that are not up to date, compacts, and leaves notes, once the table
        has their rows. Raises `Corrupt`, `Unavailable`, and what the kind's fold does."""
        kind = self.kind
        fold = Fold(
            kind.name, kind.about, self.history, self.files, self.catalog, self._make, self._merge,
            group="memory", needed=kind.days(self.history, until), before_noted=self._settle,
        )  # fmt: skip
        return fold.build(days, until, progress)

    def _make(self, day: date, events: pa.Table) -> tuple[bytes, int, dict[str, bool]]:
        rows = self._made[start_of(day) // DAY] = self.kind.fold(events)
        meta = {"about": digest(self.kind.about), "day": day.isoformat(), "tenant": self.history.tenant}
        return self.kind.encode(rows, meta), self.kind.count(rows), self.kind.check(events, rows)

    def _merge(self, views: Sequence[tuple[memoryview, str]], meta: Mapping[str, Any]) -> tuple[bytes, int]:
        rows = self.kind.merge([self.kind.decode(*view) for view in views])
        return self.kind.encode(rows, meta), self.kind.count(rows)

    def _settle(self, parts: Sequence[Part]) -> None:
        """Brings the table up to date with the parts that were built, before a note names them."""
        good = {part.day: part for part in parts if part.passed}
        held = self.catalog.made_by(self.kind.name, self.kind.about)
        made = {day: self._made[day] for day in good if day in self._made}
        told = any(good[day].rows or (day in held and held[day].rows) for day in made)
        if told:
            now = {**held, **good}
            table = Rows(self.history.store, self.history.tenant, self.kind.table, self.kind.schema())
            total = sum(part.rows for part in now.values())
            table.settle(self.kind.told(made), lambda: self.kind.told(self._read(now)), total)
        if self.kind.beside is not None:
            days = self.kind.beside.told(made)
            if told or any(len(rows) for rows in days.values()):
                beside = self.kind.beside
                Rows(self.history.store, self.history.tenant, beside.table, beside.schema()).settle(days)
        reach("memory.settled")

    def _read(self, parts: Mapping[int, Part]) -> dict[int, R]:
        """The rows of parts, by day."""
        views = {day: open_part(self.files, self.history.tenant, self.kind.name, part) for day, part in parts.items()}
        return {day: self.kind.decode(*view) for day, view in views.items()}
