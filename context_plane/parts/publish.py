"""Publication: the rule by which a snapshot is made.

The publisher merges the builders' notes into the newest snapshot, per entry the one with the higher number, and takes
the largest log number up to which nothing that a commit touched is missing. Checks that failed keep a part out; their
verdicts are read from the notes, because Dagster's blocking checks stop only their own run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical, digest
from context_plane.instants import DAY, format_instant, now
from context_plane.parts.notes import Note, merge
from context_plane.parts.part import (
    CONTEXTS,
    DAILY,
    FORMAT,
    GRAPH,
    MEMORY,
    MONTHS,
    OWN,
    TIMELINE,
    VECTOR,
    YEARS,
    Catalog,
    Month,
    Part,
    month_of,
)
from context_plane.parts.snapshots import Snapshot, Snapshots
from context_plane.store import keys
from context_plane.store.faults import reach
from context_plane.store.settled import create_settled

if TYPE_CHECKING:
    from context_plane.log.commits import CommitRecord
    from context_plane.log.history import History
    from context_plane.store.base import Store

_INLINE: Final = 1 << 16
"""Bytes of manifests that a snapshot carries itself."""


def publish(history: History, snapshots: Snapshots, wanted: set[str] | None = None) -> Snapshot | None:
    """Publishes what is built, and returns the new snapshot, or `None` where there is nothing new to publish.

    `wanted` names the kinds of parts that still exist beside the timeline; others are dropped. A publisher that loses
    the number to another merges into the winner's snapshot and tries again.
    """
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
    for name in DAILY:
        if wanted is None or name in wanted:
            _take_daily(history, name, base, merged, parts, about)
    for name in sorted(merged.parts):
        if not name.startswith(CONTEXTS) or (wanted is not None and name not in wanted):
            continue
        new, old = merged.of(name), before.of(name)
        reach_new = chain_to(history, new, merged.about.get(name, {}))
        reach_old = chain_to(history, old, before.about.get(name, {}))
        if reach_new is not None and (reach_old is None or reach_new >= reach_old):
            parts[name], about[name] = new, merged.about[name]
        elif reach_old is not None:
            parts[name], about[name] = old, before.about[name]
    return Catalog(parts, about)


def _take_daily(
    history: History,
    name: str,
    base: Snapshot | None,
    merged: Catalog,
    parts: dict[str, Mapping[int, Part]],
    about: dict[str, Mapping[str, Any]],
) -> None:
    """Takes the daily parts of one kind, of an index or of memory.

    The first ones, and those that are made by something else (another model, another declaration), are taken together,
    and only when they reach as far as what is published: until then the old ones serve, or none."""
    chosen = before = base.catalog if base else Catalog()
    if before.of(name) and before.about.get(name) == merged.about.get(name):
        chosen = merged
    elif merged.of(name):
        needed = _days_to(history, TIMELINE, merged.of(TIMELINE)) if base is None else base.log
        chosen = merged if _days_to(history, name, merged.of(name)) >= needed else before
    if not chosen.of(name):
        return
    compacted = (GRAPH, name + MONTHS, name + YEARS) if name == VECTOR else (name + MONTHS, name + YEARS)
    parts[name], about[name] = chosen.of(name), chosen.about[name]
    for each in compacted:
        if chosen.of(each) and chosen.about.get(each) == about[name]:
            parts[each], about[each] = chosen.of(each), about[name]


def _days_to(history: History, kind: str, parts: Mapping[int, Part], after: int = 0) -> int:
    """The largest log number up to which every day that a commit touched has a part of a kind that holds it."""
    for record in history.records(after):
        if kind == MEMORY and record.kind == "ingest" and not record.own:
            continue
        days = _changed(history, record)
        if kind == MEMORY and record.kind != "ingest":
            days = [day for day in days if day in parts]
        if any(day not in parts or parts[day].number < record.number for day in days):
            return record.number - 1
    return history.head


def _changed(history: History, record: CommitRecord) -> Sequence[int]:
    """The days of which a commit changed what there is: an erasure has no segments of its own."""
    return history.days(record) if record.kind == "ingest" else history.affected(record)


def complete_to(history: History, catalog: Catalog, after: int = 0) -> int:
    """The largest log number up to which everything that commits touched is in the catalog's parts.

    Commits up to `after` are known to be complete: a published snapshot holds them, and parts only ever gain.
    """
    kinds = [TIMELINE, *(name for name in DAILY if name in catalog.parts)]
    reached = min(_days_to(history, name, catalog.of(name), after) for name in kinds)
    for name, parts in catalog.parts.items():
        if name.startswith(CONTEXTS):
            reached = min(reached, chain_to(history, parts, catalog.about.get(name, {})) or 0)
    return reached


def chain_to(history: History, parts: Mapping[int, Part], about: Mapping[str, Any]) -> int | None:
    """The log number up to which a spec's packs are complete; `None` where they are not a whole chain.

    The plane's own events count for those specs only of which `about` says that they name such.
    """
    own = bool(about.get(OWN))
    ordered = [parts[day] for day in sorted(parts)]
    instants = [None, *(part.instant for part in ordered)]
    if not ordered or any(part.previous != before for part, before in zip(ordered, instants, strict=False)):
        return None
    touched = sorted(history.touched(own=own).items())
    end = ordered[-1].day
    reached = history.head
    for part in ordered:
        # What happens after the last pack belongs to no pack yet: it must not count as complete.
        until = touched[-1][0] if part.day == end and touched else part.day
        newest = max((n for day, n in touched if (part.since is None or part.since <= day) and day <= until), default=0)
        if newest > part.number:
            reached = min(reached, _first_missing(history, part, until, own=own) - 1)
    return reached


def _first_missing(history: History, part: Part, until: int, *, own: bool) -> int:
    """The first commit that touched a pack's range and is not in it."""
    for record in history.records(part.number):
        if record.own and not own:
            continue
        if any((part.since is None or part.since <= day) and day <= until for day in _changed(history, record)):
            return record.number
    return history.head + 1


def _same(base: Snapshot, catalog: Catalog, log: int) -> bool:
    return base.log == log and base.catalog == catalog


def _encode(snapshots: Snapshots, catalog: Catalog, number: int, log: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    months: list[tuple[str, str, bytes]] = []
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
            months.append((month, sha256, body))
        kinds[name] = {"months": hashes, "about": catalog.about.get(name)}
    raw = {
        "format": FORMAT,
        "number": number,
        "log": log,
        "newest": newest,
        "clock": _clock(catalog),
        "time": format_instant(now()),
        "parts": kinds,
        "manifests": _inline(months),
    }
    body = canonical({**raw, "digest": digest(raw)})
    return body, [(keys.month_manifest(snapshots.tenant, sha256), manifest) for _, sha256, manifest in months]


def _inline(months: Iterable[tuple[str, str, bytes]]) -> dict[str, str]:
    """Manifests that the snapshot carries itself, the newest months first: those of a short history cost no request."""
    found: dict[str, str] = {}
    room = _INLINE
    for _, sha256, body in sorted(months, reverse=True):
        room -= len(body)
        if room < 0:
            break
        found[sha256] = body.decode()
    return found


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
