"""Daily parts: what a fold makes of each day's timeline, compacted to months and years.

Here belongs when such parts are made, of whatever kind: indexes of search, links, memory nodes. A day's part depends on
that day's timeline and on what it is made by; their hash decides whether it is up to date. A month is compacted from
its days, a year from its months, so that a long history is read as few objects. What a part holds its fold knows.
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
from context_plane.parts.notes import Note
from context_plane.parts.part import MONTHS, TIMELINE, YEARS, Catalog, Part, month_of
from context_plane.parts.timeline import Built, Progress
from context_plane.store import keys
from context_plane.store.faults import reach

if TYPE_CHECKING:
    import pyarrow as pa

    from context_plane.log.history import History
    from context_plane.parts.files import Files

_EVERY_RUN: Final = 16_384
"""Rows that are compacted anew with every run, if need be: it takes less than a second."""
Level = Literal["day", "month", "year"]
Make = Callable[[date, "pa.Table"], tuple[bytes, int, dict[str, bool]]]
"""Makes a day's part of its timeline: its bytes, its rows, the verdicts of its checks."""
Merge = Callable[[Sequence[tuple[memoryview, str]], Mapping[str, Any]], tuple[bytes, int]]
"""Makes one part of several, oldest first (their bytes and keys), given its meta: its bytes and rows."""


def stale_days(
    kind: str, about: Mapping[str, Any], tenant: str, catalog: Catalog, touched: Mapping[int, int]
) -> list[int]:
    """Days whose part is missing or not up to date, given what the timelines will be."""
    timelines, held = catalog.of(TIMELINE), catalog.made_by(kind, about)
    found = []
    for day, number in sorted(touched.items()):
        source, part = timelines.get(day), held.get(day)
        fresh = source is not None and part is not None and min(source.number, part.number) >= number
        if source is None or part is None or not fresh or part.inputs != _inputs(about, tenant, source):
            found.append(day)
    return found


@dataclass(frozen=True)
class Fold:
    """The building of one kind of daily part."""

    kind: str
    about: Mapping[str, Any]
    """What parts are made by: those of another do not mix with them."""
    history: History
    files: Files
    catalog: Catalog
    """What is built already."""
    make: Make
    merge: Merge
    group: str = "index"
    """Of the fault points on the way."""
    needed: Mapping[int, int] | None = None
    """Days that should have a part, with the highest commit number that touched them; of all that have events if it is
    not said."""
    before_noted: Callable[[Sequence[Part]], None] | None = None
    """Told of the parts that were built, when they are durable and nothing names them: what it does is done again by
    whoever follows one that was killed."""

    def build(self, days: tuple[int, int], until: int, progress: Progress | None) -> Built:
        """Builds the parts of the days first … last that are not up to date, compacts, and leaves notes for the
        publisher."""
        tenant, touched = self.history.tenant, self.history.touched(until) if self.needed is None else self.needed
        inside = [day for day in touched if days[0] <= day <= days[1]]
        timelines = self.catalog.of(TIMELINE)
        stale = {*stale_days(self.kind, self.about, tenant, self.catalog, touched)}
        wanted = [day for day in sorted(stale.intersection(inside)) if day in timelines]
        held = self.catalog.made_by(self.kind, self.about)
        parts: list[Part] = []
        for done, day in enumerate(wanted, 1):
            parts.append(self._day(timelines[day], held.get(day)))
            reach(f"{self.group}.day-written")
            if progress is not None:
                progress(done, len(wanted))
        compacted = self._compacted({**held, **{part.day: part for part in parts if part.passed}}, touched)
        if parts or any(compacted.values()):
            self.history.store.sync()
            reach(f"{self.group}.synced")
            if self.before_noted is not None:
                self.before_noted(parts)
            self._note(self.kind, parts, until)
            for name, found in compacted.items():
                self._note(name, found, until)
            reach(f"{self.group}.noted")
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
        key = keys.daily(self.history.tenant, self.kind, part.date, level, version)
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
            old = self.catalog.made_by(name, self.about)
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
    """A daily or compacted part's bytes, and the key they lie under. Raises `Corrupt`, `NotFound`."""
    key = part_key(tenant, kind, part)
    return files.map(key, part.version, part.size), key


def part_key(tenant: str, kind: str, part: Part) -> str:
    """Where a daily or compacted part lies in the store."""
    level: Level = "day" if part.last is None else "month" if part.last - part.day < 31 else "year"
    return keys.daily(tenant, kind, part.date, level, part.version)


def chosen(kind: str, catalog: Catalog, outdated: Collection[int] = ()) -> list[Part]:
    """The fewest parts of a kind that hold what its days hold, oldest first.

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
