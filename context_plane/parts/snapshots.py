"""Snapshots: the numbered manifests that readers see, and the rule by which one is published.

A snapshot lists, for every kind of part and month, the manifest by hash, and the log number up to which everything is
in it. Builders leave notes of what they built; the publisher merges notes into the newest snapshot, per entry the one
with the higher number, and takes the largest log number up to which nothing that a commit touched is missing. What
lies after that number is the tail, which readers fold themselves; so publishing late costs time, never truth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.errors import Corrupt, NotFound
from context_plane.instants import DAY, format_instant, now
from context_plane.parts.part import CONTEXTS, FORMAT, TIMELINE, Month, Part, decode_month, month_of
from context_plane.store import keys
from context_plane.store.faults import reach
from context_plane.store.settled import create_settled

if TYPE_CHECKING:
    from context_plane.log.history import History
    from context_plane.store.base import Store

_MANIFESTS_KEPT: Final = 4_096


@dataclass(frozen=True)
class Catalog:
    """Parts by kind and day, and for each kind what describes it (a context spec)."""

    parts: Mapping[str, Mapping[int, Part]] = field(default_factory=dict)
    about: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, name: str) -> Mapping[int, Part]:
        """Parts of one kind by day; empty where there are none."""
        return self.parts.get(name, {})

    @property
    def specs(self) -> list[str]:
        """Names of the context specs that have packs."""
        return sorted(name.removeprefix(CONTEXTS) for name in self.parts if name.startswith(CONTEXTS))


@dataclass(frozen=True)
class Snapshot:
    """One published snapshot."""

    number: int
    log: int
    """Every commit up to here is in the parts."""
    newest: int
    """No part holds anything of a commit beyond this number: the least `known_at` the snapshot can serve."""
    time: str
    catalog: Catalog
    months: Mapping[str, Mapping[str, str]]
    """Manifest hashes by kind and month."""


@dataclass(frozen=True)
class Note:
    """What one run built of one kind in one month."""

    part: str
    month: str
    number: int
    parts: tuple[Part, ...]
    days: tuple[int, ...] | None = None
    """Packs: the days of the month that should have one at this log number; what lies under others is obsolete."""
    about: Mapping[str, Any] | None = None
    """Packs: the spec they were built from, and its hash."""
    written: str = ""
    """Wall clock; orders notes of one number, of which the later knew the earlier."""
    key: str = ""

    def write(self, store: Store, tenant: str) -> str:
        """Leaves the note for the publisher and returns its key. The parts it names must be durable already."""
        body = canonical(
            {
                "format": FORMAT,
                "part": self.part,
                "month": self.month,
                "number": self.number,
                "days": None if self.days is None else list(self.days),
                "about": self.about,
                "written": self.written or format_instant(now()),
                "parts": [part.to_json() for part in self.parts],
            }
        )
        key = keys.build(tenant, self.number, self.part, self.month, hashlib.sha256(body).hexdigest()[:16])
        store.create(key, body)
        return key


def read_note(key: str, body: bytes) -> Note:
    """A note from its bytes."""
    raw = json.loads(body)
    parts = tuple(Part.from_json(part) for part in raw["parts"])
    days = None if raw["days"] is None else tuple(raw["days"])
    return Note(raw["part"], raw["month"], raw["number"], parts, days, raw["about"], raw["written"], key)


class Snapshots:
    """A process's view of one tenant's snapshots."""

    def __init__(self, store: Store, tenant: str) -> None:
        self.store = store
        self.tenant = tenant
        self._known: dict[int, Snapshot] = {}
        self._manifests: dict[str, Month] = {}
        self._head = 0
        self._next_key = keys.snapshot(tenant, 1)
        self._cold = True

    def latest(self) -> Snapshot | None:
        """The highest snapshot, or `None` where none was published. One probe where nothing is new."""
        if self._cold:
            self._cold = False
            found = [key for key in self.store.children(keys.snapshots(self.tenant)) if key.endswith(".json")]
            if found:
                self._advance(int(found[-1][:20]))
        while self.store.head(self._next_key) is not None:
            self._advance(self._head + 1)
        return self.load(self._head) if self._head else None

    def _advance(self, number: int) -> None:
        self._head = number
        self._next_key = keys.snapshot(self.tenant, number + 1)

    def load(self, number: int) -> Snapshot:
        """Snapshot `number`. Raises `NotFound`, and `Corrupt` where a manifest is damaged."""
        if (known := self._known.get(number)) is not None:
            return known
        key = keys.snapshot(self.tenant, number)
        try:
            raw = json.loads(self.store.get(key))
        except ValueError as error:
            raise Corrupt("snapshot does not read", where=key, remedy="restore it, or publish again") from error
        parts = {name: self._parts(entry["months"].values()) for name, entry in raw["parts"].items()}
        about = {name: entry["about"] for name, entry in raw["parts"].items() if entry.get("about")}
        months = {name: entry["months"] for name, entry in raw["parts"].items()}
        snapshot = Snapshot(number, raw["log"], raw["newest"], raw["time"], Catalog(parts, about), months)
        if len(self._known) >= 8:
            self._known.pop(next(iter(self._known)))
        self._known[number] = snapshot
        return snapshot

    def at(self, known_at: int) -> Snapshot | None:
        """The highest snapshot that knows nothing beyond log number `known_at`, or `None`."""
        latest = self.latest()
        for number in range(latest.number if latest else 0, 0, -1):
            try:
                snapshot = self.load(number)
            except NotFound:
                return None  # swept: everything older is gone too, and the tail serves from the log alone
            if snapshot.newest <= known_at:
                return snapshot
        return None

    def notes(self) -> list[Note]:
        """The builders' notes that no publication has taken yet (or whose removal was cut short)."""
        found = []
        for key in self.store.list(keys.builds(self.tenant)):
            try:
                found.append(read_note(key, self.store.get(key)))
            except NotFound:
                continue  # taken by another publisher between listing and reading
        return found

    def current(self) -> Catalog:
        """What is built: the newest snapshot with the notes merged into it."""
        snapshot = self.latest()
        return merge(snapshot.catalog if snapshot else Catalog(), self.notes())

    def _parts(self, hashes: Iterable[str]) -> dict[int, Part]:
        parts: dict[int, Part] = {}
        for sha256 in hashes:
            month = self._manifests.get(sha256)
            if month is None:
                key = keys.month_manifest(self.tenant, sha256)
                month = decode_month(key, self.store.get(key), sha256)
                if len(self._manifests) >= _MANIFESTS_KEPT:
                    self._manifests.clear()
                self._manifests[sha256] = month
            parts.update(month.parts)
        return parts


