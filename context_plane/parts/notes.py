"""Notes: what builders leave for the publisher, and how they are merged into what was published before.

A note names parts that are durable already. It lies under ``builds/`` until a snapshot holds what it names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from context_plane.canonical import canonical, digest
from context_plane.instants import format_instant, now
from context_plane.parts.part import FORMAT, Catalog, Part, month_of
from context_plane.store import keys

if TYPE_CHECKING:
    from context_plane.store.base import Store


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


def merge(base: Catalog, notes: Iterable[Note]) -> Catalog:
    """The catalog with the notes in it: per entry the one with the higher number; failed parts are left out.

    Packs of two versions of a spec, shards of two analyses or models do not mix: those that the last note is of are
    taken, and the others put aside. So a change that is taken back half built costs nothing of what was built before.
    """
    parts = {name: dict(days) for name, days in base.parts.items()}
    about = dict(base.about)
    aside = {key: dict(days) for key, days in base.aside.items()}
    for note in sorted(notes, key=lambda note: (note.number, note.written)):
        held = parts.setdefault(note.part, {})
        if note.about is not None:
            before = about.get(note.part, note.about)
            if before != note.about:
                aside[note.part, digest(dict(before))] = held
                held = parts[note.part] = aside.pop((note.part, digest(dict(note.about))), {})
            about[note.part] = note.about
        if note.days is not None:
            for day in [day for day in held if month_of(day) == note.month and day not in note.days]:
                del held[day]
        for part in note.parts:
            if part.passed and (part.day not in held or held[part.day].number <= part.number):
                held[part.day] = part
    return Catalog({name: dict(sorted(held.items())) for name, held in parts.items()}, about, aside)
