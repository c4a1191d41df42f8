"""Snapshots: the numbered manifests that readers see.

A snapshot lists, for every kind of part and month, the manifest by hash, and the log number up to which everything is
in it. What lies after that number is the tail, which readers fold themselves; so publishing late costs time, never
truth. How one comes about is in `publish`.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import digest
from context_plane.errors import Corrupt, InputError, NotFound
from context_plane.parts.notes import Note, merge, read_note
from context_plane.parts.part import GRAPH, MONTHS, VECTOR, YEARS, Catalog, Month, Part, decode_month
from context_plane.store import keys

if TYPE_CHECKING:
    from context_plane.store.base import Store

_MANIFESTS_KEPT: Final = 4_096
_PARALLEL: Final = 32


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


class Snapshots:
    """A process's view of one tenant's snapshots. Safe for threads."""

    def __init__(self, store: Store, tenant: str) -> None:
        self.store = store
        self.tenant = tenant
        self._known: dict[int, Snapshot] = {}
        self._manifests: dict[str, Month] = {}
        self._head = 0
        self._next_key = keys.snapshot(tenant, 1)
        self._cold = True
        self._lock = threading.Lock()

    def latest(self) -> Snapshot | None:
        """The highest snapshot, or `None` where none was published. One probe where nothing is new."""
        if self._cold or self.store.head(self._next_key) is not None:
            with self._lock:
                self._catch_up()
        return self.load(self._head) if self._head else None

    def _catch_up(self) -> None:
        if self._cold:
            found = [key for key in self.store.children(keys.snapshots(self.tenant)) if key.endswith(".json")]
            if found:
                self._advance(int(found[-1][:20]))
            self._cold = False
            if found and not self.store.local:
                with ThreadPoolExecutor(1) as pool:  # it is most probably the last
                    later = pool.submit(self.store.head, self._next_key)
                    with contextlib.suppress(NotFound):
                        self.load(self._head)
                    if later.result() is None:
                        return
        while self.store.head(self._next_key) is not None:
            self._advance(self._head + 1)

    def _advance(self, number: int) -> None:
        self._head = number
        self._next_key = keys.snapshot(self.tenant, number + 1)

    def load(self, number: int) -> Snapshot:
        """Snapshot `number`. Raises `NotFound`, and `Corrupt` where a manifest is damaged."""
        if (known := self._known.get(number)) is not None:
            return known
        key = keys.snapshot(self.tenant, number)
        raw = _decode(key, self.store.get(key))
        for sha256, manifest in raw.get("manifests", {}).items():
            self._manifests.setdefault(sha256, decode_month(key, manifest.encode(), sha256))
        hashes = {name: list(entry["months"].values()) for name, entry in raw["parts"].items()}
        self._fetch([sha256 for each in hashes.values() for sha256 in each])
        parts = {name: self._parts(each) for name, each in hashes.items()}
        about = {name: entry["about"] for name, entry in raw["parts"].items() if entry.get("about")}
        months = {name: entry["months"] for name, entry in raw["parts"].items()}
        snapshot = Snapshot(number, raw["log"], raw["newest"], raw["time"], Catalog(parts, about), months)
        if len(self._known) >= 8:
            self._known.pop(next(iter(self._known)), None)
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

    def current(self, checked: Iterable[str] = ()) -> Catalog:
        """What is built: the newest snapshot with the notes merged into it.

        Of the kinds `checked`, and of what was made of their parts, only what the store still has: what somebody has
        deleted is to be made again. That is a listing of all of their objects.
        """
        snapshot = self.latest()
        catalog = merge(snapshot.catalog if snapshot else Catalog(), self.notes())
        parts, aside = dict(catalog.parts), dict(catalog.aside)
        for kind in checked:
            made = [kind, kind + MONTHS, kind + YEARS, *([GRAPH] if kind == VECTOR else [])]
            held = {_stem(key) for key in self.store.list(keys.parts_folder(self.tenant, kind))}
            for name in (name for name in made if name in parts):
                parts[name] = {day: part for day, part in parts[name].items() if part.version in held}
            for key in (key for key in aside if key[0] in made):
                aside[key] = {day: part for day, part in aside[key].items() if part.version in held}
        return Catalog(parts, catalog.about, aside)

    def _parts(self, hashes: Iterable[str]) -> dict[int, Part]:
        parts: dict[int, Part] = {}
        for sha256 in hashes:
            parts.update(self._month(sha256).parts)
        return parts

    def _month(self, sha256: str) -> Month:
        month = self._manifests.get(sha256)
        if month is None:
            key = keys.month_manifest(self.tenant, sha256)
            try:
                body = self.store.get(key)
            except NotFound as error:
                remedy = f"delete what lies under {keys.snapshots(self.tenant)} and materialize again"
                raise NotFound("a month manifest is gone from the store", where=key, remedy=remedy) from error
            month = decode_month(key, body, sha256)
            if len(self._manifests) >= _MANIFESTS_KEPT:
                self._manifests.clear()
            self._manifests[sha256] = month
        return month

    def _fetch(self, hashes: Sequence[str]) -> None:
        """Fetches manifests in parallel where a read is a round trip."""
        lacking = [sha256 for sha256 in dict.fromkeys(hashes) if sha256 not in self._manifests]
        if len(lacking) > 1 and not self.store.local:
            with ThreadPoolExecutor(min(_PARALLEL, len(lacking))) as pool:
                list(pool.map(self._month, lacking))


def _decode(key: str, body: bytes) -> dict[str, Any]:
    """A snapshot's JSON. Raises `Corrupt` when it is not what was written."""
    try:
        raw: dict[str, Any] = json.loads(body)
        recorded = raw.pop("digest", None)
        if recorded is None or recorded == digest(raw):  # the first snapshots had none
            return raw
        what = "snapshot is damaged: its digest is not the recorded one"
    except (ValueError, TypeError, AttributeError, InputError) as error:
        what = f"snapshot does not read: {error}"
    raise Corrupt(what, where=key, remedy="delete the object and materialize again: it is derived from the log")


def _stem(key: str) -> str:
    """The version that a part's object is named by."""
    return key.rpartition("/")[2].partition(".")[0]