def merge(base: Catalog, notes: Iterable[Note]) -> Catalog:
    """The catalog with the notes in it: per entry the one with the higher number; failed parts are left out."""
    parts = {name: dict(days) for name, days in base.parts.items()}
    about = dict(base.about)
    for note in sorted(notes, key=lambda note: (note.number, note.written)):
        held = parts.setdefault(note.part, {})
        if note.about is not None:
            if about.get(note.part, note.about) != note.about:
                held.clear()  # packs of another version of the spec: the two do not mix
            about[note.part] = note.about
        if note.days is not None:
            for day in [day for day in held if month_of(day) == note.month and day not in note.days]:
                del held[day]
        for part in note.parts:
            if part.passed and (part.day not in held or held[part.day].number <= part.number):
                held[part.day] = part
    return Catalog({name: dict(sorted(held.items())) for name, held in parts.items()}, about)


def publish(history: History, snapshots: Snapshots, specs: Iterable[str] | None = None) -> Snapshot | None:
    """Publishes what is built, and returns the new snapshot, or `None` where there is nothing new to publish.

    `specs` names the context specs that still exist; packs of others are dropped. A publisher that loses the number to
    another merges into the winner's snapshot and tries again.
    """
    wanted = None if specs is None else {CONTEXTS + name for name in specs}
    while True:
        history.refresh()
        base = snapshots.latest()
        notes = snapshots.notes()
        catalog = publishable(history, base, notes, wanted)
        number, log = (base.number if base else 0) + 1, complete_to(history, catalog, base.log if base else 0)
        if base is not None and _same(base, catalog, log):
            _take(snapshots.store, notes, catalog)
            return None
        if not catalog.parts:
            return None
        body, months = _encode(snapshots, catalog, number, log)
        snapshots.store.put_content(months)
        reach("publish.months-written")
        snapshots.store.sync()
        reach("publish.synced")
        if create_settled(snapshots.store, keys.snapshot(snapshots.tenant, number), body, body.__eq__):
            reach("publish.snapshot-created")
            _take(snapshots.store, notes, catalog)
            return snapshots.load(number)


def publishable(history: History, base: Snapshot | None, notes: list[Note], wanted: set[str] | None) -> Catalog:
    """The merged catalog, in which a spec's packs are the new ones only where they take the snapshot at least as far.

    Packs of one spec form a chain (each tells the differences to the one before), so they are taken or left together.
    """
    before = base.catalog if base else Catalog()
    merged = merge(before, notes)
    parts = {TIMELINE: merged.of(TIMELINE)} if merged.of(TIMELINE) else {}
    about: dict[str, Mapping[str, Any]] = {}
    for name in sorted(merged.parts):
        if not name.startswith(CONTEXTS) or (wanted is not None and name not in wanted):
            continue
        new, old = merged.of(name), before.of(name)
        reach_new, reach_old = chain_to(history, new), chain_to(history, old)
        if reach_new is not None and (reach_old is None or reach_new >= reach_old):
            parts[name], about[name] = new, merged.about[name]
        elif reach_old is not None:
            parts[name], about[name] = old, before.about[name]
    return Catalog(parts, about)


def complete_to(history: History, catalog: Catalog, after: int = 0) -> int:
    """The largest log number up to which everything that commits touched is in the catalog's parts.

    Commits up to `after` are known to be complete: a published snapshot holds them, and parts only ever gain.
    """
    timelines = catalog.of(TIMELINE)
    reached = history.head
    for record in history.records(after):
        if any(day not in timelines or timelines[day].number < record.number for day in history.days(record)):
            reached = record.number - 1
            break
    for name, parts in catalog.parts.items():
        if name.startswith(CONTEXTS):
            reached = min(reached, chain_to(history, parts) or 0)
    return reached


def chain_to(history: History, parts: Mapping[int, Part]) -> int | None:
    """The log number up to which a spec's packs are complete; `None` where they are not a whole chain."""
    ordered = [parts[day] for day in sorted(parts)]
    instants = [None, *(part.instant for part in ordered)]
    if not ordered or any(part.previous != before for part, before in zip(ordered, instants, strict=False)):
        return None
    touched = sorted(history.touched().items())
    end = ordered[-1].day
    reached = history.head
    for part in ordered:
        # What happens after the last pack belongs to no pack yet: it must not count as complete.
        until = touched[-1][0] if part.day == end and touched else part.day
        newest = max((n for day, n in touched if (part.since is None or part.since <= day) and day <= until), default=0)
        if newest > part.number:
            reached = min(reached, _first_missing(history, part, until) - 1)
    return reached


def _first_missing(history: History, part: Part, until: int) -> int:
    """The first commit that touched a pack's range and is not in it."""
    for record in history.records(part.number):
        if any((part.since is None or part.since <= day) and day <= until for day in history.days(record)):
            return record.number
    return history.head + 1


def _same(base: Snapshot, catalog: Catalog, log: int) -> bool:
    return base.log == log and base.catalog == catalog


def _encode(snapshots: Snapshots, catalog: Catalog, number: int, log: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    months: list[tuple[str, bytes]] = []
    kinds: dict[str, Any] = {}
    newest = log
    for name, parts in catalog.parts.items():
        grouped: dict[str, dict[int, Part]] = {}
        for day, part in parts.items():
            grouped.setdefault(month_of(day), {})[day] = part
            newest = max(newest, part.number)
        hashes: dict[str, str] = {}
        for month, days in grouped.items():
            sha256, body = Month(month, days).encode(name)
            hashes[month] = sha256
            months.append((keys.month_manifest(snapshots.tenant, sha256), body))
        kinds[name] = {"months": hashes, "about": catalog.about.get(name)}
    body = canonical(
        {
            "format": FORMAT,
            "number": number,
            "log": log,
            "newest": newest,
            "clock": _clock(catalog),
            "time": format_instant(now()),
            "parts": kinds,
        }
    )
    return body, months


def _clock(catalog: Catalog) -> str | None:
    days = catalog.of(TIMELINE)
    return format_instant((max(days) + 1) * DAY) if days else None


def _take(store: Store, notes: Iterable[Note], catalog: Catalog) -> None:
    """Removes the notes that the catalog has taken, or has something newer for, so that listing them stays short."""
    for note in notes:
        held = catalog.of(note.part)
        if all(_holds(held.get(part.day), part) for part in note.parts if part.passed):
            store.delete(note.key)


def _holds(held: Part | None, part: Part) -> bool:
    return held is not None and (held.number > part.number or held.version == part.version)


__all__ = [
    "Catalog",
    "Note",
    "Snapshot",
    "Snapshots",
    "chain_to",
    "complete_to",
    "merge",
    "publish",
    "publishable",
    "read_note",
]
